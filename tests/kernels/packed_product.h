// SPDX-License-Identifier: Apache-2.0
// Weights of every product, written from the description in griffin/kernels.h, and products whose
// activations are packed first.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "griffin/kernels.h"
#include "kernels/guarded_matrix.h"
#include "kernels/stored_array.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {

/// What a product is.
struct Product {
  Dtype weights;
  Operand operand;

  friend bool operator==(const Product&, const Product&) = default;
};

inline constexpr Product bf16_by_bf16{Dtype::bf16, Operand::bf16};
inline constexpr Product int8_by_int8{Dtype::int8, Operand::int8};
inline constexpr Product int4_by_int8{Dtype::int4, Operand::int8};
inline constexpr Product all_products[] = {{Dtype::f32, Operand::f32},
                                           {Dtype::bf16, Operand::f32},
                                           {Dtype::f16, Operand::f32},
                                           bf16_by_bf16,
                                           int8_by_int8,
                                           int4_by_int8};
inline constexpr Product packed_products[] = {bf16_by_bf16, int8_by_int8, int4_by_int8};
inline constexpr Product quantized_products[] = {int8_by_int8, int4_by_int8};

inline auto matmul_of(const kernels::Table& table, const Product& product) {
  return table.matmul[kernels::index_of(product.weights)][kernels::index_of(product.operand)];
}
inline auto block_diagonal_of(const kernels::Table& table, const Product& product) {
  return table
      .block_diagonal[kernels::index_of(product.weights)][kernels::index_of(product.operand)];
}

/// The packed products of a table that no lower one computes by the same kernels.
inline std::vector<Product> own_products(const kernels::Table& table) {
  std::vector<Product> own;
  for (const Product& product : packed_products) {
    const auto of_product = [&](const kernels::Table& t) {
      return std::tuple(t.pack[kernels::index_of(product.operand)], matmul_of(t, product),
                        block_diagonal_of(t, product), t.operand_bytes, t.product_scratch);
    };
    const std::vector<const kernels::Table*> tables = tables_with_own(of_product);
    if (std::find(tables.begin(), tables.end(), &table) != tables.end()) own.push_back(product);
  }
  return own;
}

/// One row and one tile of eight, with more and with fewer; int4 panels are widened from nine rows
/// on, bf16 panels rearranged from seventeen on, tiles copied from 81 on.
inline constexpr std::int64_t rows_of_every_kind[] = {1, 8, 9, 16, 17, 24, 65, 72, 97};

inline bool is_quantized(const Product& product) {
  return is_quantized(product.weights);
}
inline std::string name_of(const Product& product) {
  const std::string name = griffin::name_of(product.weights);
  return product == bf16_by_bf16 ? name + "_bf16" : name;
}

inline float rounded_to_bf16(float x) {
  return static_cast<float>(Eigen::bfloat16(x));
}

/// Bytes on a cache line that notice writes beyond their end.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::int64_t count)
      : count_(static_cast<std::size_t>(count)), memory_(count_ + 2 * line, canary) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    data_ = memory_.data() + (line - address % line) % line;
  }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  AlignedBytes(AlignedBytes&&) = default;
  AlignedBytes& operator=(AlignedBytes&&) = default;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return count_; }
  bool intact() const {
    return std::all_of(data_ + count_, data_ + count_ + line,
                       [](std::byte byte) { return byte == canary; });
  }

 private:
  static constexpr std::size_t line = 64;
  static constexpr std::byte canary{0xFF};  // NaN, in any float

  std::size_t count_;
  std::vector<std::byte> memory_;
  std::byte* data_;
};

/// Scratch of just the size that a table asks for: one room for all products of that size, since
/// to fill it takes longer than most of them.
inline std::byte* scratch(const kernels::Table& table, std::int64_t in) {
  static std::map<std::int64_t, AlignedBytes> rooms;
  const std::int64_t size = table.product_scratch(in);
  AlignedBytes& room = rooms.try_emplace(size, size).first->second;
  EXPECT_TRUE(room.intact()) << "written beyond " << size << " bytes";
  return room.data();
}

/// Weights of one product at an odd address, and what they stand for.
struct ProductWeights {
  Product product;
  std::int64_t out, in;
  reference::Matrix values;       // [out, in]
  std::vector<std::byte> memory;  // one byte, then the weights

  const std::byte* data() const { return memory.data() + 1; }
  std::size_t bytes() const { return memory.size() - 1; }
};

inline ProductWeights dense_weights(Product product, std::int64_t out, std::int64_t in,
                                    const std::vector<float>& values) {
  const Dtype storage = product.weights;
  const StoredArray stored(storage, values);
  ProductWeights w{product, out, in, reference::matrix(stored.values(), out, in), {}};
  w.memory.resize(1 + values.size() * size_of(storage));
  std::memcpy(w.memory.data() + 1, stored.data(), w.bytes());
  return w;
}

/// A quantised matrix before its numbers are put in their places.
struct QuantizedMatrix {
  Product product;
  std::int64_t out, in;
  std::vector<int> w;         // [out, in]
  std::vector<float> scales;  // [out, groups], of int4 bf16 numbers
  std::vector<int> factors;   // [out, groups, runs], of int4

  QuantizedMatrix(Product product_, std::int64_t out_, std::int64_t in_)
      : product(product_),
        out(out_),
        in(in_),
        w(static_cast<std::size_t>(out * in)),
        scales(static_cast<std::size_t>(out * kernels::groups_of(in))),
        factors(scales.size() * kernels::runs_per_group, 1) {}

  std::size_t group(std::int64_t o, std::int64_t i) const {
    return static_cast<std::size_t>(o * kernels::groups_of(in) + i / kernels::group_width);
  }
  std::size_t run(std::int64_t o, std::int64_t i) const {
    return group(o, i) * kernels::runs_per_group +
           static_cast<std::size_t>(i % kernels::group_width / kernels::run_width);
  }
  int weight(std::int64_t o, std::int64_t i) const {
    return w[static_cast<std::size_t>(o * in + i)];
  }
  std::int64_t block_bytes() const {
    return product == int8_by_int8 ? kernels::int8_block : kernels::int4_block;
  }
};

/// Where output o has its part of group g.
inline std::byte* block_of(const QuantizedMatrix& m, std::byte* base, std::int64_t o,
                           std::int64_t g) {
  return base + (o / kernels::panel_rows * kernels::groups_of(m.in) + g) * m.block_bytes();
}

inline void put_int8_output(const QuantizedMatrix& m, std::int64_t o, std::int64_t g,
                            std::byte* block) {
  const std::int64_t n = o % kernels::panel_rows;
  for (std::int64_t i = 0; i < kernels::group_width; ++i) {
    const std::int64_t at = g * kernels::group_width + i;
    const int w = o < m.out && at < m.in ? m.weight(o, at) : 0;
    block[i / 4 * 64 + n * 4 + i % 4] = static_cast<std::byte>(w + 128);
  }
  const float scale = o < m.out ? m.scales[m.group(o, g * kernels::group_width)] : 0.0F;
  std::memcpy(block + kernels::int8_scales + n * 4, &scale, sizeof scale);
}

inline void put_int4_output(const QuantizedMatrix& m, std::int64_t o, std::int64_t g,
                            std::byte* block) {
  const std::int64_t n = o % kernels::panel_rows;
  unsigned factors = 0;
  for (std::int64_t i = 0; i < kernels::group_width; ++i) {
    const std::int64_t at = g * kernels::group_width + i;
    const int nibble = (o < m.out && at < m.in ? m.weight(o, at) : 0) + 8;
    block[i / 8 * 64 + n * 4 + i % 4] |=
        static_cast<std::byte>(i / 4 % 2 == 0 ? nibble : nibble << 4);
    if (i % kernels::run_width == 0) {
      const int factor = o < m.out ? m.factors[m.run(o, at)] : 1;
      factors |= static_cast<unsigned>(factor) << (i / kernels::run_width * 4);
    }
  }
  const Eigen::bfloat16 scale(o < m.out ? m.scales[m.group(o, g * kernels::group_width)] : 0.0F);
  const auto words = static_cast<std::uint16_t>(factors);
  std::memcpy(block + kernels::int4_scales + n * 2, &scale, 2);
  std::memcpy(block + kernels::int4_factors + n * 2, &words, 2);
}

inline ProductWeights block_weights(const QuantizedMatrix& m) {
  ProductWeights w{m.product, m.out, m.in, reference::Matrix::Zero(m.out, m.in), {}};
  const std::int64_t panels = (m.out + kernels::panel_rows - 1) / kernels::panel_rows;
  w.memory.resize(
      static_cast<std::size_t>(1 + panels * kernels::groups_of(m.in) * m.block_bytes()));
  for (std::int64_t o = 0; o < panels * kernels::panel_rows; ++o) {
    for (std::int64_t g = 0; g < kernels::groups_of(m.in); ++g) {
      std::byte* block = block_of(m, w.memory.data() + 1, o, g);
      m.product == int8_by_int8 ? put_int8_output(m, o, g, block) : put_int4_output(m, o, g, block);
    }
  }
  for (std::int64_t o = 0; o < m.out; ++o) {
    for (std::int64_t i = 0; i < m.in; ++i) {
      w.values(o, i) = static_cast<double>(m.weight(o, i) * m.factors[m.run(o, i)]) *
                       static_cast<double>(m.scales[m.group(o, i)]);
    }
  }
  return w;
}

inline QuantizedMatrix random_quantized(Product product, std::int64_t out, std::int64_t in,
                                        Random& random) {
  QuantizedMatrix m(product, out, in);
  const bool wide = product == int8_by_int8;
  for (int& w : m.w) {
    w = static_cast<int>(wide ? random.integer(-127, 127) : random.integer(-8, 7));
  }
  for (float& scale : m.scales) {
    scale = random.uniform(0.001F, 0.02F);
    if (!wide) scale = rounded_to_bf16(scale);
  }
  if (!wide) {
    for (int& factor : m.factors) factor = static_cast<int>(random.integer(1, 15));
  }
  return m;
}

inline ProductWeights random_weights(Product product, std::int64_t out, std::int64_t in,
                                     Random& random) {
  if (is_quantized(product)) return block_weights(random_quantized(product, out, in, random));
  return dense_weights(product, out, in, random.normals(out * in));
}

/// Rows [0, rows) of x as the product takes them.
inline AlignedBytes packed(const kernels::Table& table, Operand operand, const float* x,
                           std::int64_t stride, std::int64_t rows, std::int64_t in) {
  AlignedBytes bytes(table.operand_bytes(operand, rows, in));
  table.pack[index_of(operand)]({.x = x,
                                 .x_stride = stride,
                                 .operand = bytes.data(),
                                 .rows = rows,
                                 .in = in,
                                 .row_begin = 0,
                                 .row_end = rows});
  EXPECT_TRUE(bytes.intact());
  return bytes;
}

/// An int8 operand of one row, whose parts simply follow one another.
struct Int8Row {
  std::vector<std::int8_t> values;          // [groups, 128]
  std::vector<std::int32_t> group_offsets;  // [groups]
  std::vector<std::int32_t> sums;           // [groups, runs]
  std::vector<float> scales;                // [groups]

  Int8Row(const kernels::Table& table, const float* x, std::int64_t in)
      : values(static_cast<std::size_t>(kernels::groups_of(in) * kernels::group_width)),
        group_offsets(static_cast<std::size_t>(kernels::groups_of(in))),
        sums(static_cast<std::size_t>(kernels::groups_of(in) * kernels::runs_per_group)),
        scales(static_cast<std::size_t>(kernels::groups_of(in))) {
    const AlignedBytes bytes = packed(table, Operand::int8, x, in, 1, in);
    if (in == 0) return;
    std::memcpy(values.data(), bytes.data(), values.size());
    const auto* at = bytes.data() + values.size();
    std::memcpy(group_offsets.data(), at, group_offsets.size() * 4);
    at += group_offsets.size() * 4;
    std::memcpy(sums.data(), at, sums.size() * 4);
    std::memcpy(scales.data(), at + sums.size() * 4, scales.size() * 4);
  }
};

struct Columns {
  std::int64_t begin, end;
};

/// Everything a product with packed activations reads.
struct PackedProduct {
  ProductWeights w;
  GuardedMatrix x;
  std::vector<float> bias;  // [out] or empty

  Operand operand() const { return w.product.operand; }

  AlignedBytes pack(const kernels::Table& table, std::int64_t first, std::int64_t rows) const {
    return packed(table, operand(), x.row(first), x.stride(), rows, w.in);
  }

  void multiply(const kernels::Table& table, const AlignedBytes& rows, Columns columns,
                kernels::Write write, GuardedMatrix& y) const {
    matmul_of(table, w.product)({.x = rows.data(),
                                 .x_stride = 0,
                                 .w = w.data(),
                                 .bias = bias.empty() ? nullptr : bias.data(),
                                 .y = y.row(0),
                                 .y_stride = y.stride(),
                                 .rows = y.rows(),
                                 .in = w.in,
                                 .out_begin = columns.begin,
                                 .out_end = columns.end,
                                 .write = write,
                                 .scratch = scratch(table, w.in)});
    scratch(table, w.in);  // looks at its end
  }

  /// Rows [first, first + y.rows()), on their own.
  void run(const kernels::Table& table, std::int64_t first, Columns columns,
           GuardedMatrix& y) const {
    multiply(table, pack(table, first, y.rows()), columns, kernels::Write::set, y);
  }

  GuardedMatrix whole(const kernels::Table& table) const {
    GuardedMatrix y(x.rows(), w.out);
    run(table, 0, {0, w.out}, y);
    return y;
  }

  /// The activations as they are multiplied.
  reference::Matrix activations(const kernels::Table& table) const {
    reference::Matrix out(x.rows(), w.in);
    for (std::int64_t r = 0; r < x.rows(); ++r) {
      if (operand() == Operand::bf16) {
        for (std::int64_t i = 0; i < w.in; ++i) out(r, i) = rounded_to_bf16(x(r, i));
        continue;
      }
      const Int8Row row(table, x.row(r), w.in);
      for (std::int64_t i = 0; i < w.in; ++i) {
        out(r, i) = static_cast<double>(row.values[static_cast<std::size_t>(i)]) *
                    static_cast<double>(row.scales[static_cast<std::size_t>(i / 128)]);
      }
    }
    return out;
  }

  /// How far the products of these activations may be off, in units of sum |x w| + |bias|. Float
  /// sums: as in matmul_test.cpp. Quantised: the sums of groups are exact; what is rounded is a
  /// product of scales, its product with the sum, and one addition a group and of the bias.
  reference::Matrix budget(const reference::Matrix& activations) const {
    const auto groups = static_cast<double>(kernels::groups_of(w.in));
    const double units =
        is_quantized(w.product) ? groups + 3 : std::min(static_cast<double>(w.in + 1), 8.0);
    return units * reference::unit_roundoff *
           reference::matmul(activations.cwiseAbs(), w.values.cwiseAbs(),
                             reference::row(bias).cwiseAbs());
  }
};

inline PackedProduct random_product(Product product, std::int64_t rows, std::int64_t in,
                                    std::int64_t out) {
  Random random(static_cast<std::uint32_t>(rows * 1000003 + in * 1009 + out));
  return {random_weights(product, out, in, random),
          GuardedMatrix(rows, in, random.normals(rows * in)), random.normals(out)};
}

}  // namespace griffin::test
