// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

/// Everything a scan reads; h is one row.
struct Scan {
  GuardedMatrix a, b, h;

  /// Channels [begin, end) of rows [first, first + y.rows()) into y; `state` moves on.
  void run(const kernels::Table& table, std::int64_t first, std::int64_t begin, std::int64_t end,
           GuardedMatrix& state, GuardedMatrix& y) const {
    table.linear_scan({.a = a.row(first),
                       .b = b.row(first),
                       .stride = a.stride(),
                       .h = state.row(0),
                       .y = y.row(0),
                       .y_stride = y.stride(),
                       .rows = y.rows(),
                       .begin = begin,
                       .end = end});
  }

  reference::Recurrence expected() const {
    return reference::linear_scan(a.to_double(), b.to_double(), h.to_double());
  }
};

Scan random_scan(std::int64_t rows, std::int64_t width) {
  Random random(static_cast<std::uint32_t>(rows * 10007 + width));
  return {GuardedMatrix(rows, width, random.uniforms(rows * width, -1, 1)),
          GuardedMatrix(rows, width, random.normals(rows * width)),
          GuardedMatrix(1, width, random.normals(width))};
}

class LinearScan : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, LinearScan, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(LinearScan, AgreesWithDoublePrecision) {
  for (const std::int64_t width : widths()) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 40}) {
      const Scan scan = random_scan(rows, width);
      GuardedMatrix y(rows, width);
      GuardedMatrix state = scan.h;
      scan.run(table(), 0, 0, width, state, y);
      const reference::Recurrence expected = scan.expected();
      ASSERT_TRUE(close(y, expected.y, expected.budget)) << rows << " rows of " << width;
      ASSERT_TRUE(y.only_written(0, width));
      ASSERT_TRUE(same_row(state, 0, y, rows - 1, 0, width)) << "state after the last row";
    }
  }
}

TEST_P(LinearScan, IsExactOnWholeNumbers) {
  for (const std::int64_t width : widths()) {
    Random random(static_cast<std::uint32_t>(width));
    const Scan scan{GuardedMatrix(9, width, random.integers(9 * width, -1, 1)),
                    GuardedMatrix(9, width, random.integers(9 * width, -99, 99)),
                    GuardedMatrix(1, width, random.integers(width, -99, 99))};
    GuardedMatrix y(9, width);
    GuardedMatrix state = scan.h;
    scan.run(table(), 0, 0, width, state, y);
    ASSERT_TRUE(close(y, scan.expected().y, reference::Matrix::Zero(9, width)));
  }
}

TEST_P(LinearScan, GivesTheSameBitsForAnyChunksInTime) {
  Random random(3);
  for (const std::int64_t width : {1, 5, 16, 31, 65}) {
    const Scan scan = random_scan(37, width);
    GuardedMatrix whole(37, width);
    GuardedMatrix end_state = scan.h;
    scan.run(table(), 0, 0, width, end_state, whole);
    for (const std::int64_t longest : {1, 2, 3, 12}) {
      GuardedMatrix state = scan.h;
      std::int64_t first = 0;
      for (const std::int64_t count : random.partition(37, longest)) {
        GuardedMatrix part(count, width);
        scan.run(table(), first, 0, width, state, part);
        for (std::int64_t r = 0; r < count; ++r) {
          ASSERT_TRUE(same_row(part, r, whole, first + r, 0, width));
        }
        first += count;
      }
      ASSERT_TRUE(same(state, end_state));
    }
  }
}

TEST_P(LinearScan, GivesTheSameBitsForAnyChannels) {
  Random random(4);
  const Scan scan = random_scan(6, 90);
  GuardedMatrix whole(6, 90);
  GuardedMatrix end_state = scan.h;
  scan.run(table(), 0, 0, 90, end_state, whole);
  std::int64_t begin = 0;
  for (const std::int64_t count : random.partition(90, 37)) {
    GuardedMatrix part(6, 90);
    GuardedMatrix state = scan.h;
    scan.run(table(), 0, begin, begin + count, state, part);
    ASSERT_TRUE(part.only_written(begin, begin + count));
    for (std::int64_t r = 0; r < 6; ++r) {
      ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count));
    }
    ASSERT_TRUE(same_row(state, 0, end_state, 0, begin, begin + count));
    ASSERT_TRUE(same_row(state, 0, scan.h, 0, 0, begin)) << "state of other channels";
    ASSERT_TRUE(same_row(state, 0, scan.h, 0, begin + count, 90)) << "state of other channels";
    begin += count;
  }
}

TEST_P(LinearScan, MayWriteOverItsInputs) {
  for (const std::int64_t width : {1, 16, 33}) {
    const Scan scan = random_scan(7, width);
    GuardedMatrix expected(7, width);
    GuardedMatrix state = scan.h;
    scan.run(table(), 0, 0, width, state, expected);
    Scan over_a = scan;
    Scan over_b = scan;
    GuardedMatrix state_a = scan.h;
    GuardedMatrix state_b = scan.h;
    over_a.run(table(), 0, 0, width, state_a, over_a.a);
    over_b.run(table(), 0, 0, width, state_b, over_b.b);
    EXPECT_TRUE(same(over_a.a, expected));
    EXPECT_TRUE(same(over_b.b, expected));
  }
}

}  // namespace
}  // namespace griffin::test
