// SPDX-License-Identifier: Apache-2.0
// Texts for which there is no memory: every allocation fails once.
#include <gtest/gtest.h>

#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "faults/small_tokenizer.h"
#include "griffin/core/parallel.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/text_generator.h"
#include "griffin/generate/tokenizer.h"
#include "support/checkpoint_writer.h"
#include "support/faults/failing_allocations.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using Ids = std::vector<std::int32_t>;

/// What there is to compare of a text.
struct Text {
  Ids tokens;
  std::string text;
  StopReason reason;
  std::vector<float> logprobs;
  std::string streamed;
  bool operator==(const Text&) const = default;
};

class MemoryOfTexts : public testing::Test {
 protected:
  MemoryOfTexts() {
    checkpoint_ = random_checkpoint(config(), Dtype::bf16, 1);
    checkpoint_.write(folder_.path());
    folder_.write("tokenizer.json", small_tokenizer());
    options_.tokenizer = &tokenizer();
    options_.max_new_tokens = 12;
    options_.stop_ids = Ids{};
  }
  void SetUp() override {
    if (!allocations_can_fail) GTEST_SKIP() << "operator new is the sanitizer's own";
  }

  static ModelConfig config() {
    ModelConfig all = two_layers();
    all.vocab = 13;
    all.bos_id = 2;
    return all;
  }

  const Tokenizer& tokenizer() {
    if (!tokenizer_) tokenizer_.emplace(Tokenizer::load(folder_.path()));
    return *tokenizer_;
  }

  /// With memory for the text itself, which is not what is to fail.
  Text generate(Generator& generator, Sequence& sequence) const {
    Text text{};
    text.streamed.reserve(1024);
    GenerateOptions options = options_;
    options.on_text = [&](std::string_view piece) {
      text.streamed += piece;
      return Flow::proceed;
    };
    sequence.reset();
    Result result = generator.generate(sequence, prompt_, options);
    text.tokens = std::move(result.tokens);
    text.text = std::move(result.text);
    text.reason = result.reason;
    text.logprobs = std::move(result.logprobs);
    return text;
  }

  /// By a generator that is made for it, and by one that goes on after every failure.
  void sweep(const GeneratorOptions& options) {
    const auto anew = [&] {
      Generator generator(model_, options);
      Sequence sequence = model_.new_sequence();
      return generate(generator, sequence);
    };
    EXPECT_GT(fail_every_allocation(anew), 30);
    Generator generator(model_, options);
    Sequence sequence = model_.new_sequence();
    EXPECT_GT(fail_every_allocation([&] { return generate(generator, sequence); }), 5);
  }

  CheckpointToWrite checkpoint_;
  TempFolder folder_{fast_folder()};
  std::optional<Tokenizer> tokenizer_;
  Model model_ = small_model(13);
  Ids prompt_ = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1};
  GenerateOptions options_;
};

TEST_F(MemoryOfTexts, Tokenizers) {
  const std::int64_t descriptors = open_descriptors();
  const auto use = [&] {
    const Tokenizer loaded = Tokenizer::load(folder_.path());
    const Ids ids = loaded.encode(text_of_all_kinds);
    return std::tuple(ids, loaded.decode(ids), loaded.find("cab"), loaded.spelling(12));
  };
  const Ids ids = std::get<0>(use());
  EXPECT_EQ(ids, (Ids{0, 3, 7, 3, 9, 3, 1, 4, 5, 3, 6, 2}));
  const auto look = [&] { EXPECT_EQ(open_descriptors(), descriptors); };
  EXPECT_GT(fail_every_allocation(use, {.after_fault = look}), 400);
}

TEST_F(MemoryOfTexts, Greedy) {
  options_.stop_strings = {"never", "cabcabcab"};
  sweep({.threads = 1});
}

TEST_F(MemoryOfTexts, Drawn) {
  options_.sampling.temperature = 0.8F;
  options_.sampling.top_k = 9;
  options_.sampling.top_p = 0.95F;
  options_.sampling.repeat_penalty = 1.1F;
  options_.sampling.logit_bias = {{5, 0.5F}};
  options_.top_logprobs = 2;
  sweep({.threads = 1});
}

TEST_F(MemoryOfTexts, WithLookup) {
  options_.max_new_tokens = 24;
  sweep({.threads = 1, .lookup = 4, .guessing = Guessing::always});
}

TEST_F(MemoryOfTexts, WithADraft) {
  options_.max_new_tokens = 24;
  GeneratorOptions options{.threads = 1, .lookup = 2, .guessing = Guessing::always};
  options.draft = {.model = small_model(13, 2), .most = 3};
  sweep(options);
}

/// Which survives a lack of memory once it is loaded, as long as it encodes nothing.
TEST_F(MemoryOfTexts, DecodedBySentencePiece) {
  const Tokenizer pieces = Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin");
  model_ = small_model(pieces.size());
  options_.tokenizer = &pieces;
  options_.stop_strings = {"never in it"};
  sweep({.threads = 1});
}

TEST_F(MemoryOfTexts, WithAGreedyHead) {
  model_ = small_model(13).with_greedy_head();
  sweep({.threads = 1});
}

/// Where there is no memory for helpers, there are fewer of them or none. (The first one of a
/// thread is made before: glibc ends the process where it cannot note that there is something to
/// destroy.)
TEST_F(MemoryOfTexts, ByThreeThreads) {
  const Model model = Model::random(wide_griffin(), Dtype::bf16, 1);
  const Ids prompt = random_tokens(model.config(), 8, 1);
  Generator generator(model, {.threads = 3});
  GenerateOptions options;
  options.max_new_tokens = 2;
  const auto tokens = [&] {
    Sequence sequence = model.new_sequence();
    return generator.generate(sequence, prompt, options).tokens;
  };
  const Ids expected = tokens();
  std::int64_t failed = 0;
  for (bool struck = true; struck && failed < 100; ++failed) {
    std::thread([&] {
      parallel_for(2, 2, 1, [](std::int64_t, std::int64_t) {});
      const FailingAllocation failing(failed + 1);
      try {
        EXPECT_EQ(tokens(), expected);
      } catch (const std::bad_alloc&) {
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::capacity);
      }
      struck = failing.struck();
    }).join();
    EXPECT_EQ(tokens(), expected);
  }
  EXPECT_GT(failed, 10);
  EXPECT_LT(failed, 100);
}

TEST_F(MemoryOfTexts, FromTextToText) {
  TextGeneratorOptions options;
  options.generator.threads = 1;
  options.text.max_new_tokens = 6;
  TextGenerator generator(folder_.path(), options);
  const auto generate = [&] { return generator.generate("cab b\u0363").tokens; };
  EXPECT_GT(fail_every_allocation(generate), 20);
  const auto converse = [&] {
    generator.reset();
    std::string said = generator.reply("cab").text;
    return said + "|" + generator.reply("ab").text;
  };
  EXPECT_GT(fail_every_allocation(converse), 50);
}

/// A turn that there was no memory for can be said again.
TEST_F(MemoryOfTexts, AConversationGoesOn) {
  TextGeneratorOptions options;
  options.generator.threads = 1;
  options.text.max_new_tokens = 6;
  TextGenerator generator(folder_.path(), options);
  const auto second = [&] {
    generator.reset();
    generator.reply("cab");
    return generator.reply("ab").tokens;
  };
  const Ids expected = second();
  for (std::int64_t nth = 1, struck = 1; struck != 0; ++nth) {
    generator.reset();
    generator.reply("cab");
    bool threw = false;
    {
      const FailingAllocation failing(nth);
      try {
        generator.reply("ab");
      } catch (const std::bad_alloc&) {
        threw = true;
      } catch (const Error&) {
        threw = true;
      }
      struck = failing.struck() ? 1 : 0;
    }
    if (threw) {
      EXPECT_EQ(generator.reply("ab").tokens, expected) << nth;
    }
  }
}

}  // namespace
}  // namespace griffin::test
