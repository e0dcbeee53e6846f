// SPDX-License-Identifier: Apache-2.0
// States exactly at what a sequence, a file, a journal or a pool may hold, and one beyond.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/state/journal.h"
#include "griffin/state/pool.h"
#include "griffin/state/rewind.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// A layer that holds five numbers, and one with two rings of three rows.
StateLayout small_layout() {
  StateLayout layout;
  layout.slots = {{.held = 5, .tried = 1}, {.rings = 2, .ring_rows = 3, .row_width = 4}};
  layout.model = 7;
  return layout;
}

class StateLimits : public ::testing::Test {
 protected:
  Sequence at(std::int64_t position, std::int64_t capacity) {
    Sequence s = model_.new_sequence({.capacity = capacity});
    run_at_once(pass_, s, random_tokens(model_.config(), position, 1));
    return s;
  }
  ErrorCode code_of_a_token_more(Sequence& s) {
    return code_of([&] { pass_.add(s, random_tokens(model_.config(), 1, 2)); });
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::f32, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), 32);
};

TEST_F(StateLimits, AStateFitsASequenceOfExactlyItsLength) {
  Sequence from = at(20, 30);
  std::stringstream file;
  from.save(file);
  const Snapshot snapshot = from.snapshot();

  Sequence restored = model_.new_sequence({.capacity = 20});
  restored.restore(file);
  Sequence back = model_.new_sequence({.capacity = 20});
  back.rollback(snapshot);
  for (Sequence* s : {&restored, &back}) {
    EXPECT_EQ(s->position(), 20);
    EXPECT_EQ(state_of(*s), state_of(from));
    EXPECT_EQ(code_of_a_token_more(*s), ErrorCode::capacity);
  }

  Sequence small = model_.new_sequence({.capacity = 19});
  std::stringstream again(file.str());
  EXPECT_EQ(code_of([&] { small.restore(again); }), ErrorCode::capacity);
  EXPECT_EQ(code_of([&] { small.rollback(snapshot); }), ErrorCode::capacity);
  EXPECT_EQ(small.position(), 0);
}

TEST_F(StateLimits, AdvanceGoesToTheCapacityAndNoFurther) {
  Sequence s = model_.new_sequence({.capacity = 12});
  EXPECT_EQ(code_of([&] { s.advance(13); }), ErrorCode::invalid_argument);
  s.advance(5);
  EXPECT_EQ(code_of([&] { s.advance(8); }), ErrorCode::invalid_argument);
  s.advance(7);
  EXPECT_EQ(s.position(), 12);
  EXPECT_EQ(code_of([&] { s.advance(1); }), ErrorCode::invalid_argument);
  s.advance(0);
  Sequence endless = model_.new_sequence();
  endless.advance(furthest_position);
  EXPECT_EQ(code_of([&] { endless.advance(1); }), ErrorCode::invalid_argument);
}

/// A window that one of two rings holds and the other does not: of as many rows as were used,
/// either will do; of more, they have forgotten different ones.
TEST_F(StateLimits, SnapshotsFitRingsThatHoldAsMuch) {
  StateLayout three = small_layout();
  StateLayout four = three;
  four.slots[1].ring_rows = 4;
  for (const std::int64_t position : {1, 3, 4}) {
    Sequence from(three);
    from.advance(position);
    Sequence to(four);
    if (position <= 3) {
      to.rollback(from.snapshot());
      EXPECT_EQ(to.position(), position);
    } else {
      EXPECT_EQ(code_of([&] { to.rollback(from.snapshot()); }), ErrorCode::mismatch);
    }
  }
}

TEST_F(StateLimits, AsManyUnreadTokensAsAFileMayHold) {
  const Sequence s = at(3, 30);
  std::vector<std::int32_t> unread(std::size_t{1} << 20U);
  for (std::size_t i = 0; i < unread.size(); ++i) unread[i] = static_cast<std::int32_t>(i % 97);
  std::stringstream file;
  s.save(file, unread);
  Sequence restored = model_.new_sequence();
  EXPECT_EQ(restored.restore(file), unread);
  unread.push_back(1);
  EXPECT_EQ(code_of([&] { s.save(file, unread); }), ErrorCode::invalid_argument);
}

TEST_F(StateLimits, JournalsAndRewindsOfAsManyRowsAsAPass) {
  StateLayout tiny;
  tiny.slots = {{.held = 1, .tried = 1}};
  EXPECT_EQ(Journal(tiny, most_pass_rows).max_rows(), most_pass_rows);
  EXPECT_EQ(Rewind(tiny, most_pass_rows).max_steps(), most_pass_rows);
  EXPECT_EQ(code_of([&] { Journal(tiny, most_pass_rows + 1); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { Rewind(tiny, most_pass_rows + 1); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { Rewind(tiny, 0); }), ErrorCode::invalid_argument);
}

/// Sizes whose products no machine has the memory for are refused before they overflow.
TEST_F(StateLimits, JournalsAndRewindsOfAbsurdRows) {
  StateLayout wide;
  wide.slots = {{.held = 1, .tried = (std::int64_t{1} << 30)}};
  EXPECT_EQ(code_of([&] { Journal(wide, most_pass_rows); }), ErrorCode::invalid_argument);
  wide.slots = {{.held = std::int64_t{1} << 40, .tried = 1}};
  EXPECT_EQ(code_of([&] { Rewind(wide, most_pass_rows); }), ErrorCode::capacity);
}

/// A step of a rewind is what layers hold, on cache lines, and a row of every ring.
TEST_F(StateLimits, RewindsTakeWhatTheirStepsDo) {
  EXPECT_EQ(Rewind(small_layout(), 10).bytes(), 10 * (64 + 2 * 4 * sizeof(float)));
  StateLayout empty = small_layout();
  empty.slots[1].ring_rows = 0;
  EXPECT_EQ(Rewind(empty, 10).bytes(), 10 * 64U);
}

TEST(StateLayoutChecksum, EveryNumberCounts) {
  const StateLayout before = small_layout();
  const std::function<void(StateLayout&)> changes[] = {
      [](StateLayout& l) { l.kv = Dtype::bf16; },
      [](StateLayout& l) { l.slots[0].held += 1; },
      [](StateLayout& l) { l.slots[0].tried += 1; },
      [](StateLayout& l) { l.slots[1].rings += 1; },
      [](StateLayout& l) { l.slots[1].row_width += 1; },
      [](StateLayout& l) { l.slots[1].row_type = Dtype::bf16; },
      [](StateLayout& l) { l.slots.pop_back(); },
  };
  for (const auto& change : changes) {
    StateLayout changed = before;
    change(changed);
    const std::ptrdiff_t number = &change - changes;
    EXPECT_NE(changed.checksum(), before.checksum()) << number;
    EXPECT_FALSE(changed.is_like(before)) << number;
    EXPECT_FALSE(before.is_like(changed)) << number;
  }
  StateLayout other_ring = before;
  other_ring.slots[1].ring_rows += 1;
  EXPECT_EQ(other_ring.checksum(), before.checksum()) << "rows are kept by their age";
  EXPECT_TRUE(other_ring.is_like(before));
  StateLayout other_model = before;
  other_model.model += 1;
  EXPECT_FALSE(other_model.is_like(before));
}

/// The body of a file, number by number: what layers hold, padded to a cache line, and the rows of
/// one ring after the other, the oldest first. Files of version 3 are to be read for ever.
TEST(StateFileFormat, RowsAreKeptByTheirAge) {
  Sequence s(small_layout());
  for (std::size_t i = 0; i < 5; ++i) s.state(0).held[i] = static_cast<float>(i);
  for (std::int64_t token = 0; token < 5; ++token) {
    for (const std::int64_t ring : {0, 1}) {
      const std::vector<float> row(4, static_cast<float>(100 * ring + token));
      s.append(1, ring, reinterpret_cast<const std::byte*>(row.data()), 1);
    }
    s.advance(1);
  }
  std::ostringstream out;
  s.save(out, std::vector<std::int32_t>{42});

  std::vector<float> numbers = {0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (const float row : {2.0F, 3.0F, 4.0F, 102.0F, 103.0F, 104.0F}) {
    numbers.insert(numbers.end(), 4, row);
  }
  std::string expected(4 + numbers.size() * sizeof(float), '\0');
  expected[0] = 42;
  std::memcpy(expected.data() + 4, numbers.data(), numbers.size() * sizeof(float));
  const std::string file = out.str();
  ASSERT_EQ(file.size(), 72 + expected.size());
  EXPECT_EQ(file.substr(0, 8), "GRIFSTAT");
  EXPECT_EQ(file[8], 3) << "the version";
  EXPECT_TRUE(file.substr(72) == expected);
}

/// A layer without parameters whose rows become part of no state.
struct Forgetful {
  std::int64_t slot = 0;
  void commit(const LayerState&, std::int64_t, ConstMatrixView) const noexcept {}
};

TEST(JournalLimits, LayersAreEntrustedForOnePass) {
  Sequence sequence(small_layout());
  Journal journal(small_layout(), 4);
  const Forgetful layer;
  journal.begin(sequence, 1);
  journal.entrust(layer);
  journal.commit(sequence, 1);
  journal.begin(sequence, 1);
  EXPECT_EQ(code_of([&] { journal.commit(sequence, 1); }), ErrorCode::invalid_argument);
  EXPECT_EQ(sequence.position(), 1);
}

TEST(SequencePoolLimits, OneThatComesBackWithTheSameShapesButAnotherCapacityIsMadeAnew) {
  StateLayout layout = small_layout();
  layout.capacity = 10;
  SequencePool pool(layout, {.sequences = 1});
  StateLayout smaller = layout;
  smaller.capacity = 5;
  { *pool.acquire() = Sequence(smaller); }
  EXPECT_EQ(pool.acquire()->layout(), layout);
  EXPECT_EQ(pool.statistics().sequences, 1);
}

TEST(SequencePoolLimits, AsManyAsOneMayAskFor) {
  const StateLayout layout = small_layout();
  constexpr std::int64_t most = 1 << 20;
  const PoolOptions fits{.sequences = most, .bytes = 3 * layout.bytes()};
  EXPECT_EQ(SequencePool(layout, fits).statistics().sequences, 3);
  const PoolOptions beyond{.sequences = most + 1, .bytes = 3 * layout.bytes()};
  EXPECT_EQ(code_of([&] { SequencePool(layout, beyond); }), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace griffin::test
