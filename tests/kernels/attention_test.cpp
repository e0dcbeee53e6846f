// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention_case.h"

#include <gtest/gtest.h>

#include "support/isa.h"

namespace griffin::test {
namespace {

class Attention : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, Attention, ::testing::ValuesIn(attention_tables()), table_name);

TEST_P(Attention, AgreesWithDoublePrecision) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t head_dim :
         {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 80, 256}) {
      for (const std::int64_t heads : {1, 2, 3, 4, 5, 9, 10}) {
        if (head_dim > 64 && heads > 4) continue;
        const AttentionCase attention =
            random_attention({storage, 75, heads, head_dim, global, 80});
        const GuardedMatrix y = attention.whole(table());
        const reference::Recurrence expected = attention.expected(table());
        ASSERT_TRUE(close(y, expected.y, expected.budget))
            << name_of(storage) << ", " << heads << " heads of " << head_dim;
        ASSERT_TRUE(y.only_written(0, heads * head_dim));
      }
    }
  }
}

TEST_P(Attention, AgreesWithDoublePrecisionOnAWindow) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t window : {0, 1, 3, 4, 8, 63, 64, 65, 100}) {
      const AttentionCase attention =
          random_attention({storage, 3 * window + 5, 3, 20, window, window});
      const reference::Recurrence expected = attention.expected(table());
      ASSERT_TRUE(close(attention.whole(table()), expected.y, expected.budget))
          << name_of(storage) << ", window " << window;
    }
  }
}

/// Scores of hundreds, so that all weight falls on one key and the running maximum jumps.
TEST_P(Attention, SurvivesLargeScores) {
  for (const Dtype storage : all_storages) {
    AttentionCase attention = random_attention({storage, 200, 2, 16, 150, 150});
    for (const float scale : {20.0F, 200.0F}) {
      attention.scale = scale;
      const reference::Recurrence expected = attention.expected(table());
      EXPECT_TRUE(close(attention.whole(table()), expected.y, expected.budget))
          << name_of(storage) << ", " << scale;
    }
  }
}

TEST_P(Attention, WritesOnlyThePartItWasAskedFor) {
  for (const Dtype storage : all_storages) {
    const AttentionCase attention = random_attention({storage, 30, 7, 20, 8, 8});
    for (const std::int64_t position : {0, 13}) {
      const std::int64_t count = attention.shape.length - position;
      const GuardedMatrix whole = attention.chunk(table(), position, count);
      for (const Part part : {Part{0, 1, 0, 7}, Part{3, 9, 2, 3}, Part{5, 17, 1, 6},
                              Part{16, 17, 6, 7}, Part{2, 2, 0, 7}, Part{2, 5, 4, 4}}) {
        GuardedMatrix y(count, whole.cols());
        attention.run(table(), position, part, y);
        GuardedMatrix expected(count, whole.cols());
        for (std::int64_t r = part.row_begin; r < part.row_end; ++r) {
          for (std::int64_t c = part.head_begin * 20; c < part.head_end * 20; ++c) {
            expected(r, c) = whole(r, c);
          }
        }
        ASSERT_TRUE(same(y, expected)) << name_of(storage) << ", position " << position;
      }
    }
  }
}

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

/// A row's answer may not depend on keys it does not see, be they NaN.
TEST_P(Attention, IgnoresTheFuture) {
  for (const Dtype storage : all_storages) {
    const AttentionCase clean = random_attention({storage, 40, 2, 16, 10, 10});
    const GuardedMatrix expected = clean.whole(table());
    AttentionCase spoilt = clean;
    for (std::size_t i = 25 * 16; i < 40 * 16; ++i) {
      spoilt.keys.set(i, nan);
      spoilt.values.set(i, nan);
    }
    const GuardedMatrix y = spoilt.whole(table());
    for (std::int64_t r = 0; r < 25; ++r) {
      EXPECT_TRUE(same_row(y, r, expected, r, 0, 32)) << name_of(storage);
    }
  }
}

/// Nor may that of a row that no longer sees them; and of a row that does, only where a value was
/// no number, but for a key, which spoils all.
TEST_P(Attention, KeepsWhatIsNotFiniteWhereItIsSeen) {
  constexpr std::int64_t head_dim = 37;
  for (const Dtype storage : all_storages) {
    for (const std::int64_t window : {5, 64, 90}) {
      const AttentionCase clean = random_attention({storage, 220, 3, head_dim, window, window});
      const GuardedMatrix expected = clean.whole(table());
      for (const std::int64_t place : {3, 64, 101, 130}) {
        for (const float value : {nan, infinity, -infinity}) {
          AttentionCase spoilt = clean;
          for (const std::int64_t c : {1, 32, 36}) {
            spoilt.values.set(static_cast<std::size_t>(place * head_dim + c), value);
          }
          const GuardedMatrix y = spoilt.whole(table());
          for (std::int64_t r = 0; r < y.rows(); ++r) {
            const bool seen = place <= r && r <= place + window;
            for (std::int64_t c = 0; c < y.cols(); ++c) {
              const std::int64_t i = c % head_dim;
              const bool spoils = seen && (i == 1 || i == 32 || i == 36);
              if (!spoils) {
                ASSERT_TRUE(same_row(y, r, expected, r, c, c + 1)) << name_of(storage);
              } else if (std::isnan(value)) {
                ASSERT_TRUE(std::isnan(y(r, c))) << name_of(storage) << ", row " << r;
              } else {
                ASSERT_EQ(y(r, c), value) << name_of(storage) << ", row " << r;
              }
            }
          }
        }
      }
    }
  }
}

TEST_P(Attention, IsNoNumberWhereAKeyIsNone) {
  for (const Dtype storage : all_storages) {
    const AttentionCase clean = random_attention({storage, 220, 3, 37, 70, 70});
    const GuardedMatrix expected = clean.whole(table());
    for (const std::int64_t place : {3, 64, 130}) {
      AttentionCase spoilt = clean;
      spoilt.keys.set(static_cast<std::size_t>(place * 37 + 36), nan);
      const GuardedMatrix y = spoilt.whole(table());
      for (std::int64_t r = 0; r < y.rows(); ++r) {
        if (place <= r && r <= place + 70) {
          for (std::int64_t c = 0; c < y.cols(); ++c) ASSERT_TRUE(std::isnan(y(r, c)));
        } else {
          ASSERT_TRUE(same_row(y, r, expected, r, 0, y.cols())) << name_of(storage);
        }
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
