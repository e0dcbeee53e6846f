// SPDX-License-Identifier: Apache-2.0
// Tokens that are only tried: whatever part of them is committed, the sequence is as if only that
// part had been run.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/errors.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr std::int64_t most = 12;  // rows tried at once, more than the smallest window
constexpr std::int64_t length = 60;

class JournalTest : public IsaTest {
 protected:
  static Model model(const ModelConfig& config) { return Model::random(config, Dtype::bf16, 4); }
  static Sequence sequence(const Model& model, Dtype kv) {
    return model.new_sequence({capacity_for(model.config(), length), kv});
  }
  static void run(ForwardPass& pass, Sequence& s, Tokens tokens) {
    if (tokens.empty()) return;
    pass.add(s, tokens, Logits::none);
    pass.run();
  }
};

std::vector<float> copy_of(MatrixView logits) {
  return {logits.data, logits.data + logits.rows * logits.cols};
}

/// Everything about one case: run `before` tokens, try `tried`, commit `kept`, go on. The sequence
/// has read another text before; the one it is compared with has not.
struct Case {
  const kernels::Table& table;
  const Model& model;
  Dtype kv;
  int threads;

  void check(std::int64_t before, std::int64_t tried, std::int64_t kept) const {
    SCOPED_TRACE("before " + std::to_string(before) + ", tried " + std::to_string(tried) +
                 ", kept " + std::to_string(kept));
    const auto text = random_tokens(model.config(), length, 5);
    const Tokens all = text;
    const auto at = static_cast<std::size_t>(before);
    const auto n = static_cast<std::size_t>(tried);
    ForwardPass pass = pass_for(model, table, length, threads);
    const SequenceOptions options{capacity_for(model.config(), length), kv};
    Sequence s = model.new_sequence(options);
    Sequence plain = model.new_sequence(options);
    run_at_once(pass, s, all.last(10));
    s.reset();
    if (before > 0) run_at_once(pass, s, all.first(at));
    if (before > 0) run_at_once(pass, plain, all.first(at));
    const auto state_before = state_of(s);

    Journal journal(s.layout(), most);
    pass.try_out(s, all.subspan(at, n), journal);
    const auto tried_logits = copy_of(pass.run());
    EXPECT_EQ(s.position(), before);
    EXPECT_EQ(state_of(s), state_before) << "trying changes nothing";
    EXPECT_EQ(journal.rows(), tried);
    Sequence whole = plain.fork();
    EXPECT_EQ(tried_logits, run_at_once(pass, whole, all.subspan(at, n)));

    journal.commit(s, kept);
    if (kept > 0) run_at_once(pass, plain, all.subspan(at, static_cast<std::size_t>(kept)));
    EXPECT_EQ(s.position(), before + kept);
    if (s.position() > 0) {
      EXPECT_EQ(state_of(s), state_of(plain));
    }
    EXPECT_EQ(run_at_once(pass, s, all.subspan(40, 9)),
              run_at_once(pass, plain, all.subspan(40, 9)));
  }

  void check_splits(const std::vector<std::int64_t>& befores,
                    const std::vector<std::int64_t>& lengths) const {
    for (const std::int64_t before : befores) {
      for (const std::int64_t tried : lengths) {
        for (const std::int64_t kept :
             std::set{std::int64_t{0}, std::int64_t{1}, tried / 2, tried}) {
          check(before, tried, kept);
        }
      }
    }
  }
};

/// Everything with the best table; with the others, what a kernel might do otherwise.
TEST_P(JournalTest, CommittingAPartIsRunningThatPart) {
  const bool best = &table() == &kernels::table_at(0);
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model m = model(named.config);
    if (best) {
      Case{table(), m, Dtype::f32, 1}.check_splits({0, 1, 2, 7, 8, 9, 23}, {1, 2, 5, 12});
      Case{table(), m, Dtype::bf16, 2}.check_splits({0, 2, 8, 23}, {2, 12});
    } else {
      Case{table(), m, Dtype::f32, 2}.check_splits({0, 9}, {2, 12});
    }
    if (HasFailure()) return;
  }
}

/// Trying beside ordinary slices of other sequences changes neither.
TEST_P(JournalTest, SharesAPassWithOthers) {
  const Model m = model(tiny_griffin(8));
  const auto text = random_tokens(m.config(), length, 6);
  const Tokens all = text;
  ForwardPass pass = pass_for(m, table(), length, 2);
  std::vector<Sequence> together;
  std::vector<Sequence> alone;
  for (int i = 0; i < 3; ++i) {
    together.push_back(sequence(m, Dtype::f32));
    alone.push_back(sequence(m, Dtype::f32));
    const auto start = all.subspan(static_cast<std::size_t>(i), 11);
    run(pass, together.back(), start);
    run(pass, alone.back(), start);
  }
  Journal journal(together[1].layout(), most);
  pass.add(together[0], all.subspan(20, 1));
  pass.try_out(together[1], all.subspan(21, 5), journal);
  pass.add(together[2], all.subspan(30, 4));
  pass.run();
  journal.commit(together[1], 3);
  run(pass, alone[0], all.subspan(20, 1));
  run(pass, alone[1], all.subspan(21, 3));
  run(pass, alone[2], all.subspan(30, 4));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(state_of(together[i]), state_of(alone[i]));
}

INSTANTIATE_TEST_SUITE_P(Isa, JournalTest, ::testing::ValuesIn(all_tables()), table_name);

TEST(Journal, RefusesWhatItCannotDo) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 4);
  const Model other = Model::random(tiny_griffin(8), Dtype::f32, 5);
  const auto text = random_tokens(model.config(), 9, 1);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 16);
  Sequence s = model.new_sequence();
  Sequence t = model.new_sequence();
  for (const std::int64_t rows :
       {INT64_MIN, std::int64_t{0}, most_pass_rows + 1, std::int64_t{1} << 60, INT64_MAX}) {
    EXPECT_EQ(code_of([&] { Journal(s.layout(), rows); }), ErrorCode::invalid_argument) << rows;
  }
  Journal small(s.layout(), 4);
  EXPECT_EQ(code_of([&] { pass.try_out(s, text, small); }), ErrorCode::capacity);
  Journal of_another(other.new_sequence().layout(), 16);
  EXPECT_EQ(code_of([&] { pass.try_out(s, text, of_another); }), ErrorCode::invalid_argument);
  EXPECT_EQ(pass.rows(), 0);

  pass.try_out(s, Tokens(text).first(4), small);
  pass.run();
  EXPECT_EQ(code_of([&] { small.commit(s, 5); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { small.commit(s, -1); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { small.commit(t, 2); }), ErrorCode::invalid_argument);
  small.commit(s, 2);
  EXPECT_EQ(code_of([&] { small.commit(s, 1); }), ErrorCode::invalid_argument) << "only once";

  pass.try_out(s, Tokens(text).first(4), small);
  pass.run();
  pass.add(s, text, Logits::none);
  pass.run();
  EXPECT_EQ(code_of([&] { small.commit(s, 2); }), ErrorCode::invalid_argument) << "s moved on";
}

/// Whatever is done to the sequence after the pass, even if it stands where it stood.
TEST(Journal, RefusesASequenceThatIsNotAsThePassLeftIt) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 4);
  const auto text = random_tokens(model.config(), 9, 1);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 16);
  Sequence other = model.new_sequence();
  run_at_once(pass, other, text);
  const Snapshot snapshot = other.snapshot();
  std::stringstream saved;
  other.save(saved);
  Sequence s = model.new_sequence();
  const std::vector<std::function<void()>> changes = {
      [&] { s.rollback(snapshot); },
      [&] { s.copy_from(other); },
      [&] { s.restore(saved); },
      [&] { s = other.fork(); },
      [&] { s.advance(0); },
      [&] {
        s.reset();
        s.advance(9);
      },
      [&] {
        Sequence elsewhere = std::move(s);
        s = std::move(elsewhere);
      },
      [&] { other = std::move(s); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    s.reset();
    run_at_once(pass, s, random_tokens(model.config(), 9, 2));
    Journal journal(s.layout(), 4);
    pass.try_out(s, Tokens(text).first(4), journal);
    pass.run();
    changes[i]();
    EXPECT_EQ(code_of([&] { journal.commit(s, 2); }), ErrorCode::invalid_argument) << i;
  }
}

/// A pass put together by hand may begin with anything.
TEST(Journal, RefusesASequenceOfAnotherLayout) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 4);
  Sequence other = model.new_sequence({0, Dtype::bf16});
  Journal journal(model.state_layout(), 4);
  journal.begin(other, 2);
  EXPECT_EQ(code_of([&] { journal.commit(other, 2); }), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace griffin::test
