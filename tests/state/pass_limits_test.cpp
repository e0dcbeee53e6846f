// SPDX-License-Identifier: Apache-2.0
// Passes of exactly what their options allow, and of one more.
#include <gtest/gtest.h>

#include <vector>

#include "griffin/core/error.h"
#include "griffin/core/parallel.h"
#include "griffin/state/journal.h"
#include "support/errors.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

const Model& model() {
  static const Model m = Model::random(tiny_hawk(), Dtype::f32, 1);
  return m;
}

void expect_refused(const ForwardOptions& options) {
  EXPECT_EQ(code_of([&] { ForwardPass(model(), options); }), ErrorCode::invalid_argument);
}

TEST(PassLimits, Options) {
  EXPECT_EQ(ForwardPass(model(), {.max_rows = most_pass_rows}).max_rows(), most_pass_rows);
  expect_refused({.max_rows = most_pass_rows + 1});
  expect_refused({.max_rows = 0});
  EXPECT_EQ(ForwardPass(model(), {.max_rows = 5, .max_logits = 5}).max_logits(), 5);
  expect_refused({.max_rows = 5, .max_logits = 6});
  expect_refused({.max_rows = 5, .max_logits = 0});
  EXPECT_EQ(ForwardPass(model(), {.max_rows = 5, .max_hidden = 5}).max_hidden(), 5);
  EXPECT_EQ(ForwardPass(model(), {.max_rows = 5, .max_hidden = 0}).max_hidden(), 0);
  expect_refused({.max_rows = 5, .max_hidden = 6});
  expect_refused({.max_rows = 5, .max_hidden = -1});
  EXPECT_EQ(ForwardPass(model(), {.threads = 1, .work_per_thread = 1}).context().threads, 1);
  expect_refused({.work_per_thread = 0});
  EXPECT_EQ(ForwardPass(model(), {.threads = most_threads}).context().threads, most_threads);
  expect_refused({.threads = most_threads + 1});
  expect_refused({.threads = -1});
}

class PassRoom : public ::testing::Test {
 protected:
  Tokens tokens(std::size_t count) const { return Tokens(text_).first(count); }

  const std::vector<std::int32_t> text_ = random_tokens(model().config(), 16, 1);
  ForwardPass pass_{model(), {.threads = 1, .max_rows = 8, .max_logits = 4, .max_hidden = 3}};
  Sequence a_ = model().new_sequence();
  Sequence b_ = model().new_sequence();
};

TEST_F(PassRoom, OfRows) {
  pass_.add(a_, tokens(5), Logits::none);
  EXPECT_EQ(code_of([&] { pass_.add(b_, tokens(4), Logits::none); }), ErrorCode::capacity);
  pass_.add(b_, tokens(3), Logits::none);
  EXPECT_EQ(pass_.rows(), 8);
}

/// Logits and best tokens take of one room.
TEST_F(PassRoom, OfLogitsAndBestTokens) {
  pass_.add(a_, tokens(3), Logits::best_of_all);
  EXPECT_EQ(code_of([&] { pass_.add(b_, tokens(2), Logits::all); }), ErrorCode::capacity);
  EXPECT_EQ(code_of([&] { pass_.add(b_, tokens(2), Logits::best_of_all); }), ErrorCode::capacity);
  pass_.add(b_, tokens(1), Logits::all);
  EXPECT_EQ(pass_.run().rows, 1);
  EXPECT_EQ(pass_.best().size(), 3U);
  pass_.add(a_, tokens(4), Logits::all);
  EXPECT_EQ(pass_.run().rows, 4);
  EXPECT_TRUE(pass_.best().empty());
}

TEST_F(PassRoom, OfHiddenStates) {
  EXPECT_EQ(code_of([&] { pass_.add(a_, tokens(4), Logits::none, Hidden::all); }),
            ErrorCode::capacity);
  pass_.add(a_, tokens(2), Logits::none, Hidden::all);
  pass_.add(b_, tokens(4), Logits::none, Hidden::last);
  pass_.run();
  EXPECT_EQ(pass_.hidden().rows, 3);
}

TEST_F(PassRoom, OfJournals) {
  Journal journal(a_.layout(), 4);
  EXPECT_EQ(code_of([&] { pass_.try_out(a_, tokens(5), journal, Logits::none); }),
            ErrorCode::capacity);
  pass_.try_out(a_, tokens(4), journal, Logits::none);
  pass_.run();
  EXPECT_EQ(journal.rows(), 4);
  journal.commit(a_, 4);
  EXPECT_EQ(a_.position(), 4);
}

TEST_F(PassRoom, OfTheVocabulary) {
  const auto vocab = static_cast<std::int32_t>(model().config().vocab);
  const std::int32_t ids[] = {vocab - 1, vocab, -1, 0};
  pass_.add(a_, Tokens(ids).first(1), Logits::none);
  EXPECT_EQ(code_of([&] { pass_.add(b_, Tokens(ids).subspan(1, 1)); }),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { pass_.add(b_, Tokens(ids).subspan(2, 1)); }),
            ErrorCode::invalid_argument);
  pass_.add(b_, Tokens(ids).last(1), Logits::none);
}

}  // namespace
}  // namespace griffin::test
