// SPDX-License-Identifier: Apache-2.0
// Mistakes others made with state: leaks between texts, batches that change, chunks of other sizes
// than one token. Each test is named after its case.
#include <gtest/gtest.h>

#include <vector>

#include "griffin/generate/generator.h"
#include "support/checked_model.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/random_data.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class SessionCases : public IsaTest {
 protected:
  static constexpr std::int64_t window = 8;

  std::vector<std::int32_t> text(std::int64_t length, std::uint32_t seed) const {
    return random_tokens(checked_.config(), length, seed);
  }
  Sequence sequence() const { return checked_.model().new_sequence(); }
  double error(std::span<const float> logits, Tokens tokens) const {
    return max_abs_difference(logits, checked_.oracle().logits(tokens));
  }
  void expect_right_chunks(std::vector<std::int64_t> lengths) {
    const auto tokens = text(3 * window + 5, 21);
    Sequence s = sequence();
    EXPECT_LE(error(run_in_chunks(pass_, s, tokens, lengths), tokens), logit_limit)
        << "chunks of " << lengths[0];
  }

  const CheckedModel checked_{tiny_griffin(window)};
  ForwardPass pass_ = pass_for(checked_.model(), table(), 64);
};

TEST_P(SessionCases, T05_PromptOfOneTokenAfterALongText) {
  Sequence s = sequence();
  run_at_once(pass_, s, text(3 * window, 20));
  s.reset();
  const std::vector<std::int32_t> bos = {2};
  const auto tokens = continue_greedily(pass_, s, bos, window + 3);
  std::vector<std::int32_t> all = bos;
  all.insert(all.end(), tokens.begin(), tokens.end());
  s.reset();
  EXPECT_LE(error(run_in_chunks(pass_, s, all, std::vector<std::int64_t>{1}), all), logit_limit);
  Sequence fresh = sequence();
  EXPECT_EQ(continue_greedily(pass_, fresh, bos, window + 3), tokens);
}

/// A, B, A in one session give A twice.
TEST_P(SessionCases, T06_NoTextLeavesATraceAfterReset) {
  Sequence s = sequence();
  const auto a = text(2 * window + 1, 22);
  const auto b = text(3 * window, 23);
  const std::vector<float> first = run_at_once(pass_, s, a);
  const std::vector<std::byte> first_state = state_of(s);
  for (const auto& lengths : {std::vector<std::int64_t>{64}, {1}, {2}, {5}}) {
    s.reset();
    EXPECT_EQ(s.position(), 0);
    run_at_once(pass_, s, b);
    s.reset();
    EXPECT_EQ(run_in_chunks(pass_, s, a, lengths), first);
    EXPECT_EQ(state_of(s), first_state);
  }
}

TEST_P(SessionCases, T06_NoTraceAfterAPrefillThatWasStopped) {
  GeneratorOptions options;
  options.threads = 1;
  options.chunk = 5;
  options.kernels = &table();
  Generator generator(checked_.model(), options);
  GenerateOptions generate;
  generate.max_new_tokens = 12;
  Sequence s = sequence();
  const auto a = text(window + 2, 24);
  const auto first = generator.generate(s, a, generate).tokens;
  ASSERT_EQ(first.size(), 12U);

  GenerateOptions stopped = generate;
  stopped.on_prefill = [](std::int64_t, std::int64_t) { return Flow::stop; };
  s.reset();
  EXPECT_EQ(generator.generate(s, text(3 * window, 25), stopped).reason, StopReason::callback);
  s.reset();
  EXPECT_EQ(generator.generate(s, a, generate).tokens, first);
  Sequence fresh = sequence();
  EXPECT_EQ(generator.generate(fresh, a, generate).tokens, first);
}

/// A pass that is refused half way through its making leaves no trace either.
TEST_P(SessionCases, T06_NoTraceAfterAnErrorWhileAPassIsPutTogether) {
  Sequence s = sequence();
  Sequence other = sequence();
  const auto a = text(window + 2, 26);
  const std::vector<std::int32_t> bad = {1, 2, static_cast<std::int32_t>(checked_.config().vocab)};
  pass_.add(other, a);
  EXPECT_THROW(pass_.add(s, bad), Error);
  pass_.clear();
  EXPECT_EQ(s.position(), 0);
  EXPECT_EQ(other.position(), 0);
  EXPECT_LE(error(run_at_once(pass_, s, a), a), logit_limit);
}

TEST_P(SessionCases, T07_BatchesOfOneThreeAndTwo) {
  std::uint32_t seed = 30;
  for (const std::size_t batch : {1U, 3U, 2U}) {
    std::vector<Sequence> sequences;
    std::vector<std::vector<std::int32_t>> texts;
    for (std::size_t i = 0; i < batch; ++i) sequences.push_back(sequence());
    for (std::size_t i = 0; i < batch; ++i) {
      texts.push_back(text(window + 3, seed++));
      pass_.add(sequences[i], texts[i], Logits::all);
    }
    const MatrixView found = pass_.run();
    ASSERT_EQ(found.rows, static_cast<std::int64_t>(batch) * (window + 3));
    for (std::size_t i = 0; i < batch; ++i) {
      const auto row = static_cast<std::int64_t>(i) * (window + 3);
      const auto count = static_cast<std::size_t>((window + 3) * found.cols);
      EXPECT_LE(error({found.row(row), count}, texts[i]), logit_limit) << "sequence " << i;
    }
  }
}

TEST_P(SessionCases, T10_ARaggedBatchIsEachTextAlone) {
  const std::vector<std::int64_t> lengths = {1, 2, 3, window, window + 1, 3 * window + 5, 4};
  ForwardPass pass = pass_for(checked_.model(), table(), 128);
  std::vector<Sequence> sequences;
  for (std::size_t i = 0; i < lengths.size(); ++i) sequences.push_back(sequence());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    pass.add(sequences[i], text(lengths[i], static_cast<std::uint32_t>(40 + i)), Logits::all);
  }
  const MatrixView found = pass.run();
  std::vector<float> together(found.data, found.row(found.rows));
  std::vector<float> alone;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Sequence s = sequence();
    const auto tokens = text(lengths[i], static_cast<std::uint32_t>(40 + i));
    const std::vector<float> logits = run_at_once(pass, s, tokens);
    EXPECT_LE(error(logits, tokens), logit_limit) << "text " << i;
    EXPECT_EQ(state_of(s), state_of(sequences[i])) << "text " << i;
    alone.insert(alone.end(), logits.begin(), logits.end());
  }
  EXPECT_EQ(together, alone);
}

TEST_P(SessionCases, T11_ChunksOfEverySizeAgreeWithTheOracle) {
  for (const std::int64_t length :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}, std::int64_t{5},
        std::int64_t{7}, window - 1, window, window + 1, std::int64_t{64}}) {
    expect_right_chunks({length});
  }
  for (std::uint32_t seed = 0; seed < 3; ++seed) {
    expect_right_chunks(Random(seed).partition(3 * window + 5, 11));
  }
}

/// The convolution remembers three inputs: chunks shorter than that must not lose any.
TEST_P(SessionCases, T12_ShortChunksAtTheVeryStart) {
  for (const auto& lengths : {std::vector<std::int64_t>{1, 1, 1, 64},
                              {1, 2, 64},
                              {2, 1, 64},
                              {2, 2, 64},
                              {1, 64},
                              {2, 64},
                              {3, 64},
                              {1, 3, 1, 2, 64}}) {
    expect_right_chunks(lengths);
  }
}

/// One sequence has wrapped, one has not; a third joins, the first leaves.
TEST_P(SessionCases, T13_WrappedAndUnwrappedSequencesShareABatch) {
  const std::vector<std::vector<std::int32_t>> texts = {text(3 * window, 50), text(window, 51),
                                                        text(2 * window, 52)};
  std::vector<Sequence> sequences;
  for (std::size_t i = 0; i < texts.size(); ++i) sequences.push_back(sequence());
  std::vector<std::vector<float>> logits(texts.size());
  logits[0] = run_at_once(pass_, sequences[0], Tokens(texts[0]).first(2 * window + 3));
  const std::size_t starts[] = {0, 1, 4};  // the step in which a sequence joins
  for (std::size_t step = 0;; ++step) {
    std::vector<std::size_t> running;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto next = static_cast<std::size_t>(sequences[i].position());
      if (step < starts[i] || next == texts[i].size()) continue;
      pass_.add(sequences[i], {&texts[i][next], 1});
      running.push_back(i);
    }
    if (running.empty()) break;
    const MatrixView found = pass_.run();
    for (std::size_t r = 0; r < running.size(); ++r) {
      const float* row = found.row(static_cast<std::int64_t>(r));
      logits[running[r]].insert(logits[running[r]].end(), row, row + found.cols);
    }
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_LE(error(logits[i], texts[i]), logit_limit) << "sequence " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, SessionCases, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
