// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "kernels/rg_lru_case.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

class RgLru : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, RgLru, ::testing::ValuesIn(tables_with_own(&kernels::Table::rg_lru)),
                         table_name);

TEST_P(RgLru, AgreesWithDoublePrecision) {
  for (const std::int64_t width : widths()) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 50}) {
      for (const std::int64_t position : {0, 1, 9}) {
        const RgLruCase lru = random_rg_lru(rows, width, position);
        GuardedMatrix state = lru.h;
        const GuardedMatrix y = lru.whole(table(), state);
        const reference::Recurrence expected = lru.expected();
        ASSERT_TRUE(close(y, expected.y, expected.budget))
            << rows << " rows of " << width << " from position " << position;
        ASSERT_TRUE(y.only_written(0, width));
        ASSERT_TRUE(state.only_written(0, width));
        ASSERT_TRUE(same_row(state, 0, y, rows - 1, 0, width)) << "state after the last row";
      }
    }
  }
}

TEST_P(RgLru, DropsTheStateAtPositionZero) {
  RgLruCase lru = random_rg_lru(4, 37, 0);
  const GuardedMatrix expected = lru.whole(table());
  for (std::int64_t c = 0; c < 37; ++c) lru.h(0, c) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(same(lru.whole(table()), expected));
}

/// No 1 - a^2 at position 0, and nothing but it at the others (cases where i = 1/2, a = 1/2).
TEST_P(RgLru, ScalesTheInputFromTheSecondStepOn) {
  const float log_half = -0.693147181F;
  constexpr float saturated = 1e4F;
  const std::vector<float> zero(3, 0.0F);
  const std::vector<float> x = {1, -3, 2};
  const RgLruCase first =
      one_step(x, zero, std::vector<float>(3, saturated), std::vector<float>(3, log_half), zero, 0);
  const GuardedMatrix at_zero = first.whole(table());
  RgLruCase second = first;
  second.position = 1;
  const GuardedMatrix at_one = second.whole(table());
  for (std::int64_t c = 0; c < 3; ++c) {
    const float half_x = x[static_cast<std::size_t>(c)] / 2;
    EXPECT_EQ(at_zero(0, c), half_x);
    EXPECT_NEAR(at_one(0, c), 0.866025404 * half_x, 4e-7);
  }
}

TEST_P(RgLru, GivesTheSameBitsForAnyChunksInTime) {
  Random random(5);
  constexpr std::int64_t rows = 37;
  for (const std::int64_t position : {0, 3}) {
    for (const std::int64_t width : {1, 5, 16, 31, 65}) {
      const RgLruCase lru = random_rg_lru(rows, width, position);
      GuardedMatrix end_state = lru.h;
      const GuardedMatrix whole = lru.whole(table(), end_state);
      for (const std::int64_t longest : {1, 2, 3, 12}) {
        GuardedMatrix state = lru.h;
        std::int64_t first = 0;
        for (const std::int64_t count : random.partition(rows, longest)) {
          GuardedMatrix part(count, width);
          lru.run(table(), first, 0, width, state, part);
          for (std::int64_t r = 0; r < count; ++r) {
            ASSERT_TRUE(same_row(part, r, whole, first + r, 0, width))
                << "chunk of " << count << " at " << first;
          }
          first += count;
        }
        ASSERT_TRUE(same(state, end_state));
      }
    }
  }
}

TEST_P(RgLru, GivesTheSameBitsForAnyChannels) {
  Random random(6);
  constexpr std::int64_t width = 90;
  const RgLruCase lru = random_rg_lru(6, width, 2);
  GuardedMatrix end_state = lru.h;
  const GuardedMatrix whole = lru.whole(table(), end_state);
  std::int64_t begin = 0;
  for (const std::int64_t count : random.partition(width, 37)) {
    const std::int64_t end = begin + count;
    GuardedMatrix part(6, width);
    GuardedMatrix state = lru.h;
    lru.run(table(), 0, begin, end, state, part);
    ASSERT_TRUE(part.only_written(begin, end));
    for (std::int64_t r = 0; r < 6; ++r) ASSERT_TRUE(same_row(part, r, whole, r, begin, end));
    ASSERT_TRUE(same_row(state, 0, end_state, 0, begin, end));
    ASSERT_TRUE(same_row(state, 0, lru.h, 0, 0, begin)) << "state of other channels";
    ASSERT_TRUE(same_row(state, 0, lru.h, 0, end, width)) << "state of other channels";
    begin = end;
  }
}

TEST_P(RgLru, MayWriteOverItsInputs) {
  for (const std::int64_t width : {1, 16, 33, 65, 100}) {
    const RgLruCase lru = random_rg_lru(7, width, 0);
    const GuardedMatrix expected = lru.whole(table());
    for (GuardedMatrix RgLruCase::*input :
         {&RgLruCase::x, &RgLruCase::input_gate, &RgLruCase::recurrence_gate}) {
      RgLruCase in_place = lru;
      GuardedMatrix state = lru.h;
      in_place.run(table(), 0, 0, width, state, in_place.*input);
      EXPECT_TRUE(same(in_place.*input, expected));
    }
  }
}

}  // namespace
}  // namespace griffin::test
