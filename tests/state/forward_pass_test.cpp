// SPDX-License-Identifier: Apache-2.0
// What ForwardPass refuses, and that a refusal changes nothing.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class ForwardPassTest : public ::testing::Test {
 protected:
  Tokens first(std::size_t count) const { return Tokens(tokens_).first(count); }

  /// `refused` must throw that code and leave what was added before as it was: running it then
  /// gives what the same tokens give alone.
  void expect_refusal(ForwardPass& pass, ErrorCode code, const std::string& part,
                      const std::function<void()>& refused) {
    Sequence earlier = model_.new_sequence();
    pass.add(earlier, first(3), Logits::last);
    try {
      refused();
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(error.code(), code) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
    }
    EXPECT_EQ(pass.rows(), 3);
    const ConstMatrixView found = pass.run();
    ASSERT_EQ(found.rows, 1);
    EXPECT_EQ(pass.rows(), 0);
    EXPECT_EQ(earlier.position(), 3);
    ForwardPass alone(model_, {1, 3, 3, &kernels::table_at(0)});
    Sequence twin = model_.new_sequence();
    alone.add(twin, first(3));
    const ConstMatrixView expected = alone.run();
    EXPECT_EQ(std::vector<float>(found.row(0), found.row(1)),
              std::vector<float>(expected.row(0), expected.row(1)));
  }

  ForwardPass pass(std::int64_t max_rows, std::int64_t max_logits) const {
    return ForwardPass(model_, {1, max_rows, max_logits, &kernels::table_at(0)});
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::f32, 4);
  const std::vector<std::int32_t> tokens_ = random_tokens(model_.config(), 40, 1);
};

TEST_F(ForwardPassTest, RefusesASequenceThatWasMovedFrom) {
  ForwardPass p = pass(10, 10);
  Sequence s = model_.new_sequence();
  const Sequence taken = std::move(s);
  expect_refusal(p, ErrorCode::invalid_argument, "moved", [&] { p.add(s, first(2)); });
}

TEST_F(ForwardPassTest, KeepsItsModelAlive) {
  auto model = std::make_unique<Model>(Model::random(tiny_griffin(8), Dtype::f32, 4));
  ForwardPass p(*model, {1, 10, 1, &kernels::table_at(0)});
  model.reset();
  Sequence ours = model_.new_sequence();
  Sequence twin = model_.new_sequence();
  p.add(ours, first(5));
  const ConstMatrixView found = p.run();
  ForwardPass q = pass(10, 1);
  q.add(twin, first(5));
  const ConstMatrixView expected = q.run();
  EXPECT_EQ(std::vector<float>(found.row(0), found.row(1)),
            std::vector<float>(expected.row(0), expected.row(1)));
}

TEST_F(ForwardPassTest, TakesThePositionASequenceHasWhenItRuns) {
  ForwardPass p = pass(10, 10);
  Sequence s = model_.new_sequence();
  p.add(s, first(6));
  const ConstMatrixView expected = p.run();
  const std::vector<float> logits(expected.row(0), expected.row(1));
  p.add(s, first(6));
  s.reset();
  const ConstMatrixView found = p.run();
  EXPECT_EQ(std::vector<float>(found.row(0), found.row(1)), logits);
  EXPECT_EQ(s.position(), 6);
}

TEST_F(ForwardPassTest, RefusesMoreRowsThanItHas) {
  ForwardPass p = pass(10, 10);
  Sequence s = model_.new_sequence();
  expect_refusal(p, ErrorCode::capacity, "max_rows", [&] { p.add(s, first(8)); });
  p.add(s, first(10));
  EXPECT_EQ(p.run().rows, 1);
  EXPECT_EQ(s.position(), 10);
}

TEST_F(ForwardPassTest, RefusesMoreLogitsThanItHas) {
  ForwardPass p = pass(20, 4);
  Sequence s = model_.new_sequence();
  expect_refusal(p, ErrorCode::capacity, "max_logits", [&] { p.add(s, first(4), Logits::all); });
  EXPECT_EQ(s.position(), 0);
  p.add(s, first(4), Logits::all);
  EXPECT_EQ(p.run().rows, 4);
}

TEST_F(ForwardPassTest, RefusesASequenceTwice) {
  ForwardPass p = pass(20, 20);
  Sequence s = model_.new_sequence();
  expect_refusal(p, ErrorCode::invalid_argument, "already", [&] {
    Sequence t = model_.new_sequence();
    ForwardPass q = pass(20, 20);
    q.add(t, first(2));
    q.add(t, first(2));
  });
  p.add(s, first(2));
  EXPECT_THROW(p.add(s, first(1)), Error);
  EXPECT_EQ(p.rows(), 2);
  p.run();
  EXPECT_EQ(s.position(), 2);
  p.add(s, first(1));  // in the next pass it may take part again
  p.run();
  EXPECT_EQ(s.position(), 3);
}

TEST_F(ForwardPassTest, RefusesTokensOutsideTheVocabulary) {
  ForwardPass p = pass(20, 20);
  Sequence s = model_.new_sequence();
  for (const std::int32_t bad : {-1, 97, INT32_MAX, INT32_MIN}) {
    const std::vector<std::int32_t> tokens = {1, bad, 2};
    expect_refusal(p, ErrorCode::invalid_argument, std::to_string(bad), [&] { p.add(s, tokens); });
  }
  EXPECT_EQ(s.position(), 0);
  const std::vector<std::int32_t> edges = {0, 96};
  EXPECT_NO_THROW(p.add(s, edges));
}

TEST_F(ForwardPassTest, RefusesNoTokens) {
  ForwardPass p = pass(20, 20);
  Sequence s = model_.new_sequence();
  expect_refusal(p, ErrorCode::invalid_argument, "token", [&] { p.add(s, {}); });
}

TEST_F(ForwardPassTest, RefusesSequencesOfOtherModels) {
  ForwardPass p = pass(20, 20);
  ModelConfig deeper = tiny_griffin(8);
  deeper.depth = 5;
  ModelConfig wider = tiny_griffin(8);
  wider.lru_width = 48;
  for (const ModelConfig& other : {tiny_hawk(), tiny_griffin(33), deeper, wider}) {
    Sequence foreign(other.state_layout({}));
    expect_refusal(p, ErrorCode::invalid_argument, "model", [&] { p.add(foreign, first(1)); });
    EXPECT_EQ(foreign.position(), 0);
  }
}

TEST_F(ForwardPassTest, TakesSequencesWithEveryOption) {
  ForwardPass p = pass(20, 20);
  std::vector<Sequence> sequences;
  sequences.push_back(model_.new_sequence({0, Dtype::bf16}));
  sequences.push_back(model_.new_sequence({4, Dtype::f32}));
  sequences.push_back(model_.new_sequence({1000, Dtype::bf16}));
  for (Sequence& s : sequences) p.add(s, first(4));
  EXPECT_EQ(p.run().rows, 3);
}

TEST_F(ForwardPassTest, RefusesToGoBeyondTheCapacityAndLeavesTheStateAlone) {
  ForwardPass p = pass(40, 40);
  for (const std::int64_t capacity : {5, 12}) {
    Sequence s = model_.new_sequence({capacity, Dtype::f32});
    Sequence free = model_.new_sequence();
    const auto room = static_cast<std::size_t>(capacity);
    run_at_once(p, s, first(room - 1));
    run_at_once(p, free, first(room - 1));
    const std::vector<std::byte> before = state_of(s);
    expect_refusal(p, ErrorCode::capacity, std::to_string(capacity), [&] { p.add(s, first(2)); });
    EXPECT_EQ(s.position(), capacity - 1);
    EXPECT_EQ(state_of(s), before);
    EXPECT_EQ(run_at_once(p, s, first(1)), run_at_once(p, free, first(1)));
    expect_refusal(p, ErrorCode::capacity, std::to_string(capacity), [&] { p.add(s, first(1)); });
    EXPECT_EQ(s.position(), capacity);
  }
}

TEST_F(ForwardPassTest, RefusesPositionsThatNoTextHas) {
  ForwardPass p = pass(10, 10);
  Sequence s = model_.new_sequence();
  s.advance(furthest_position - 1);
  expect_refusal(p, ErrorCode::capacity, std::to_string(furthest_position - 1),
                 [&] { p.add(s, first(2)); });
}

/// Positions move by this alone, so that no sequence is where none can be.
TEST_F(ForwardPassTest, SequencesRefuseToGoWhereNoneCanBe) {
  Sequence s = model_.new_sequence({1000, Dtype::f32});
  s.advance(900);
  const std::uint64_t changes = s.changes();
  for (const std::int64_t count :
       {INT64_MIN, std::int64_t{-1}, std::int64_t{101}, furthest_position, INT64_MAX}) {
    EXPECT_THROW(s.advance(count), Error) << count;
    EXPECT_EQ(s.position(), 900);
  }
  EXPECT_EQ(s.changes(), changes);
  s.advance(100);
  Sequence far = model_.new_sequence();
  EXPECT_THROW(far.advance(furthest_position + 1), Error);
  const Sequence taken = std::move(s);
  EXPECT_THROW(s.advance(0), Error);
}

TEST_F(ForwardPassTest, RefusesAJournalTwice) {
  ForwardPass p = pass(20, 20);
  Sequence s = model_.new_sequence();
  Sequence t = model_.new_sequence();
  Journal journal(s.layout(), 4);
  p.try_out(s, first(3), journal);
  EXPECT_THROW(p.try_out(t, first(2), journal), Error);
  EXPECT_EQ(p.rows(), 3);
  p.run();
  journal.commit(s, 3);
  p.try_out(t, first(2), journal);  // in the next pass it may take part again
  p.run();
  journal.commit(t, 2);
  EXPECT_EQ(t.position(), 2);
}

TEST_F(ForwardPassTest, GlobalAttentionNeedsACapacityAndKeepsToIt) {
  const Model transformer = Model::random(tiny_transformer(), Dtype::f32, 5);
  EXPECT_THROW(transformer.new_sequence(), Error);
  Sequence s = transformer.new_sequence({6, Dtype::f32});
  ForwardPass p(transformer, {1, 8, 8, nullptr});
  EXPECT_THROW(p.add(s, first(7)), Error);
  p.add(s, first(6));
  p.run();
  EXPECT_THROW(p.add(s, first(1)), Error);
  EXPECT_EQ(s.position(), 6);
  s.reset();
  EXPECT_NO_THROW(p.add(s, first(1)));
}

TEST_F(ForwardPassTest, RefusesOptionsWithoutMeaning) {
  for (const ForwardOptions& options :
       {ForwardOptions{-1, 8, 1, nullptr}, ForwardOptions{1, 0, 1, nullptr},
        ForwardOptions{1, -8, 1, nullptr}, ForwardOptions{1, 8, -1, nullptr}}) {
    try {
      ForwardPass refused(model_, options);
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    }
  }
}

TEST_F(ForwardPassTest, ClearForgetsWhatWasAdded) {
  ForwardPass p = pass(10, 10);
  Sequence s = model_.new_sequence();
  p.add(s, first(10), Logits::all);
  p.clear();
  EXPECT_EQ(p.rows(), 0);
  EXPECT_EQ(p.run().rows, 0);
  EXPECT_EQ(s.position(), 0);
  p.add(s, first(10), Logits::all);
  EXPECT_EQ(p.run().rows, 10);
}

/// none, last and all are the same rows of the same numbers.
TEST_F(ForwardPassTest, LogitsAreThoseThatWereAskedFor) {
  ForwardPass p = pass(20, 20);
  Sequence all = model_.new_sequence();
  const std::vector<float> expected = run_at_once(p, all, first(6));
  Sequence none = model_.new_sequence();
  Sequence last = model_.new_sequence();
  Sequence every = model_.new_sequence();
  p.add(none, first(6), Logits::none);
  p.add(last, first(6), Logits::last);
  p.add(every, first(6), Logits::all);
  const ConstMatrixView found = p.run();
  ASSERT_EQ(found.rows, 7);
  ASSERT_EQ(found.cols, 97);
  EXPECT_EQ(std::vector<float>(found.row(0), found.row(1)),
            std::vector<float>(expected.end() - 97, expected.end()));
  EXPECT_EQ(std::vector<float>(found.row(1), found.row(7)), expected);
  EXPECT_EQ(state_of(none), state_of(all));
}

TEST_F(ForwardPassTest, ArgmaxIsTheFirstLargest) {
  ForwardPass p = pass(4, 4);
  std::vector<float> logits(2 * 97, -1.0F);
  logits[13] = logits[55] = 2.0F;
  const ConstMatrixView view(logits.data(), 2, 97);
  EXPECT_EQ(p.argmax(view, 0), 13);
  EXPECT_EQ(p.argmax(view, 1), 0);
}

}  // namespace
}  // namespace griffin::test
