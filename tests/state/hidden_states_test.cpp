// SPDX-License-Identifier: Apache-2.0
// The hidden states of a pass: what the head multiplies, whatever the pass is made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

std::vector<float> values_of(ConstMatrixView view) {
  std::vector<float> values;
  for (std::int64_t r = 0; r < view.rows; ++r) {
    values.insert(values.end(), view.row(r), view.row(r) + view.cols);
  }
  return values;
}

class HiddenStates : public IsaTest {
 protected:
  static ForwardPass pass(const Model& model, std::int64_t max_rows, int threads = 1) {
    return ForwardPass(model, {.threads = threads,
                               .max_rows = max_rows,
                               .max_logits = max_rows,
                               .kernels = &table(),
                               .work_per_thread = 1,
                               .max_hidden = max_rows});
  }

  /// Of all tokens, in passes of `chunk`: [tokens, width].
  static std::vector<float> in_chunks(const Model& model, Tokens tokens, std::size_t chunk,
                                      int threads, Logits logits) {
    ForwardPass p = pass(model, static_cast<std::int64_t>(chunk), threads);
    Sequence sequence = model.new_sequence({capacity_for(model.config(), 40), Dtype::f32});
    std::vector<float> all;
    for (; !tokens.empty(); tokens = tokens.subspan(std::min(chunk, tokens.size()))) {
      p.add(sequence, tokens.first(std::min(chunk, tokens.size())), logits, Hidden::all);
      p.run();
      const std::vector<float> rows = values_of(p.hidden());
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, HiddenStates, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(HiddenStates, HaveTheSameBitsHoweverTheTextIsCut) {
  for (const NamedConfig& named : tiny_models()) {
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16, Dtype::int4}) {
      SCOPED_TRACE(std::string(named.name) + ", " + name_of(dtype));
      const Model model = Model::random(named.config, dtype, 5);
      const auto tokens = random_tokens(model.config(), 40, 6);
      const std::vector<float> expected = in_chunks(model, tokens, 40, 1, Logits::none);
      ASSERT_EQ(expected.size(), 40U * static_cast<std::size_t>(model.config().width));
      EXPECT_EQ(in_chunks(model, tokens, 1, 1, Logits::last), expected);
      EXPECT_EQ(in_chunks(model, tokens, 9, 2, Logits::all), expected);
    }
  }
}

/// logits = cap tanh(W hidden / cap).
TEST_P(HiddenStates, AreWhatTheHeadMultiplies) {
  for (const bool tied : {true, false}) {
    ModelConfig config = tiny_griffin(8);
    config.tied_head = tied;
    const Model model = Model::random(config, Dtype::f32, 7);
    const auto tokens = random_tokens(config, 20, 8);
    ForwardPass p = pass(model, 20);
    Sequence sequence = model.new_sequence();
    p.add(sequence, tokens, Logits::all, Hidden::all);
    const ConstMatrixView logits = p.run();
    const ConstMatrixView hidden = p.hidden();
    ASSERT_EQ(hidden.rows, 20);
    ASSERT_EQ(hidden.cols, config.width);
    const WeightView& head = model.parts().lm_head.linear.weight;
    const auto* weights = static_cast<const float*>(head.data);
    for (std::int64_t r = 0; r < hidden.rows; ++r) {
      for (std::int64_t v = 0; v < config.vocab; ++v) {
        double sum = 0.0;
        for (std::int64_t c = 0; c < hidden.cols; ++c) {
          sum += static_cast<double>(hidden.row(r)[c]) *
                 static_cast<double>(weights[v * config.width + c]);
        }
        const auto cap = static_cast<double>(config.soft_cap);
        ASSERT_NEAR(logits.row(r)[v], cap * std::tanh(sum / cap), 1e-4) << r << ", " << v;
      }
    }
  }
}

/// Of several sequences, some wanted and some not, in the order in which they were added.
TEST_P(HiddenStates, AreOfTheRowsThatWereAskedFor) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 9);
  const auto tokens = random_tokens(model.config(), 30, 10);
  const std::vector<float> all = in_chunks(model, tokens, 40, 1, Logits::none);
  const auto row = [&](std::size_t token) {
    const auto width = static_cast<std::ptrdiff_t>(model.config().width);
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(token) * width;
    return std::vector<float>(first, first + width);
  };
  ForwardPass p = pass(model, 40);
  std::vector<Sequence> sequences;
  for (int i = 0; i < 3; ++i) sequences.push_back(model.new_sequence());
  const Tokens text(tokens);
  p.add(sequences[0], text.first(5), Logits::all, Hidden::last);
  p.add(sequences[1], text.first(7), Logits::last);
  p.add(sequences[2], text.first(2), Logits::none, Hidden::all);
  EXPECT_EQ(p.run().rows, 6);
  std::vector<float> expected;
  for (const std::size_t token : {std::size_t{4}, std::size_t{0}, std::size_t{1}}) {
    const std::vector<float> one = row(token);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(values_of(p.hidden()), expected);
  p.add(sequences[1], text.subspan(7, 1));
  p.run();
  EXPECT_EQ(p.hidden().rows, 0) << "of the last run, which was asked for none";
}

/// Tokens that are only tried have them, too.
TEST_P(HiddenStates, OfTokensThatAreTried) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 11);
  const auto tokens = random_tokens(model.config(), 12, 12);
  ForwardPass p = pass(model, 12);
  Sequence sequence = model.new_sequence();
  Journal journal(sequence.layout(), 12);
  p.try_out(sequence, tokens, journal, Logits::none, Hidden::all);
  p.run();
  EXPECT_EQ(values_of(p.hidden()), in_chunks(model, tokens, 12, 1, Logits::none));
  EXPECT_EQ(sequence.position(), 0);
}

TEST_P(HiddenStates, TakeNothingFromTheHeap) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 13);
  const auto tokens = random_tokens(model.config(), 12, 14);
  ForwardPass p = pass(model, 12, 2);
  Sequence sequence = model.new_sequence();
  const auto run = [&] {
    p.add(sequence, tokens, Logits::all, Hidden::all);
    p.run();
  };
  run();
  const std::int64_t before = allocations();
  run();
  EXPECT_EQ(allocations() - before, 0);
  EXPECT_EQ(p.hidden().rows, 12);
}

TEST_P(HiddenStates, AreRefusedWhereThereIsNoRoom) {
  const Model model = Model::random(tiny_griffin(8), Dtype::f32, 15);
  const auto tokens = random_tokens(model.config(), 6, 16);
  Sequence sequence = model.new_sequence();
  const auto refused = [&](ForwardPass& p, Hidden hidden) -> std::string {
    try {
      p.add(sequence, tokens, Logits::last, hidden);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::capacity);
      return error.what();
    }
    return "accepted";
  };
  ForwardPass none(model, {.max_rows = 8, .kernels = &table()});
  EXPECT_EQ(none.max_hidden(), 0);
  EXPECT_EQ(refused(none, Hidden::last),
            "forward pass: no room for 1 rows of hidden states beside 0; max_hidden is 0");
  ForwardPass few(model, {.max_rows = 8, .kernels = &table(), .max_hidden = 5});
  EXPECT_EQ(few.max_hidden(), 5);
  EXPECT_EQ(refused(few, Hidden::all),
            "forward pass: no room for 6 rows of hidden states beside 0; max_hidden is 5");
  EXPECT_EQ(few.rows(), 0);
  EXPECT_EQ(refused(few, Hidden::last), "accepted");
  for (const std::int64_t bad : {-1, 9}) {
    EXPECT_THROW(ForwardPass(model, {.max_rows = 8, .kernels = &table(), .max_hidden = bad}),
                 Error);
  }
}

}  // namespace
}  // namespace griffin::test
