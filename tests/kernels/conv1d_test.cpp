// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

/// The state of a convolution, dense as the kernel wants it.
struct State {
  std::int64_t rows, width;
  std::vector<float> values;  // [rows, width]

  reference::Matrix to_double() const { return reference::matrix(values, rows, width); }
  friend bool operator==(const State&, const State&) = default;
};

/// Everything a convolution reads.
struct Convolution {
  std::int64_t taps, width;
  GuardedMatrix x;
  std::vector<float> weight;  // [taps, width]
  std::vector<float> bias;    // [width]
  State state;                // [taps - 1, width]

  /// Channels [begin, end) of rows [first, first + y.rows()) into y, `start` being the position of
  /// row 0 of x.
  void run(const kernels::Table& table, std::int64_t start, std::int64_t first, std::int64_t begin,
           std::int64_t end, State& moving, GuardedMatrix& y) const {
    table.conv1d({.x = x.row(first),
                  .x_stride = x.stride(),
                  .weight = weight.data(),
                  .bias = bias.data(),
                  .state = moving.values.data(),
                  .width = width,
                  .y = y.row(0),
                  .y_stride = y.stride(),
                  .position = start + first,
                  .rows = y.rows(),
                  .taps = taps,
                  .begin = begin,
                  .end = end});
  }

  reference::Recurrence expected() const {
    return reference::conv1d(x.to_double(), reference::matrix(weight, taps, width),
                             reference::row(bias), state.to_double());
  }

  /// The last taps - 1 rows of state and x together.
  State state_after() const {
    State after{taps - 1, width, state.values};
    for (std::int64_t r = 0; r < x.rows(); ++r) {
      after.values.insert(after.values.end(), x.row(r), x.row(r) + width);
      after.values.erase(after.values.begin(), after.values.begin() + width);
    }
    return after;
  }
};

Convolution random_convolution(std::int64_t rows, std::int64_t width, std::int64_t taps) {
  Random random(static_cast<std::uint32_t>(rows * 100003 + width * 11 + taps));
  return {taps,
          width,
          GuardedMatrix(rows, width, random.normals(rows * width)),
          random.normals(taps * width),
          random.normals(width),
          {taps - 1, width, random.normals((taps - 1) * width)}};
}

class Conv1d : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, Conv1d, ::testing::ValuesIn(tables_with_own(&kernels::Table::conv1d)),
                         table_name);

TEST_P(Conv1d, AgreesWithDoublePrecision) {
  for (const std::int64_t width : widths()) {
    for (const std::int64_t taps : {2, 3, 4, 5}) {
      for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 23}) {
        const Convolution convolution = random_convolution(rows, width, taps);
        State state = convolution.state;
        GuardedMatrix y(rows, width);
        convolution.run(table(), 5, 0, 0, width, state, y);
        const reference::Recurrence expected = convolution.expected();
        ASSERT_TRUE(close(y, expected.y, expected.budget))
            << rows << " rows of " << width << ", " << taps << " taps";
        ASSERT_TRUE(y.only_written(0, width));
        ASSERT_EQ(state, convolution.state_after()) << rows << " rows, " << taps << " taps";
      }
    }
  }
}

TEST_P(Conv1d, OfOneTapHasNoState) {
  Convolution convolution = random_convolution(6, 19, 1);
  GuardedMatrix y(6, 19);
  convolution.run(table(), 5, 0, 0, 19, convolution.state, y);
  const reference::Recurrence expected = convolution.expected();
  EXPECT_TRUE(close(y, expected.y, expected.budget));
}

TEST_P(Conv1d, IsExactOnWholeNumbers) {
  for (const std::int64_t width : widths()) {
    Random random(static_cast<std::uint32_t>(width));
    const Convolution convolution{4,
                                  width,
                                  GuardedMatrix(9, width, random.integers(9 * width, -99, 99)),
                                  random.integers(4 * width, -99, 99),
                                  random.integers(width, -99, 99),
                                  {3, width, random.integers(3 * width, -99, 99)}};
    State state = convolution.state;
    GuardedMatrix y(9, width);
    convolution.run(table(), 3, 0, 0, width, state, y);
    ASSERT_TRUE(close(y, convolution.expected().y, reference::Matrix::Zero(9, width)));
  }
}

TEST_P(Conv1d, StartsFromZerosWhateverTheStateHolds) {
  for (const std::int64_t rows : {1, 2, 3, 4, 8}) {
    for (const std::int64_t width : {1, 16, 37}) {
      Convolution convolution = random_convolution(rows, width, 4);
      State garbage = convolution.state;
      for (float& value : garbage.values) value = std::numeric_limits<float>::quiet_NaN();
      for (float& value : convolution.state.values) value = 0;
      GuardedMatrix y(rows, width);
      convolution.run(table(), 0, 0, 0, width, garbage, y);
      const reference::Recurrence expected = convolution.expected();
      ASSERT_TRUE(close(y, expected.y, expected.budget)) << rows << " rows";
      ASSERT_EQ(garbage, convolution.state_after()) << rows << " rows";
    }
  }
}

TEST_P(Conv1d, GivesTheSameBitsForAnyChunksInTime) {
  Random random(5);
  constexpr std::int64_t rows = 29;
  for (const std::int64_t start : {0, 1, 7}) {
    for (const std::int64_t taps : {2, 4, 5}) {
      for (const std::int64_t width : {1, 5, 16, 31, 65}) {
        const Convolution convolution = random_convolution(rows, width, taps);
        State end_state = convolution.state;
        GuardedMatrix whole(rows, width);
        convolution.run(table(), start, 0, 0, width, end_state, whole);
        for (const std::int64_t longest : {1, 2, 3, 12}) {
          State state = convolution.state;
          std::int64_t first = 0;
          for (const std::int64_t count : random.partition(rows, longest)) {
            GuardedMatrix part(count, width);
            convolution.run(table(), start, first, 0, width, state, part);
            for (std::int64_t r = 0; r < count; ++r) {
              ASSERT_TRUE(same_row(part, r, whole, first + r, 0, width))
                  << "chunk of " << count << " at " << first << ", " << taps << " taps";
            }
            first += count;
          }
          ASSERT_EQ(state, end_state);
        }
      }
    }
  }
}

TEST_P(Conv1d, GivesTheSameBitsForAnyChannels) {
  Random random(6);
  constexpr std::int64_t width = 90;
  const Convolution convolution = random_convolution(6, width, 4);
  GuardedMatrix whole(6, width);
  State end_state = convolution.state;
  convolution.run(table(), 2, 0, 0, width, end_state, whole);
  State state = convolution.state;
  std::int64_t begin = 0;
  for (const std::int64_t count : random.partition(width, 37)) {
    GuardedMatrix part(6, width);
    convolution.run(table(), 2, 0, begin, begin + count, state, part);
    ASSERT_TRUE(part.only_written(begin, begin + count));
    for (std::int64_t r = 0; r < 6; ++r) {
      ASSERT_TRUE(same_row(part, r, whole, r, begin, begin + count));
    }
    begin += count;
  }
  EXPECT_EQ(state, end_state) << "every range moved its own channels, and no others";
}

}  // namespace
}  // namespace griffin::test
