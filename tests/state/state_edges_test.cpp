// SPDX-License-Identifier: Apache-2.0
// What is just allowed, one field at a time, and streams that break.
#include <gtest/gtest.h>

#include <istream>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <utility>
#include <vector>

#include "griffin/state/journal.h"
#include "griffin/state/pool.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const Model& model() {
  static const Model m = Model::random(tiny_griffin(8), Dtype::f32, 3);
  return m;
}

StateLayout layout_of(const StateShape& shape) {
  StateLayout layout;
  layout.slots = {shape};
  return layout;
}

TEST(StateEdges, TheChecksumOfALayoutKnowsEveryFieldButTheRowsOfRings) {
  constexpr StateShape shape{
      .held = 8, .rings = 2, .ring_rows = 4, .row_width = 8, .row_type = Dtype::f32, .tried = 3};
  const auto sum_of = [](const StateShape& s) { return layout_of(s).checksum(); };
  const auto changed = [&](auto field, auto value) {
    StateShape other = shape;
    other.*field = value;
    return other;
  };
  const std::uint64_t sum = sum_of(shape);
  EXPECT_NE(sum_of(changed(&StateShape::held, 9)), sum);
  EXPECT_NE(sum_of(changed(&StateShape::rings, 1)), sum);
  EXPECT_NE(sum_of(changed(&StateShape::row_width, 16)), sum);
  EXPECT_NE(sum_of(changed(&StateShape::row_type, Dtype::bf16)), sum);
  EXPECT_NE(sum_of(changed(&StateShape::tried, 4)), sum);
  EXPECT_EQ(sum_of(changed(&StateShape::ring_rows, 5)), sum);
}

TEST(StateEdges, LayersKeepNoNegativeNumbers) {
  for (const auto field : {&StateShape::held, &StateShape::tried, &StateShape::rings,
                           &StateShape::ring_rows, &StateShape::row_width}) {
    StateShape shape;
    shape.*field = -1;
    EXPECT_EQ(code_of([&] { Sequence{layout_of(shape)}; }), ErrorCode::invalid_argument);
  }
}

TEST(StateEdges, ASequenceAssignedToItselfIsWhatItWas) {
  Sequence s = model().new_sequence();
  s.advance(5);
  Sequence& same = s;
  s = std::move(same);
  EXPECT_EQ(s.position(), 5);
  EXPECT_EQ(s.layout(), model().state_layout());
}

TEST(StateEdges, AJournalMayHaveAsManyRowsAsAPass) {
  const StateLayout layout = layout_of({.held = 1, .tried = 1});
  EXPECT_EQ(Journal(layout, most_pass_rows).max_rows(), most_pass_rows);
}

TEST(StateEdges, ACommitOfNothingIsTheOnlyOne) {
  ForwardPass pass = pass_for(model(), kernels::table_at(0), 8);
  Sequence s = model().new_sequence();
  Journal journal(s.layout(), 4);
  pass.try_out(s, random_tokens(model().config(), 4, 1), journal);
  pass.run();
  journal.commit(s, 0);
  EXPECT_EQ(s.position(), 0);
  EXPECT_EQ(code_of([&] { journal.commit(s, 2); }), ErrorCode::invalid_argument);
}

TEST(StateEdges, OnlyAsManyRowsAreCommittedAsWereTried) {
  ForwardPass pass = pass_for(model(), kernels::table_at(0), 8);
  Sequence s = model().new_sequence();
  Journal journal(s.layout(), 8);  // it has room for more
  pass.try_out(s, random_tokens(model().config(), 3, 1), journal);
  pass.run();
  EXPECT_EQ(code_of([&] { journal.commit(s, 4); }), ErrorCode::invalid_argument);
  journal.commit(s, 3);
  EXPECT_EQ(s.position(), 3);
}

TEST(StateEdges, ThePoolRemembersTheMostThatWereLent) {
  SequencePool pool(model().state_layout(), {.sequences = 3});
  {
    const auto first = pool.acquire();
    const auto second = pool.acquire();
  }
  const auto later = pool.acquire();
  EXPECT_EQ(pool.statistics().in_use, 1);
  EXPECT_EQ(pool.statistics().most_in_use, 2);
}

/// A layer of a slot that a sequence has, for Batch::check.
struct Keeper {
  std::int64_t slot = 0;
  StateShape shape;
  StateShape state(const SequenceOptions&) const { return shape; }
};

TEST(StateEdges, ASlotRightAfterTheLastIsNotThere) {
  Sequence s = model().new_sequence();
  const auto slots = static_cast<std::int64_t>(s.layout().slots.size());
  const Slice slice{&s, 0, 1, 0};
  const Batch batch{{&slice, 1}, 1};
  EXPECT_NO_THROW(batch.check(Keeper{slots - 1, s.layout().slots.back()}));
  try {
    batch.check(Keeper{slots, s.layout().slots.back()});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    const std::string expected = "expected a slot below " + std::to_string(slots);
    EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
  }
}

TEST(StateEdges, ASequenceOfAnotherLayoutDoesNotStayInThePool) {
  SequencePool pool(model().state_layout(), {.sequences = 1});
  *pool.acquire() = model().new_sequence({0, Dtype::bf16});
  EXPECT_EQ(pool.acquire()->layout(), model().state_layout());
}

TEST(StateEdges, AsManyUnreadTokensAsThereMayBe) {
  Sequence s = model().new_sequence();
  const std::vector<std::int32_t> unread(std::size_t{1} << 20, 7);
  std::stringstream saved;
  s.save(saved, unread);
  EXPECT_EQ(s.restore(saved), unread);
}

/// Takes or gives some bytes, and then fails as disks do.
class Broken : public std::streambuf {
 protected:
  int_type underflow() override { throw std::runtime_error("the disk is gone"); }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
  int sync() override { return -1; }
};

TEST(StateEdges, AStreamThatCannotBeReadIsNoShortState) {
  Broken buffer;
  std::istream in(&buffer);
  Sequence s = model().new_sequence();
  EXPECT_EQ(code_of([&] { s.restore(in); }), ErrorCode::io);
}

TEST(StateEdges, AStreamThatCannotBeFlushedIsNotWritten) {
  Broken buffer;
  std::ostream out(&buffer);
  const Sequence s = model().new_sequence();
  EXPECT_EQ(code_of([&] { s.save(out); }), ErrorCode::io);
}

}  // namespace
}  // namespace griffin::test
