// SPDX-License-Identifier: Apache-2.0
// Greedy generation: the same tokens as a loop by hand, and every way to end.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "griffin/generate/generator.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class GeneratorTest : public IsaTest {
 protected:
  Generator generator(std::int64_t chunk = 512, int threads = 1) const {
    return Generator(model_, {threads, chunk, &table()});
  }

  /// The first `count` tokens after a prompt, by hand.
  std::vector<std::int32_t> by_hand(Tokens prompt, std::int64_t count) const {
    ForwardPass pass = pass_for(model_, table(), static_cast<std::int64_t>(prompt.size()));
    Sequence s = model_.new_sequence();
    return continue_greedily(pass, s, prompt, count);
  }

  /// An id of the continuation that was not there before, and where it is.
  static std::size_t first_new_id(const std::vector<std::int32_t>& tokens) {
    for (std::size_t i = 4; i < tokens.size(); ++i) {
      const auto here = tokens.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::find(tokens.begin(), here, *here) == here) return i;
    }
    return 0;
  }

  static GenerateOptions up_to(std::int64_t count) {
    GenerateOptions options;
    options.max_new_tokens = count;
    return options;
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::f32, 6);
  const std::vector<std::int32_t> prompt_ = random_tokens(model_.config(), 21, 2);
};

TEST_P(GeneratorTest, GreedyEqualsTheLoopByHand) {
  const std::vector<std::int32_t> expected = by_hand(prompt_, 40);
  for (const std::int64_t chunk : {1, 5, 20, 21, 512}) {
    for (const int threads : {1, 2}) {
      Generator g = generator(chunk, threads);
      Sequence s = model_.new_sequence();
      const Result result = g.generate(s, prompt_, up_to(40));
      EXPECT_EQ(result.tokens, expected) << "chunk " << chunk;
      EXPECT_EQ(result.reason, StopReason::length);
      EXPECT_EQ(result.stop_id, std::nullopt);
      EXPECT_EQ(result.prompt_tokens, 21);
      EXPECT_EQ(result.decode_passes, 39);
      EXPECT_EQ(s.position(), 21 + 39) << "all but the last token were fed back";
    }
  }
}

TEST_P(GeneratorTest, TokensAreHandedOutAsTheyCome) {
  Generator g = generator();
  Sequence s = model_.new_sequence();
  std::vector<std::int32_t> streamed;
  std::vector<std::int64_t> positions;
  GenerateOptions options = up_to(12);
  options.on_token = [&](std::int32_t token) {
    streamed.push_back(token);
    positions.push_back(s.position());
    return Flow::proceed;
  };
  EXPECT_EQ(g.generate(s, prompt_, options).tokens, streamed);
  ASSERT_EQ(positions.size(), 12U);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    EXPECT_EQ(positions[i], 21 + static_cast<std::int64_t>(i)) << "before the token is fed back";
  }
}

TEST_P(GeneratorTest, AStopIdIsNeitherReturnedNorStreamed) {
  const std::vector<std::int32_t> expected = by_hand(prompt_, 60);
  const std::size_t at = first_new_id(expected);
  ASSERT_GT(at, 0U) << "the random model repeats itself too soon for this test";
  Generator g = generator();
  Sequence s = model_.new_sequence();
  std::vector<std::int32_t> streamed;
  GenerateOptions options = up_to(60);
  options.stop_ids = std::vector{-5, expected[at], 1000};
  options.on_token = [&](std::int32_t token) {
    streamed.push_back(token);
    return Flow::proceed;
  };
  const Result result = g.generate(s, prompt_, options);
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(result.stop_id, expected[at]);
  const auto end = expected.begin() + static_cast<std::ptrdiff_t>(at);
  EXPECT_EQ(result.tokens, std::vector<std::int32_t>(expected.begin(), end));
  EXPECT_EQ(streamed, result.tokens);
  EXPECT_EQ(s.position(), result.prompt_tokens + result.decode_passes);
}

/// Unset, they are the model's own; an empty vector is none.
TEST_P(GeneratorTest, StopIdsAreTheModelsIfNothingIsSaid) {
  const std::vector<std::int32_t> expected = by_hand(prompt_, 60);
  const std::size_t at = first_new_id(expected);
  ASSERT_GT(at, 0U) << "the random model repeats itself too soon for this test";
  ModelConfig config = model_.config();
  config.eos_id = expected[at];
  const Model model = Model::random(config, Dtype::f32, 6);
  Generator g(model, {1, 512, &table()});
  Sequence s = model.new_sequence();
  EXPECT_EQ(g.generate(s, prompt_, up_to(60)).stop_id, expected[at]);
  GenerateOptions options = up_to(60);
  options.stop_ids.emplace();
  s.reset();
  EXPECT_EQ(g.generate(s, prompt_, options).tokens, expected);
}

/// The first generated token is tested too.
TEST_P(GeneratorTest, AStopIdMayComeFirst) {
  Generator g = generator();
  Sequence s = model_.new_sequence();
  GenerateOptions options = up_to(10);
  options.stop_ids = by_hand(prompt_, 1);
  const Result result = g.generate(s, prompt_, options);
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_EQ(result.reason, StopReason::stop_id);
  EXPECT_EQ(result.decode_passes, 0);
  EXPECT_EQ(s.position(), 21);
}

TEST_P(GeneratorTest, Lengths) {
  Generator g = generator();
  for (const std::int64_t count : {0, 1, 2, 17}) {
    Sequence s = model_.new_sequence();
    const Result result = g.generate(s, prompt_, up_to(count));
    EXPECT_EQ(static_cast<std::int64_t>(result.tokens.size()), count);
    EXPECT_EQ(result.reason, StopReason::length);
    EXPECT_EQ(result.prompt_tokens, 21);
  }
}

TEST_P(GeneratorTest, ATokenCallbackStops) {
  const std::vector<std::int32_t> expected = by_hand(prompt_, 5);
  Generator g = generator();
  Sequence s = model_.new_sequence();
  std::size_t calls = 0;
  GenerateOptions options = up_to(GenerateOptions::unlimited);
  options.on_token = [&](std::int32_t) { return ++calls == 5 ? Flow::stop : Flow::proceed; };
  const Result result = g.generate(s, prompt_, options);
  EXPECT_EQ(result.reason, StopReason::callback);
  EXPECT_EQ(result.tokens, expected) << "the token it was called with counts";
  EXPECT_EQ(calls, 5U);
}

TEST_P(GeneratorTest, APrefillCallbackSeesEveryChunkAndStops) {
  Generator g = generator(8);
  Sequence s = model_.new_sequence();
  std::vector<std::int64_t> done;
  GenerateOptions options = up_to(3);
  options.on_prefill = [&](std::int64_t tokens, std::int64_t total) {
    EXPECT_EQ(total, 21);
    done.push_back(tokens);
    return Flow::proceed;
  };
  EXPECT_EQ(g.generate(s, prompt_, options).tokens, by_hand(prompt_, 3));
  EXPECT_EQ(done, (std::vector<std::int64_t>{8, 16, 21}));

  s.reset();
  options.on_prefill = [](std::int64_t tokens, std::int64_t) {
    return tokens >= 16 ? Flow::stop : Flow::proceed;
  };
  const Result stopped = g.generate(s, prompt_, options);
  EXPECT_EQ(stopped.reason, StopReason::callback);
  EXPECT_TRUE(stopped.tokens.empty());
  EXPECT_EQ(stopped.prompt_tokens, 16);
  EXPECT_EQ(s.position(), 16);
  options.on_prefill = nullptr;  // the rest of the prompt goes on from there
  EXPECT_EQ(g.generate(s, Tokens(prompt_).subspan(16), options).tokens, by_hand(prompt_, 3));
}

TEST_P(GeneratorTest, CapacityEndsTheText) {
  Generator g = generator();
  Sequence s = model_.new_sequence({30, Dtype::f32});
  const Result result = g.generate(s, prompt_, up_to(GenerateOptions::unlimited));
  EXPECT_EQ(result.reason, StopReason::capacity);
  EXPECT_EQ(result.tokens, by_hand(prompt_, 10)) << "the last one needs no room";
  EXPECT_EQ(s.position(), 30);
}

TEST_P(GeneratorTest, RefusesWhatItCannotDoBeforeItRunsAnything) {
  Generator g = generator(4);
  Sequence s = model_.new_sequence({20, Dtype::f32});
  const auto code_of = [&](Tokens prompt, const GenerateOptions& options) {
    try {
      g.generate(s, prompt, options);
    } catch (const Error& error) {
      EXPECT_EQ(s.position(), 0) << error.what();
      return error.code();
    }
    ADD_FAILURE() << "expected an Error";
    return ErrorCode::io;
  };
  std::vector<std::int32_t> bad(prompt_.begin(), prompt_.begin() + 10);
  bad.back() = 97;
  EXPECT_EQ(code_of(prompt_, up_to(1)), ErrorCode::capacity);
  EXPECT_EQ(code_of({}, up_to(1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(bad, up_to(1)), ErrorCode::invalid_argument);
  bad.back() = -1;
  EXPECT_EQ(code_of(bad, up_to(1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(Tokens(prompt_).first(3), up_to(-2)), ErrorCode::invalid_argument);
  EXPECT_EQ(g.generate(s, Tokens(prompt_).first(3), up_to(1)).tokens,
            by_hand(Tokens(prompt_).first(3), 1));
}

/// A prompt of nothing is an error, of one token is not, and neither sees what was before.
TEST_P(GeneratorTest, T05_PromptsOfNoAndOneTokenAfterALongText) {
  Generator g = generator();
  Sequence s = model_.new_sequence();
  g.generate(s, prompt_, up_to(30));
  EXPECT_THROW(g.generate(s, {}, up_to(5)), Error);
  s.reset();
  const std::vector<std::int32_t> bos = {2};
  EXPECT_EQ(g.generate(s, bos, up_to(20)).tokens, by_hand(bos, 20));
}

TEST_P(GeneratorTest, T06_TheSameTextTwiceWithAnotherBetween) {
  Generator g = generator(8);
  Sequence s = model_.new_sequence();
  const std::vector<std::int32_t> other = random_tokens(model_.config(), 33, 3);
  const auto first = g.generate(s, prompt_, up_to(20)).tokens;
  s.reset();
  const auto between = g.generate(s, other, up_to(20)).tokens;
  s.reset();
  EXPECT_EQ(g.generate(s, prompt_, up_to(20)).tokens, first);
  EXPECT_EQ(between, by_hand(other, 20));
}

/// A generation may be cut in two: the last token handed out starts the second half.
TEST_P(GeneratorTest, GoesOnWhereItEnded) {
  const std::vector<std::int32_t> expected = by_hand(prompt_, 25);
  Generator g = generator();
  Sequence s = model_.new_sequence();
  std::vector<std::int32_t> found = g.generate(s, prompt_, up_to(10)).tokens;
  const std::vector<std::int32_t> last = {found.back()};
  const auto rest = g.generate(s, last, up_to(15)).tokens;
  found.insert(found.end(), rest.begin(), rest.end());
  EXPECT_EQ(found, expected);
}

/// A sequence that has met its stop id leaves the batch; the others do not notice.
TEST_P(GeneratorTest, T27_ASequenceThatStopsDoesNotChangeTheOthers) {
  constexpr std::int64_t steps = 30;
  std::vector<std::vector<std::int32_t>> prompts;
  for (std::uint32_t i = 0; i < 4; ++i) {
    prompts.push_back(random_tokens(model_.config(), 3 + 4 * i, 70 + i));
  }
  std::vector<Sequence> sequences;
  std::vector<std::vector<std::int32_t>> found(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) sequences.push_back(model_.new_sequence());
  ForwardPass pass = pass_for(model_, table(), 64);
  const auto length_of = [](std::size_t i) { return i == 3 ? std::size_t{steps} : 5 + 4 * i; };
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<std::size_t> running;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (found[i].size() == length_of(i)) continue;
      pass.add(sequences[i], step == 0 ? Tokens(prompts[i]) : Tokens(&found[i].back(), 1));
      running.push_back(i);
    }
    EXPECT_EQ(pass.rows() < static_cast<std::int64_t>(prompts.size()), step > 4);
    const MatrixView logits = pass.run();
    for (std::size_t r = 0; r < running.size(); ++r) {
      found[running[r]].push_back(pass.argmax(logits, static_cast<std::int64_t>(r)));
    }
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(found[i], by_hand(prompts[i], static_cast<std::int64_t>(length_of(i))));
  }
}

TEST_P(GeneratorTest, TimingsAreOrdered) {
  Generator g = generator();
  Sequence s = model_.new_sequence();
  const Timings t = g.generate(s, prompt_, up_to(8)).timings;
  EXPECT_GE(t.load, 0.0);
  EXPECT_GT(t.prefill, 0.0);
  EXPECT_GT(t.decode, 0.0);
  EXPECT_GE(t.first_token, t.prefill);
  EXPECT_LE(t.first_token, t.prefill + t.decode);
}

TEST(GeneratorNames, EveryReasonHasItsOwn) {
  std::vector<std::string> names;
  for (const StopReason reason :
       {StopReason::stop_id, StopReason::stop_string, StopReason::length, StopReason::capacity,
        StopReason::callback, StopReason::cancelled, StopReason::failed}) {
    names.emplace_back(name_of(reason));
    EXPECT_FALSE(names.back().empty());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

INSTANTIATE_TEST_SUITE_P(Isa, GeneratorTest, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
