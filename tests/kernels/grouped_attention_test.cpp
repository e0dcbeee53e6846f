// SPDX-License-Identifier: Apache-2.0
// Attention with several key/value heads: each group of query heads is as it would be alone.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "kernels/attention_case.h"
#include "kernels/guarded_bytes.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

struct Heads {
  std::int64_t all, kv;
};
constexpr Heads heads_of_models[] = {{2, 2}, {4, 2}, {6, 3}, {6, 2}, {8, 4}, {14, 2}, {5, 5}};

std::string text(const AttentionShape& shape) {
  return std::string(name_of(shape.storage)) + ", " + std::to_string(shape.heads) + " heads and " +
         std::to_string(shape.kv_heads) + " key/value heads of " + std::to_string(shape.head_dim) +
         ", rows " + std::to_string(shape.kv_gap) + " apart, window " +
         std::to_string(shape.window);
}

class GroupedAttention : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, GroupedAttention, ::testing::ValuesIn(attention_tables()),
                         table_name);

TEST_P(GroupedAttention, AgreesWithDoublePrecision) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t head_dim : {1, 2, 5, 8, 15, 16, 20, 33, 64}) {
      for (const Heads heads : heads_of_models) {
        for (const std::int64_t gap : {0, 3}) {
          const std::int64_t window = gap == 0 ? global : 65;
          const AttentionShape shape{storage, 140, heads.all, head_dim, window, 140, heads.kv, gap};
          const AttentionCase attention = random_attention(shape);
          const GuardedMatrix y = attention.whole(table());
          const reference::Recurrence expected = attention.expected(table());
          ASSERT_TRUE(close(y, expected.y, expected.budget)) << text(shape);
          ASSERT_TRUE(y.only_written(0, heads.all * head_dim)) << text(shape);
        }
      }
    }
  }
}

/// The case of one key/value head of another, and of the query heads that share it.
AttentionCase group_alone(const AttentionCase& all, std::int64_t group) {
  const AttentionShape& shape = all.shape;
  const std::int64_t width = shape.heads / shape.kv_heads * shape.head_dim;
  AttentionShape of_group = shape;
  of_group.heads = shape.heads / shape.kv_heads;
  of_group.kv_heads = 1;
  of_group.kv_gap = 0;
  AttentionCase alone = random_attention(of_group);
  for (std::int64_t r = 0; r < shape.length; ++r) {
    for (std::int64_t c = 0; c < width; ++c) alone.q(r, c) = all.q(r, group * width + c);
    for (std::int64_t c = 0; c < shape.head_dim; ++c) {
      const auto from = static_cast<std::size_t>(r * shape.kv_width() + group * shape.head_dim + c);
      const auto to = static_cast<std::size_t>(r * shape.head_dim + c);
      alone.keys.set(to, all.keys.values()[from]);
      alone.values.set(to, all.values.values()[from]);
    }
  }
  return alone;
}

TEST_P(GroupedAttention, IsEveryGroupAlone) {
  for (const Dtype storage : all_storages) {
    for (const Heads heads : heads_of_models) {
      for (const std::int64_t window : {std::int64_t{70}, global}) {
        const AttentionShape shape{storage, 200, heads.all, 20, window, 200, heads.kv, 5};
        const AttentionCase attention = random_attention(shape);
        const std::int64_t width = heads.all / heads.kv * shape.head_dim;
        for (const std::int64_t count : {1, 200}) {
          const std::int64_t position = shape.length - count;
          const GuardedMatrix y = attention.chunk(table(), position, count);
          for (std::int64_t group = 0; group < heads.kv; ++group) {
            const AttentionCase alone = group_alone(attention, group);
            const GuardedMatrix expected = alone.chunk(table(), position, count);
            for (std::int64_t r = 0; r < count; ++r) {
              for (std::int64_t c = 0; c < width; ++c) {
                ASSERT_EQ(y(r, group * width + c), expected(r, c)) << text(shape);
              }
            }
          }
        }
      }
    }
  }
}

/// More heads of a group than a tile of queries has room for.
/// More than go together, in tiles of up to 160, too.
TEST_P(GroupedAttention, TakesGroupsOfManyHeads) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t heads : {100, 170}) {
      const AttentionShape shape{storage, 70, 2 * heads, 4, 66, 66, 2};
      const AttentionCase attention = random_attention(shape);
      const reference::Recurrence expected = attention.expected(table());
      EXPECT_TRUE(close(attention.whole(table()), expected.y, expected.budget))
          << name_of(storage) << ", " << heads << " heads";
    }
  }
}

TEST_P(GroupedAttention, WritesOnlyThePartItWasAskedFor) {
  for (const Dtype storage : all_storages) {
    for (const std::int64_t kv_heads : {2, 3, 6}) {
      const AttentionCase attention =
          random_attention({storage, 90, 6, 20, 70, 70, kv_heads, kv_heads});
      for (const std::int64_t position : {0, 13}) {
        const std::int64_t count = attention.shape.length - position;
        const GuardedMatrix whole = attention.chunk(table(), position, count);
        for (const Part part : {Part{0, 1, 0, 6}, Part{3, 70, 1, 5}, Part{5, 77, 2, 3},
                                Part{5, 77, 2, 6}, Part{60, 61, 5, 6}, Part{2, 5, 4, 4}}) {
          GuardedMatrix y(count, whole.cols());
          attention.run(table(), position, part, y);
          GuardedMatrix expected(count, whole.cols());
          for (std::int64_t r = part.row_begin; r < part.row_end; ++r) {
            for (std::int64_t c = part.head_begin * 20; c < part.head_end * 20; ++c) {
              expected(r, c) = whole(r, c);
            }
          }
          ASSERT_TRUE(same(y, expected)) << text(attention.shape) << ", position " << position;
        }
      }
    }
  }
}

TEST_P(GroupedAttention, GivesTheSameBitsForAnyChunks) {
  Random random(42);
  for (const Dtype storage : all_storages) {
    for (const std::int64_t kv_heads : {2, 4}) {
      for (const std::int64_t window : {4, 64, 100}) {
        const std::int64_t length = 2 * window + 35;
        for (const std::int64_t ring_rows : {window, window + 3}) {
          const AttentionCase attention =
              random_attention({storage, length, 4, 20, window, ring_rows, kv_heads});
          const GuardedMatrix whole = attention.whole(table());
          for (const auto& chunks :
               {std::vector<std::int64_t>(static_cast<std::size_t>(length), 1),
                random.partition(length, 5), random.partition(length, window + 2)}) {
            std::int64_t position = 0;
            for (const std::int64_t count : chunks) {
              const GuardedMatrix part = attention.chunk(table(), position, count);
              for (std::int64_t r = 0; r < count; ++r) {
                ASSERT_TRUE(same_row(part, r, whole, position + r, 0, whole.cols()))
                    << text(attention.shape) << ", chunk of " << count << " at " << position;
              }
              position += count;
            }
          }
        }
      }
    }
  }
}

/// All that attention reads and writes, in memory of some kind.
template <class Memory>
struct AttentionMemory {
  Memory q, ring_keys, ring_values, keys, values, y;
};

using Bytes = std::vector<std::byte>;

/// Four query heads of `count` rows after `position` others, all of them seen.
struct Rows {
  Dtype storage;
  std::int64_t head_dim, kv_heads, count;
  static constexpr std::int64_t position = 70;

  AttentionMemory<Bytes> random() const {
    Random random(static_cast<std::uint32_t>(head_dim * 1000 + kv_heads * 100 + count));
    const auto bytes = [&](Dtype dtype, std::int64_t rows, std::int64_t heads) {
      const StoredArray array(dtype, random.normals(rows * heads * head_dim));
      const auto* begin = static_cast<const std::byte*>(array.data());
      return Bytes(begin, begin + array.values().size() * size_of(dtype));
    };
    Bytes q = bytes(Dtype::f32, count, 4);
    return {q,
            bytes(storage, position, kv_heads),
            bytes(storage, position, kv_heads),
            bytes(storage, count, kv_heads),
            bytes(storage, count, kv_heads),
            q};
  }

  kernels::AttentionArgs args(const AttentionMemory<std::byte*>& memory, void* scratch) const {
    return {.q = reinterpret_cast<const float*>(memory.q),
            .q_stride = 4 * head_dim,
            .chunk_keys = memory.keys,
            .chunk_values = memory.values,
            .ring_keys = memory.ring_keys,
            .ring_values = memory.ring_values,
            .kv_stride = kv_heads * head_dim,
            .ring_rows = position,
            .position = position,
            .window = position,
            .scale = 0.25F,
            .y = reinterpret_cast<float*>(memory.y),
            .y_stride = 4 * head_dim,
            .head_dim = head_dim,
            .group = 4 / kv_heads,
            .row_begin = 0,
            .row_end = count,
            .head_begin = 0,
            .head_end = 4,
            .scratch = scratch};
  }
};

/// Everything ends where memory ends; heads of 64 lie on cache lines there, so that keys and values
/// may be used where they lie.
TEST_P(GroupedAttention, StaysWithinItsRows) {
  const auto guarded = [](const Bytes& bytes) { return GuardedBytes(bytes.data(), bytes.size()); };
  for (const Dtype storage : all_storages) {
    for (const std::int64_t head_dim : {7, 64, 256}) {
      const GuardedBytes scratch(static_cast<std::size_t>(table().attention_scratch(head_dim)));
      for (const std::int64_t kv_heads : {1, 2, 4}) {
        for (const std::int64_t count : {1, 2, 130}) {
          const Rows rows{storage, head_dim, kv_heads, count};
          AttentionMemory<Bytes> plain = rows.random();
          const AttentionMemory<GuardedBytes> edge{
              guarded(plain.q),    guarded(plain.ring_keys), guarded(plain.ring_values),
              guarded(plain.keys), guarded(plain.values),    guarded(plain.y)};
          const auto run = [&](auto& memory) {
            table().attention[index_of(storage)](
                rows.args({memory.q.data(), memory.ring_keys.data(), memory.ring_values.data(),
                           memory.keys.data(), memory.values.data(), memory.y.data()},
                          scratch.data()));
          };
          run(edge);
          run(plain);
          EXPECT_EQ(std::memcmp(plain.y.data(), edge.y.data(), plain.y.size()), 0)
              << name_of(storage) << ", " << kv_heads << " of " << head_dim << ", " << count
              << " rows";
        }
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
