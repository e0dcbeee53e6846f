// SPDX-License-Identifier: Apache-2.0
// What kernels of all instruction sets are held to: bits of the scalar table where they are
// promised, a budget around double precision elsewhere; and the same bits for every way to split
// the work.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::fuzz {

using kernels::Table;
using test::GuardedMatrix;
using test::Random;

/// What this CPU can run, of which the library may offer less, and models of what it cannot.
inline const std::vector<const Table*>& tables() {
  static const std::vector<const Table*> all = [] {
    std::vector<const Table*> list = test::tile_models();
    for (const Table* table : test::all_tables()) {
      if (table != list.back()) list.push_back(table);
    }
    return list;
  }();
  return all;
}

inline const Table& scalar() {
  static const Table& table = *kernels::find_table("scalar");
  return table;
}

/// A finding says what differs, and with which table.
inline void require(const ::testing::AssertionResult& holds, const Table& table,
                    const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s of %s: %s\n", what.c_str(), table.name, holds.message());
  std::abort();
}

/// Numbers of one kind, from whole ones to magnitudes of 2^30 and of 2^-30 side by side.
class Draw {
 public:
  explicit Draw(Numbers& numbers)
      : kind_(numbers.below(4)), random_(static_cast<std::uint32_t>(numbers.bytes(4))) {}

  std::vector<float> operator()(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = one();
    return values;
  }
  GuardedMatrix matrix(std::int64_t rows, std::int64_t cols) {
    return GuardedMatrix(rows, cols, (*this)(rows * cols));
  }
  Random& random() { return random_; }

 private:
  float one() {
    switch (kind_) {
      case 0:
        return static_cast<float>(random_.integer(-16, 16));
      case 1:
        return random_.uniform(-6, 6);
      case 2:
        return random_.integer(0, 3) == 0 ? random_.normal() : 0.0F;
      default:
        return std::ldexp(random_.normal(), static_cast<int>(random_.integer(-30, 30)));
    }
  }

  int kind_;
  Random random_;
};

struct Part {
  std::int64_t row_begin, row_end, begin, end;
};

/// What `run(part, y)` gives for all of it, which has to be the same in four parts.
template <class Run>
GuardedMatrix whole_and_parts(std::int64_t rows, std::int64_t cols, std::int64_t row,
                              std::int64_t col, const Table& table, const std::string& what,
                              const Run& run) {
  GuardedMatrix whole(rows, cols);
  run(Part{0, rows, 0, cols}, whole);
  require(whole.only_written(0, cols), table, what);
  GuardedMatrix parts(rows, cols);
  run(Part{0, row, 0, col}, parts);
  run(Part{0, row, col, cols}, parts);
  run(Part{row, rows, 0, col}, parts);
  run(Part{row, rows, col, cols}, parts);
  require(parts.only_written(0, cols), table, what + " in parts");
  require(test::same(parts, whole), table, what + " in parts");
  return whole;
}

/// A place to split `size` at, a multiple of `step`, or 0.
inline std::int64_t split(Numbers& numbers, std::int64_t size, std::int64_t step = 1) {
  const std::int64_t steps = size / step;
  return numbers.below(static_cast<int>(steps) + 1) * step;
}

/// NaN where the other has NaN, and the same infinity where it has one.
inline ::testing::AssertionResult same_kinds(const GuardedMatrix& y, const GuardedMatrix& z) {
  for (std::int64_t r = 0; r < y.rows(); ++r) {
    for (std::int64_t c = 0; c < y.cols(); ++c) {
      const float a = y(r, c);
      const float b = z(r, c);
      const bool both = std::isnan(a) == std::isnan(b) && std::isinf(a) == std::isinf(b);
      if (both && (!std::isinf(a) || a == b)) continue;
      return ::testing::AssertionFailure() << r << ", " << c << ": " << a << " and " << b;
    }
  }
  return ::testing::AssertionSuccess();
}

/// One call of a kernel each, with shapes and values from the input.
void check_float_product(Numbers& numbers);
void check_packed_product(Numbers& numbers);
void check_float_block_diagonal(Numbers& numbers);
void check_packed_block_diagonal(Numbers& numbers);
void check_pack(Numbers& numbers);
void check_linear_scan(Numbers& numbers);
void check_rg_lru(Numbers& numbers);
void check_conv1d(Numbers& numbers);
void check_attention(Numbers& numbers);
void check_rms_norm(Numbers& numbers);
void check_activation_gate(Numbers& numbers);
void check_soft_cap(Numbers& numbers);
void check_rope(Numbers& numbers);
void check_embed(Numbers& numbers);
void check_conversions(Numbers& numbers);
void check_argmax(Numbers& numbers);

}  // namespace griffin::fuzz
