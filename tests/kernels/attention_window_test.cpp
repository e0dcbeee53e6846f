// SPDX-License-Identifier: Apache-2.0
// What a token sees, and that it sees the same however the sequence is cut into chunks.
#include <gtest/gtest.h>

#include <string>

#include "kernels/attention_case.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

class AttentionWindow : public IsaTest {
 protected:
  static void expect_chunks_like_whole(const AttentionCase& attention, const GuardedMatrix& whole,
                                       const std::vector<std::int64_t>& chunks) {
    std::int64_t position = 0;
    for (const std::int64_t count : chunks) {
      const GuardedMatrix part = attention.chunk(table(), position, count);
      for (std::int64_t r = 0; r < count; ++r) {
        ASSERT_TRUE(same_row(part, r, whole, position + r, 0, whole.cols()))
            << name_of(attention.shape.storage) << ", window " << attention.shape.window
            << ", ring of " << attention.shape.ring_rows << ", chunk of " << count << " at "
            << position;
      }
      position += count;
    }
  }

  /// Chunks of `count`, the last one shorter.
  static std::vector<std::int64_t> equal_chunks(std::int64_t length, std::int64_t count) {
    std::vector<std::int64_t> chunks;
    for (; length > 0; length -= chunks.back()) chunks.push_back(std::min(length, count));
    return chunks;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, AttentionWindow, ::testing::ValuesIn(attention_tables()), table_name);

/// With queries of zero a row is the mean of the values it sees. Let one value be 1, all others 0:
/// a row is 1 / (keys it sees) if it sees that one, and 0 if not.
TEST_P(AttentionWindow, IsTheTokenItselfAndTheWindowBeforeIt) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t window : {0, 1, 3, 4, 8, 64, 100}) {
      const std::int64_t length = 3 * window + 5;
      AttentionCase attention = random_attention({storage, length, 1, 4, window, window});
      attention.q =
          GuardedMatrix(length, 4, std::vector<float>(static_cast<std::size_t>(length * 4)));
      const auto set_value = [&](std::int64_t position, float value) {
        attention.values.set(static_cast<std::size_t>(position * 4), value);
      };
      for (std::int64_t p = 0; p < length; ++p) set_value(p, 0);
      for (const std::int64_t seen : {std::int64_t{0}, std::int64_t{1}, window, window + 1}) {
        set_value(seen, 1);
        const GuardedMatrix y = attention.whole(table());
        for (std::int64_t p = 0; p < length; ++p) {
          const double visible = static_cast<double>(std::min(p, window) + 1);
          const double expected = seen <= p && p <= seen + window ? 1 / visible : 0;
          ASSERT_NEAR(y(p, 0), expected, 2 * reference::unit_roundoff * expected)
              << "token " << p << " looking at " << seen << ", window " << window;
        }
        set_value(seen, 0);
      }
    }
  }
}

TEST_P(AttentionWindow, OfNoTokensIsTheTokenItself) {
  for (const Dtype storage : all_storages) {
    const AttentionCase attention = random_attention({storage, 9, 2, 8, 0, 0});
    for (const std::int64_t count : {1, 4, 9}) {
      const GuardedMatrix y = attention.chunk(table(), 0, count);
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t c = 0; c < 16; ++c) {
          EXPECT_EQ(y(r, c), attention.values.values()[static_cast<std::size_t>(r * 8 + c % 8)]);
        }
      }
    }
  }
}

TEST_P(AttentionWindow, GivesTheSameBitsForAnyChunks) {
  Random random(40);
  for (const std::int64_t window : {1, 3, 4, 8, 64, 100}) {
    const std::int64_t length = 3 * window + 5;
    for (const Dtype storage : all_storages) {
      for (const std::int64_t ring_rows : {window, window + 3, length}) {
        const AttentionCase attention =
            random_attention({storage, length, 5, 20, window, ring_rows});
        const GuardedMatrix whole = attention.whole(table());
        for (const std::int64_t count : {std::int64_t{1}, std::int64_t{2}, std::int64_t{3},
                                         std::int64_t{7}, window, window + 1, 2 * window + 1}) {
          expect_chunks_like_whole(attention, whole, equal_chunks(length, count));
        }
        expect_chunks_like_whole(attention, whole, random.partition(length, 5));
        expect_chunks_like_whole(attention, whole, random.partition(length, window + 2));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(AttentionWindow, GivesTheSameBitsForAnyChunksWithoutAWindow) {
  Random random(41);
  for (const Dtype storage : all_storages) {
    for (const std::int64_t length : {5, 64, 65, 150}) {
      const AttentionCase attention =
          random_attention({storage, length, 6, 16, global, length + 2});
      const GuardedMatrix whole = attention.whole(table());
      for (const std::int64_t count : {1, 2, 3, 64}) {
        expect_chunks_like_whole(attention, whole, equal_chunks(length, count));
      }
      expect_chunks_like_whole(attention, whole, random.partition(length, 40));
      if (HasFatalFailure()) return;
    }
  }
}

/// A ring need not hold more than there is before the chunk.
TEST_P(AttentionWindow, TakesARingAsShortAsThePast) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t position : {0, 1, 5, 12}) {
      AttentionCase attention = random_attention({storage, 20, 2, 16, 12, 20});
      const GuardedMatrix whole = attention.whole(table());
      attention.shape.ring_rows = position;
      const GuardedMatrix part = attention.chunk(table(), position, 20 - position);
      for (std::int64_t r = 0; r < part.rows(); ++r) {
        EXPECT_TRUE(same_row(part, r, whole, position + r, 0, 32)) << "position " << position;
      }
    }
  }
}

/// A later position in the same place of the window is other blocks, but the same mathematics.
TEST_P(AttentionWindow, WorksFarFromTheStart) {
  constexpr std::int64_t window = 40;
  for (const Dtype storage : all_storages) {
    const AttentionCase near = random_attention({storage, 60, 2, 16, window, window});
    const reference::Recurrence expected = near.expected(table());
    for (const std::int64_t offset :
         {std::int64_t{40}, std::int64_t{1000000}, std::int64_t{1} << 40}) {
      // the last 20 rows after `window` keys, moved by `offset`
      StoredArray ring_keys(storage, window * 16);
      StoredArray ring_values(storage, window * 16);
      for (std::int64_t p = 0; p < window * 16; ++p) {
        const std::int64_t row = (p / 16 + offset) % window;
        const auto to = static_cast<std::size_t>(row * 16 + p % 16);
        ring_keys.set(to, near.keys.values()[static_cast<std::size_t>(p)]);
        ring_values.set(to, near.values.values()[static_cast<std::size_t>(p)]);
      }
      GuardedMatrix y(20, 32);
      Buffer scratch(static_cast<std::size_t>(table().attention_scratch(16)));
      table().attention[index_of(storage)]({.q = near.q.row(window),
                                            .q_stride = near.q.stride(),
                                            .chunk_keys = near.keys.at(window * 16),
                                            .chunk_values = near.values.at(window * 16),
                                            .ring_keys = ring_keys.data(),
                                            .ring_values = ring_values.data(),
                                            .kv_stride = 16,
                                            .ring_rows = window,
                                            .position = window + offset,
                                            .window = window,
                                            .scale = near.scale,
                                            .y = y.row(0),
                                            .y_stride = y.stride(),
                                            .head_dim = 16,
                                            .group = 2,
                                            .row_begin = 0,
                                            .row_end = 20,
                                            .head_begin = 0,
                                            .head_end = 2,
                                            .scratch = scratch.data()});
      EXPECT_TRUE(close(y, expected.y.bottomRows(20), expected.budget.bottomRows(20)))
          << name_of(storage) << ", " << offset;
    }
  }
}

}  // namespace
}  // namespace griffin::test
