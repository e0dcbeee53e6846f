// SPDX-License-Identifier: Apache-2.0
// Tokens run one by one and taken back: the sequence is as if they had never been run.
#include "griffin/state/rewind.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/random_data.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr std::int64_t most = 12;  // steps, more than the smallest rings have rows
constexpr std::int64_t length = 60;

class RewindTest : public IsaTest {};

std::string saved(const Sequence& s) {
  std::ostringstream out;
  s.save(out);
  return out.str();
}

std::vector<float> step(ForwardPass& pass, Rewind& rewind, Sequence& s, std::int32_t token) {
  rewind.note(s);
  return run_at_once(pass, s, {&token, 1});
}

/// What a sequence that never goes back was at every position, and what follows there.
struct Plain {
  Plain(ForwardPass& pass, Sequence s, Tokens text, std::int64_t steps) {
    for (std::int64_t i = 0; i <= steps; ++i) {
      const auto at = static_cast<std::size_t>(s.position());
      states.push_back(saved(s));
      Sequence on = s.fork();
      next.push_back(run_at_once(pass, on, text.subspan(at, 5)));
      if (i < steps) run_at_once(pass, s, text.subspan(at, 1));
    }
  }
  std::vector<std::string> states;
  std::vector<std::vector<float>> next;
};

/// From `start` on: part of the text, wrong tokens up to the end, back to where they begin, on with
/// the text, and back to the start.
void check_all_ways_back(const kernels::Table& table, const Model& model, Dtype kv, int threads,
                         std::int64_t start) {
  const auto text = random_tokens(model.config(), length, 5);
  const auto wrong = random_tokens(model.config(), length, 6);
  const Tokens all = text;
  ForwardPass pass = pass_for(model, table, length, threads);
  Sequence s = model.new_sequence({capacity_for(model.config(), length), kv});
  if (start > 0) run_at_once(pass, s, all.first(static_cast<std::size_t>(start)));
  const Plain plain(pass, s.fork(), all, most);
  Rewind rewind(s.layout(), most);
  for (std::int64_t kept = 0; kept <= most; ++kept) {
    SCOPED_TRACE("start " + std::to_string(start) + ", kept " + std::to_string(kept));
    for (std::int64_t i = 0; i < most; ++i) {
      const auto at = static_cast<std::size_t>(start + i);
      step(pass, rewind, s, i < kept ? text[at] : wrong[at]);
    }
    const auto n = static_cast<std::size_t>(kept);
    rewind.back(s, start + kept);
    EXPECT_EQ(s.position(), start + kept);
    EXPECT_EQ(rewind.steps(), kept);
    EXPECT_EQ(saved(s), plain.states[n]);
    Sequence on = s.fork();
    EXPECT_EQ(run_at_once(pass, on, all.subspan(static_cast<std::size_t>(start) + n, 5)),
              plain.next[n]);
    rewind.back(s, start);
    EXPECT_EQ(saved(s), plain.states[0]);
  }
}

TEST_P(RewindTest, LeadsBackToEveryStep) {
  for (const NamedConfig& named : tiny_models()) {
    const Model model = Model::random(named.config, Dtype::bf16, 4);
    for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(std::string(named.name) + ", " + name_of(kv) + ", " + std::to_string(threads));
        for (const std::int64_t start : {0, 1, 7, 8, 9, 40}) {
          check_all_ways_back(table(), model, kv, threads, start);
        }
        if (HasFailure()) return;
      }
    }
  }
}

/// Rings of a few rows, which the steps go round several times.
TEST_P(RewindTest, LeadsBackRoundSmallRings) {
  for (const std::int64_t window : {1, 2, 3, 5}) {
    for (const std::int64_t kv_heads : {1, 2, 4}) {
      SCOPED_TRACE(std::to_string(window) + ", " + std::to_string(kv_heads) + " kv heads");
      const Model model = Model::random(tiny_grouped(window, kv_heads), Dtype::f32, 4);
      for (const std::int64_t start : {0, 1, 2, 5, 20}) {
        check_all_ways_back(table(), model, Dtype::bf16, 1, start);
      }
      if (HasFailure()) return;
    }
  }
}

/// On and back at random: every state is the one that was there before, and the last is that of a
/// sequence that ran what is left of the tokens.
TEST_P(RewindTest, LeadsOnAndBackAgain) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 7);
    ForwardPass pass = pass_for(model, table(), length);
    Sequence s = model.new_sequence({capacity_for(model.config(), length), Dtype::f32});
    Sequence plain = s.fork();
    Rewind rewind(s.layout(), most);
    Random random(8);
    std::vector<std::int32_t> text;
    std::vector<std::string> states = {saved(s)};
    const auto position = [&] { return static_cast<std::int64_t>(text.size()); };
    while (position() < length - 1) {
      if (rewind.steps() == most || random.integer(0, 30) == 0) rewind.forget();
      if (rewind.steps() > 0 && random.integer(0, 3) == 0) {
        const std::int64_t to = position() - random.integer(0, rewind.steps());
        rewind.back(s, to);
        text.resize(static_cast<std::size_t>(to));
        states.resize(text.size() + 1);
      } else {
        text.push_back(static_cast<std::int32_t>(random.integer(0, model.config().vocab - 1)));
        step(pass, rewind, s, text.back());
        states.push_back(saved(s));
      }
      ASSERT_EQ(s.position(), position());
      ASSERT_EQ(saved(s), states.back()) << "position " << position();
    }
    run_at_once(pass, plain, text);
    EXPECT_EQ(saved(s), saved(plain));
    EXPECT_EQ(run_at_once(pass, s, {text.data(), 1}), run_at_once(pass, plain, {text.data(), 1}));
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, RewindTest, ::testing::ValuesIn(all_tables()), table_name);

/// Everything that layers may keep: much, nothing, odd sizes, a single row.
TEST(Rewind, KnowsOnlyTheLayout) {
  StateLayout layout;
  layout.slots = {{.held = 3},
                  {},
                  {.rings = 3, .ring_rows = 1, .row_width = 5, .row_type = Dtype::bf16},
                  {.held = 17, .rings = 1, .ring_rows = 4, .row_width = 7},
                  {.rings = 2, .ring_rows = 0, .row_width = 9}};
  Sequence s(layout);
  Random random(1);
  std::vector<float> row(16);
  const auto run = [&] {
    for (std::size_t slot = 0; slot < layout.slots.size(); ++slot) {
      const auto number = static_cast<std::int64_t>(slot);
      for (float& h : s.state(number).held) h = random.normal();
      if (layout.slots[slot].ring_rows == 0) continue;
      for (std::int64_t ring = 0; ring < layout.slots[slot].rings; ++ring) {
        for (float& x : row) x = random.normal();
        s.append(number, ring, reinterpret_cast<const std::byte*>(row.data()), 1);
      }
    }
    s.advance(1);
  };
  Rewind rewind(layout, 30);
  EXPECT_EQ(rewind.bytes(), 30U * (64 + 3 * 10 + 128 + 28));
  std::vector<std::string> states;
  for (int i = 0; i < 30; ++i) {
    states.push_back(saved(s));
    rewind.note(s);
    run();
  }
  for (const std::int64_t to : {29, 28, 20, 5, 4, 3, 1, 0}) {
    rewind.back(s, to);
    EXPECT_EQ(saved(s), states[static_cast<std::size_t>(to)]) << to;
  }
  Sequence none{StateLayout{}};
  Rewind of_nothing(StateLayout{}, 2);
  of_nothing.note(none);
  none.advance(1);
  of_nothing.back(none, 0);
  EXPECT_EQ(none.position(), 0);
}

class RewindMisuse : public ::testing::Test {
 protected:
  static void expect_refusal(ErrorCode code, const std::function<void()>& f) {
    try {
      f();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_EQ(std::string(error.what()).rfind("rewind: ", 0), 0U) << error.what();
    }
  }
  static void expect_refusal(const std::function<void()>& f) {
    expect_refusal(ErrorCode::invalid_argument, f);
  }
  /// A sequence of `count` tokens.
  Sequence sequence(std::int64_t count, std::uint32_t seed = 1) {
    Sequence s = model_.new_sequence();
    run_at_once(pass_, s, random_tokens(model_.config(), count, seed));
    return s;
  }
  void run(Sequence& s, std::int64_t count = 1) {
    run_at_once(pass_, s, random_tokens(model_.config(), count, 9));
  }

  Model model_ = Model::random(tiny_griffin(8), Dtype::f32, 4);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), 32);
};

TEST_F(RewindMisuse, RoomForNoStepsOrTooManyIsRefused) {
  const StateLayout layout = model_.state_layout();
  for (const std::int64_t steps :
       {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, std::int64_t{(1 << 20) + 1}, INT64_MAX}) {
    expect_refusal([&] { Rewind(layout, steps); });
  }
  StateLayout huge;
  huge.slots = {{.rings = 1, .ring_rows = 1, .row_width = std::int64_t{1} << 46}};
  expect_refusal(ErrorCode::capacity, [&] { Rewind(huge, 1 << 20); });
  huge.slots[0].row_width = -1;
  EXPECT_THROW(Rewind(huge, 1), Error);
}

TEST_F(RewindMisuse, StepsHaveToFollowOneAnother) {
  Sequence s = sequence(10);
  Sequence other = sequence(11);
  const std::string before = saved(s);
  Rewind rewind(s.layout(), 3);
  expect_refusal([&] { rewind.back(s, 10); });  // nothing was noted
  rewind.note(s);
  expect_refusal([&] { rewind.note(s); });  // nothing was run
  run(s);
  expect_refusal([&] { rewind.note(other); });
  expect_refusal([&] { rewind.back(other, 10); });
  for (const std::int64_t position : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, std::int64_t{9},
                                      std::int64_t{12}, INT64_MAX}) {
    expect_refusal([&] { rewind.back(s, position); });
  }
  for (int i = 0; i < 2; ++i) {
    rewind.note(s);
    run(s);
  }
  const std::string last = saved(s);
  expect_refusal(ErrorCode::capacity, [&] { rewind.note(s); });
  EXPECT_EQ(saved(s), last);
  EXPECT_EQ(rewind.steps(), 3);
  rewind.back(s, 13);
  EXPECT_EQ(saved(s), last);
  rewind.back(s, 10);  // no refusal changed anything
  EXPECT_EQ(saved(s), before);
  rewind.back(s, 10);  // it is there
  rewind.note(other);  // and no step is left
  rewind.forget();
  expect_refusal([&] { rewind.back(other, 11); });
}

/// A step whose pass was not run can be taken back, and those before it.
TEST_F(RewindMisuse, AStepMayRemainToBeRun) {
  Sequence s = sequence(10);
  std::vector<std::string> states = {saved(s)};
  Rewind rewind(s.layout(), 3);
  rewind.note(s);
  run(s);
  states.push_back(saved(s));
  rewind.note(s);
  const std::uint64_t changes = s.changes();
  rewind.back(s, 11);
  EXPECT_EQ(s.changes(), changes);
  EXPECT_EQ(rewind.steps(), 1);
  EXPECT_EQ(saved(s), states[1]);
  rewind.note(s);
  rewind.back(s, 10);
  EXPECT_EQ(saved(s), states[0]);
  EXPECT_NE(s.changes(), changes);
}

TEST_F(RewindMisuse, OtherLayoutsAreRefused) {
  Rewind rewind(model_.state_layout(), 3);
  const Sequence bf16 = model_.new_sequence({0, Dtype::bf16});
  const Sequence limited = model_.new_sequence({100, Dtype::f32});
  const Model other_model = Model::random(tiny_griffin(8), Dtype::f32, 5);
  const Sequence other = other_model.new_sequence();
  for (const Sequence* s : {&bf16, &limited, &other}) expect_refusal([&] { rewind.note(*s); });
  Sequence none{StateLayout{}};
  const Sequence taken = std::move(none);
  Rewind of_nothing(StateLayout{}, 3);
  expect_refusal([&] { of_nothing.note(none); });
  EXPECT_EQ(rewind.steps(), 0);
}

/// Whatever is done to the sequence in place of the pass or after it, even if it then stands where
/// the pass would have led.
TEST_F(RewindMisuse, ASequenceThatIsNotAsTheStepLeftItIsRefused) {
  Sequence older = sequence(11, 2);
  Sequence s = sequence(10);
  Sequence other = sequence(11, 3);
  const Snapshot snapshot = other.snapshot();
  const std::string file = saved(other);
  const std::vector<std::function<void()>> changes = {
      [&] { s.rollback(snapshot); },
      [&] { s.copy_from(other); },
      [&] {
        std::istringstream in(file);
        s.restore(in);
      },
      [&] { s = other.fork(); },
      [&] { s = std::move(older); },
      [&] {
        s.reset();
        s.advance(11);
      },
      [&] {
        const Sequence same = s.fork();
        s.copy_from(same);
        s.advance(11 - s.position());
      },
      [&] {
        Sequence elsewhere = std::move(s);
        s = std::move(elsewhere);
        s.advance(11 - s.position());
      },
      [&] { s.advance(0); },
      [&] { run(s, 2); },
      [&] { other = std::move(s); },
  };
  for (const bool is_run : {false, true}) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      SCOPED_TRACE(std::to_string(i) + (is_run ? " after" : " in place of") + " the pass");
      older = sequence(11, 2);
      other = sequence(11, 3);
      s = sequence(10);
      Rewind rewind(s.layout(), 4);
      rewind.note(s);
      if (is_run) run(s);
      changes[i]();
      const std::int64_t position = s.position();
      const std::string state = s.is_whole() ? saved(s) : "";
      expect_refusal([&] { rewind.note(s); });
      for (const std::int64_t to : {10, 11}) expect_refusal([&] { rewind.back(s, to); });
      EXPECT_EQ(s.position(), position);
      EXPECT_EQ(s.is_whole() ? saved(s) : "", state);
    }
  }
}

/// Where a row of a journal's pass was committed is where a pass would have led.
TEST_F(RewindMisuse, ACommittedRowIsAStep) {
  Sequence s = sequence(10);
  const std::string before = saved(s);
  Rewind rewind(s.layout(), 4);
  rewind.note(s);
  Journal journal(s.layout(), 4);
  pass_.try_out(s, random_tokens(model_.config(), 3, 2), journal);
  pass_.run();
  journal.commit(s, 1);
  rewind.note(s);
  run(s);
  rewind.back(s, 10);
  EXPECT_EQ(saved(s), before);
}

TEST_F(RewindMisuse, NothingIsAllocated) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  Sequence s = sequence(20);
  Rewind rewind(s.layout(), most);
  const std::int32_t token = 3;
  const auto round = [&] {
    for (std::int64_t i = 0; i < most; ++i) {
      rewind.note(s);
      pass_.add(s, {&token, 1});
      pass_.run();
    }
    rewind.back(s, 25);
    rewind.back(s, 20);
  };
  round();
  const std::int64_t before = allocations();
  for (int i = 0; i < 5; ++i) round();
  EXPECT_EQ(allocations() - before, 0);
}

}  // namespace
}  // namespace griffin::test
