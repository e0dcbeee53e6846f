// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <limits>

#include "fuzz/kernels/comparison.h"
#include "kernels/packed_product.h"
#include "kernels/stored_array.h"

namespace griffin::fuzz {
namespace {

using kernels::index_of;
using kernels::Write;
using test::AlignedBytes;
using test::Columns;
using test::PackedProduct;
using test::Product;
using test::ProductWeights;
using test::StoredArray;

/// Around the widths of registers and groups.
std::int64_t inputs_from(Numbers& numbers) {
  const int inputs = numbers.below(180);
  return inputs < 140 ? inputs : 128 * (inputs - 139) / 8 + numbers.below(3);
}

/// Up to 20, and of short ones sometimes as many as take another path.
std::int64_t rows_from(Numbers& numbers, std::int64_t in) {
  const int rows = numbers.below(24);
  if (rows < 20 || in > 70) return 1 + rows % 20;
  return 40 + 19 * (rows - 20);
}

Dtype storage_from(Numbers& numbers) {
  return test::all_storages[numbers.below(3)];
}

/// None beyond what f16 holds.
std::vector<float> weights_from(Draw& draw, std::int64_t count) {
  std::vector<float> values = draw(count);
  for (float& value : values) value = std::clamp(value, -6e4F, 6e4F);
  return values;
}

/// Of any order of adding up.
reference::Matrix sum_budget(std::int64_t in, const reference::Matrix& magnitudes) {
  return (static_cast<double>(in + 2) * reference::unit_roundoff * magnitudes).array() +
         static_cast<double>(in + 2) * reference::smallest_normal;
}

/// Puts NaN or an infinity somewhere, in one of four cases. Returns whether it did.
bool spoil(Numbers& numbers, GuardedMatrix& x) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float values[] = {0, infinity, -infinity, std::numeric_limits<float>::quiet_NaN()};
  const int kind = std::max(0, numbers.below(13) - 9);
  if (kind == 0 || x.cols() == 0) return false;
  const std::int64_t row = numbers.below(static_cast<int>(x.rows()));
  x(row, numbers.below(256) % x.cols()) = values[kind];
  return true;
}

/// y + what = sum, to the bit: what Write::add promises.
void require_adds(const GuardedMatrix& value, const GuardedMatrix& before, const GuardedMatrix& sum,
                  const Table& table, const std::string& what) {
  GuardedMatrix expected(value.rows(), value.cols());
  for (std::int64_t r = 0; r < value.rows(); ++r) {
    for (std::int64_t c = 0; c < value.cols(); ++c) expected(r, c) = before(r, c) + value(r, c);
  }
  require(test::same(sum, expected), table, what + " added");
}

}  // namespace

void check_float_product(Numbers& numbers) {
  const Dtype storage = storage_from(numbers);
  const std::int64_t in = inputs_from(numbers);
  const std::int64_t rows = rows_from(numbers, in);
  const std::int64_t out = 1 + numbers.below(50);
  const std::int64_t row = split(numbers, rows);
  const int places = numbers.below(256);
  Draw draw(numbers);
  GuardedMatrix x = draw.matrix(rows, in);
  const StoredArray w(storage, weights_from(draw, out * in));
  const std::vector<float> bias = numbers.yes() ? draw(out) : std::vector<float>();
  const bool spoilt = spoil(numbers, x);
  const GuardedMatrix before = draw.matrix(rows, out);
  const std::string what = std::string("matmul of f32 by ") + name_of(storage);
  const auto run = [&](const Table& table, Write write, const Part& p, GuardedMatrix& y) {
    table.matmul[index_of(storage)][index_of(Operand::f32)](
        {.x = x.row(p.row_begin),
         .x_stride = x.stride(),
         .w = w.data(),
         .bias = bias.empty() ? nullptr : bias.data(),
         .y = y.row(p.row_begin),
         .y_stride = y.stride(),
         .rows = p.row_end - p.row_begin,
         .in = in,
         .out_begin = p.begin,
         .out_end = p.end,
         .write = write,
         .scratch = nullptr});
  };
  GuardedMatrix of_scalar(rows, out);
  run(scalar(), Write::set, {0, rows, 0, out}, of_scalar);
  const reference::Matrix weight = reference::matrix(w.values(), out, in);
  const reference::Row b = reference::row(bias);
  const reference::Matrix expected = reference::matmul(x.to_double(), weight, b);
  const reference::Matrix budget =
      sum_budget(in, reference::matmul(x.to_double().cwiseAbs(), weight.cwiseAbs(), b.cwiseAbs()));
  for (const Table* table : tables()) {
    if (spoilt) {
      GuardedMatrix y(rows, out);
      run(*table, Write::set, {0, rows, 0, out}, y);
      require(same_kinds(y, of_scalar), *table, what);
      continue;
    }
    const std::int64_t col =
        places % (out + 1) / table->tiling.column_multiple * table->tiling.column_multiple;
    const GuardedMatrix y =
        whole_and_parts(rows, out, row, col, *table, what,
                        [&](const Part& p, GuardedMatrix& to) { run(*table, Write::set, p, to); });
    require(test::close(y, expected, budget), *table, what);
    GuardedMatrix sum = before;
    run(*table, Write::add, {0, rows, 0, out}, sum);
    require_adds(y, before, sum, *table, what);
  }
}

void check_packed_product(Numbers& numbers) {
  const Product product = test::packed_products[numbers.below(3)];
  const std::int64_t in = inputs_from(numbers);
  const std::int64_t rows = rows_from(numbers, in);
  const std::int64_t out = 1 + numbers.below(70);
  const std::int64_t row = split(numbers, rows);
  const int places = numbers.below(256);
  Draw draw(numbers);
  Random& random = draw.random();
  const std::vector<float> bias = numbers.yes() ? draw(out) : std::vector<float>();
  PackedProduct all{test::random_weights(product, out, in, random), draw.matrix(rows, in), bias};
  const bool spoilt = spoil(numbers, all.x);
  const std::string what = "matmul of " + test::name_of(product);
  const GuardedMatrix of_scalar = all.whole(scalar());
  const bool exact = test::is_quantized(product);
  const reference::Matrix x = all.activations(scalar());  // of bf16 the same in every table
  const reference::Row b = reference::row(bias);
  const reference::Matrix expected = exact ? x : reference::matmul(x, all.w.values, b);
  const reference::Matrix budget =
      exact
          ? x
          : sum_budget(in, reference::matmul(x.cwiseAbs(), all.w.values.cwiseAbs(), b.cwiseAbs()));
  for (const Table* table : tables()) {
    const std::int64_t col =
        places % (out + 1) / table->tiling.column_multiple * table->tiling.column_multiple;
    if (spoilt) {
      require(same_kinds(all.whole(*table), of_scalar), *table, what);
      continue;
    }
    const GuardedMatrix y =
        whole_and_parts(rows, out, row, col, *table, what, [&](const Part& p, GuardedMatrix& to) {
          const AlignedBytes packed = all.pack(*table, p.row_begin, p.row_end - p.row_begin);
          GuardedMatrix part(p.row_end - p.row_begin, out);
          all.multiply(*table, packed, Columns{p.begin, p.end}, Write::set, part);
          for (std::int64_t r = p.row_begin; r < p.row_end; ++r) {
            std::copy(part.row(r - p.row_begin) + p.begin, part.row(r - p.row_begin) + p.end,
                      to.row(r) + p.begin);
          }
        });
    require(exact ? test::same(y, of_scalar) : test::close(y, expected, budget), *table, what);
  }
}

void check_float_block_diagonal(Numbers& numbers) {
  const Dtype storage = storage_from(numbers);
  const std::int64_t blocks = 1 + numbers.below(4);
  const std::int64_t block_width = 1 + numbers.below(70);
  const std::int64_t rows = rows_from(numbers, block_width);
  const std::int64_t width = blocks * block_width;
  const std::int64_t row = split(numbers, rows);
  const std::int64_t col = numbers.below(256) % (width + 1);
  Draw draw(numbers);
  const GuardedMatrix x = draw.matrix(rows, width);
  const StoredArray w(storage, weights_from(draw, width * block_width));
  const std::vector<float> bias = draw(width);
  const reference::Matrix weight = reference::matrix(w.values(), width, block_width);
  const reference::Row b = reference::row(bias);
  const reference::Matrix expected = reference::block_diagonal(x.to_double(), weight, b);
  const reference::Matrix budget = sum_budget(
      block_width,
      reference::block_diagonal(x.to_double().cwiseAbs(), weight.cwiseAbs(), b.cwiseAbs()));
  for (const Table* table : tables()) {
    const std::string what = std::string("block_diagonal of f32 by ") + name_of(storage);
    const std::int64_t step = table->tiling.column_multiple;
    const GuardedMatrix y = whole_and_parts(
        rows, width, row, col / step * step, *table, what, [&](const Part& p, GuardedMatrix& to) {
          table->block_diagonal[index_of(storage)][index_of(Operand::f32)](
              {.x = x.row(p.row_begin),
               .x_stride = x.stride(),
               .w = w.data(),
               .bias = bias.data(),
               .y = to.row(p.row_begin),
               .y_stride = to.stride(),
               .rows = p.row_end - p.row_begin,
               .block_width = block_width,
               .begin = p.begin,
               .end = p.end,
               .scratch = nullptr});
        });
    require(test::close(y, expected, budget), *table, what);
  }
}

/// Block by block the product that check_packed_product() looks at.
void check_packed_block_diagonal(Numbers& numbers) {
  const Product product = test::packed_products[numbers.below(3)];
  const std::int64_t blocks = 1 + numbers.below(3);
  const std::int64_t block_width = 1 + numbers.below(140);
  const std::int64_t rows = rows_from(numbers, block_width);
  const std::int64_t width = blocks * block_width;
  const int places = numbers.below(256);
  Draw draw(numbers);
  std::vector<PackedProduct> all;
  std::vector<std::byte> weights(1);  // at an odd address
  std::vector<float> bias;
  for (std::int64_t n = 0; n < blocks; ++n) {
    all.push_back({test::random_weights(product, block_width, block_width, draw.random()),
                   draw.matrix(rows, block_width), draw(block_width)});
    weights.insert(weights.end(), all.back().w.memory.begin() + 1, all.back().w.memory.end());
    bias.insert(bias.end(), all.back().bias.begin(), all.back().bias.end());
  }
  for (const Table* table : tables()) {
    const std::int64_t step = table->operand_bytes(product.operand, rows, block_width);
    AlignedBytes operands(step * blocks);
    GuardedMatrix expected(rows, width);
    for (std::int64_t n = 0; n < blocks; ++n) {
      const PackedProduct& block = all[static_cast<std::size_t>(n)];
      const AlignedBytes one = block.pack(*table, 0, rows);
      std::memcpy(operands.data() + n * step, one.data(), one.size());
      const GuardedMatrix y = block.whole(*table);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::copy_n(y.row(r), block_width, expected.row(r) + n * block_width);
      }
    }
    const std::string what = "block_diagonal of " + test::name_of(product);
    const std::int64_t multiple = table->tiling.column_multiple;
    const std::int64_t col = places % (width + 1) / multiple * multiple;
    GuardedMatrix y(rows, width);
    for (const Columns& columns : {Columns{0, col}, Columns{col, width}}) {
      test::block_diagonal_of(*table, product)({.x = operands.data(),
                                                .x_stride = 0,
                                                .w = weights.data() + 1,
                                                .bias = bias.data(),
                                                .y = y.row(0),
                                                .y_stride = y.stride(),
                                                .rows = rows,
                                                .block_width = block_width,
                                                .begin = columns.begin,
                                                .end = columns.end,
                                                .scratch = test::scratch(*table, block_width)});
    }
    require(y.only_written(0, width), *table, what);
    require(test::same(y, expected), *table, what);
  }
}

/// An operand is the same bytes in whatever shares it is packed.
void check_pack(Numbers& numbers) {
  const Operand operand = numbers.yes() ? Operand::bf16 : Operand::int8;
  const std::int64_t in = 1 + inputs_from(numbers);
  const std::int64_t rows = rows_from(numbers, in);
  const int places[] = {numbers.below(256), numbers.below(256)};
  Draw draw(numbers);
  const GuardedMatrix x = draw.matrix(rows, in);
  for (const Table* table : tables()) {
    const AlignedBytes whole = test::packed(*table, operand, x.row(0), x.stride(), rows, in);
    AlignedBytes parts(table->operand_bytes(operand, rows, in));
    const std::int64_t row =
        places[0] % (rows + 1) / table->tiling.pack_rows * table->tiling.pack_rows;
    const std::int64_t col =
        places[1] % (in + 1) / table->tiling.pack_columns * table->tiling.pack_columns;
    for (const Part& p : {Part{0, row, 0, col}, Part{0, row, col, in}, Part{row, rows, 0, col},
                          Part{row, rows, col, in}}) {
      if (p.row_begin == p.row_end || p.begin == p.end) continue;
      table->pack[index_of(operand)]({.x = x.row(0) + p.begin,
                                      .x_stride = x.stride(),
                                      .operand = parts.data(),
                                      .rows = rows,
                                      .in = in,
                                      .row_begin = p.row_begin,
                                      .row_end = p.row_end,
                                      .in_begin = p.begin,
                                      .in_end = p.end});
    }
    const bool same = std::memcmp(whole.data(), parts.data(), whole.size()) == 0;
    require(same ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "other bytes",
            *table, "pack in parts");
  }
}

}  // namespace griffin::fuzz
