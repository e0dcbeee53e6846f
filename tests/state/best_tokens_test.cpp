// SPDX-License-Identifier: Apache-2.0
// The most likely tokens of a pass, with a greedy head and without: those of its logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "griffin/generate/tokenizer.h"
#include "support/allocation_counter.h"
#include "support/goldens.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// In passes of so many tokens, by so many threads.
struct Cut {
  std::size_t chunk;
  int threads;
};

std::vector<std::int32_t> ids_of(std::span<const BestToken> best) {
  std::vector<std::int32_t> ids;
  for (const BestToken& token : best) ids.push_back(token.id);
  return ids;
}

class BestTokensTest : public IsaTest {
 protected:
  static ForwardPass pass(const Model& model, std::int64_t max_rows, int threads = 1) {
    return ForwardPass(model, {.threads = threads,
                               .max_rows = max_rows,
                               .max_logits = max_rows,
                               .kernels = &table(),
                               .work_per_thread = 1});
  }
  static Sequence sequence(const Model& model) {
    return model.new_sequence({capacity_for(model.config(), 500), Dtype::f32});
  }

  /// Of every token the argmax of its logits.
  static std::vector<std::int32_t> expected(const Model& model, Tokens tokens) {
    const auto rows = static_cast<std::int64_t>(tokens.size());
    ForwardPass p = pass(model, rows);
    Sequence s = sequence(model);
    p.add(s, tokens, Logits::all);
    const ConstMatrixView logits = p.run();
    EXPECT_TRUE(p.best().empty());
    std::vector<std::int32_t> ids;
    for (std::int64_t r = 0; r < rows; ++r) ids.push_back(p.argmax(logits, r));
    return ids;
  }

  static std::vector<std::int32_t> found(const Model& model, Tokens tokens, Cut cut,
                                         BestTokenCounts& counts) {
    ForwardPass p = pass(model, static_cast<std::int64_t>(cut.chunk), cut.threads);
    Sequence s = sequence(model);
    std::vector<std::int32_t> ids;
    for (; !tokens.empty(); tokens = tokens.subspan(std::min(cut.chunk, tokens.size()))) {
      p.add(s, tokens.first(std::min(cut.chunk, tokens.size())), Logits::best_of_all);
      EXPECT_EQ(p.run().rows, 0);
      const auto part = ids_of(p.best());
      ids.insert(ids.end(), part.begin(), part.end());
    }
    counts = p.best_token_counts();
    return ids;
  }

  /// However the text is cut. Returns how the head was read when it was read token by token.
  static BestTokenCounts expect_the_same(const Model& model, Tokens tokens) {
    const std::vector<std::int32_t> ids = expected(model, tokens);
    BestTokenCounts counts;
    for (const Cut cut : {Cut{tokens.size(), 2}, Cut{9, 1}, Cut{2, 2}, Cut{1, 1}}) {
      EXPECT_EQ(found(model, tokens, cut, counts), ids)
          << cut.chunk << " at once, " << cut.threads << " threads";
      EXPECT_EQ(counts.rows, static_cast<std::int64_t>(tokens.size()));
    }
    return counts;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, BestTokensTest, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(BestTokensTest, AreThoseOfTheLogits) {
  for (const NamedConfig& named : tiny_models()) {
    SCOPED_TRACE(named.name);
    const Model model = Model::random(named.config, Dtype::bf16, 5);
    const auto tokens = random_tokens(model.config(), 40, 6);
    EXPECT_EQ(expect_the_same(model, tokens).screened, 0);
    const BestTokenCounts counts = expect_the_same(model.with_greedy_head(), tokens);
    EXPECT_GT(counts.screened, 20);
    EXPECT_GE(counts.candidates, counts.screened);
  }
}

TEST_P(BestTokensTest, AreThoseOfTheLogitsOfAWiderModel) {
  ModelConfig config = wide_griffin();
  config.vocab = 5003;
  for (const bool tied : {true, false}) {
    config.tied_head = tied;
    const Model model = Model::random(config, Dtype::bf16, 2).with_greedy_head();
    const BestTokenCounts counts = expect_the_same(model, random_tokens(config, 30, 3));
    EXPECT_EQ(counts.screened, 30);
    EXPECT_LE(counts.candidates, 30 * 250);
  }
}

/// Other weights have no greedy head; the tokens are found all the same.
TEST_P(BestTokensTest, AreThoseOfTheLogitsOfOtherWeights) {
  for (const Dtype dtype : {Dtype::f32, Dtype::int8, Dtype::int4}) {
    const Model model = Model::random(tiny_griffin(8), dtype, 5);
    expect_the_same(model, random_tokens(model.config(), 40, 6));
  }
}

TEST_P(BestTokensTest, AreThoseOfTheLogitsOfTrainedModels) {
  const std::filesystem::path models = GRIFFIN_SOURCE_DIR "/examples/models";
  std::ifstream in(models / "heldout.txt");
  std::stringstream text;
  text << in.rdbuf();
  for (const char* name : {"griffin", "hawk", "mqa", "griffin-700"}) {
    SCOPED_TRACE(name);
    const Model model = Model::load(models / name, {.weights = Dtype::bf16}).with_greedy_head();
    const Tokenizer tokenizer = Tokenizer::load(models / name);
    const auto tokens = tokenizer.encode(text.str().substr(0, 900));
    ASSERT_GT(tokens.size(), 100U);
    const BestTokenCounts counts = expect_the_same(model, Tokens(tokens).first(100));
    EXPECT_GT(counts.screened, 90);
    RecordProperty(name,
                   std::to_string(counts.candidates) + " of " + std::to_string(counts.screened));
  }
}

TEST_P(BestTokensTest, AreThoseOfTheLogitsOfGoldenModels) {
  for (const std::string& name : golden_models()) {
    SCOPED_TRACE(name);
    const Model model =
        Model::load(goldens_root() / name, {.weights = Dtype::bf16}).with_greedy_head();
    EXPECT_GT(expect_the_same(model, random_tokens(model.config(), 40, 8)).screened, 0);
  }
}

/// Texts of several lengths, one token of each in every pass, go on as each does alone.
TEST_P(BestTokensTest, AreTheSameInABatch) {
  const Model model = Model::random(wide_griffin(), Dtype::bf16, 3).with_greedy_head();
  const auto prompt = random_tokens(model.config(), 20, 4);
  ForwardPass together = pass(model, 60, 2);
  ForwardPass alone = pass(model, 20);
  std::vector<Sequence> texts;
  std::vector<Sequence> twins;
  for (std::size_t i = 0; i < 3; ++i) {
    texts.push_back(model.new_sequence());
    twins.push_back(model.new_sequence());
  }
  std::vector<Tokens> fed = {Tokens(prompt).first(5), Tokens(prompt).first(12),
                             Tokens(prompt).first(19)};
  for (std::size_t i = 0; i < 3; ++i) together.add(texts[i], fed[i], Logits::best_of_last);
  std::vector<std::int32_t> next(3);
  for (int step = 0; step < 20; ++step) {
    together.run();
    const std::vector<std::int32_t> found = ids_of(together.best());
    ASSERT_EQ(found.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      alone.add(twins[i], fed[i]);
      EXPECT_EQ(found[i], alone.argmax(alone.run(), 0)) << "text " << i << ", step " << step;
    }
    next = found;
    for (std::size_t i = 0; i < 3; ++i) {
      fed[i] = {&next[i], 1};
      together.add(texts[i], fed[i], Logits::best_of_last);
    }
  }
  EXPECT_EQ(together.best_token_counts().screened, 60);
}

TEST_P(BestTokensTest, StandBesideLogitsInOnePass) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 5).with_greedy_head();
  const auto tokens = random_tokens(model.config(), 12, 6);
  const std::vector<std::int32_t> ids = expected(model, tokens);
  ForwardPass p = pass(model, 36);
  std::vector<Sequence> s;
  for (int i = 0; i < 3; ++i) s.push_back(model.new_sequence());
  p.add(s[0], tokens, Logits::best_of_last);
  p.add(s[1], Tokens(tokens).first(5), Logits::all);
  p.add(s[2], Tokens(tokens).first(3), Logits::best_of_all);
  const ConstMatrixView logits = p.run();
  ASSERT_EQ(logits.rows, 5);
  for (std::int64_t r = 0; r < 5; ++r) {
    EXPECT_EQ(p.argmax(logits, r), ids[static_cast<std::size_t>(r)]);
  }
  EXPECT_EQ(ids_of(p.best()), (std::vector{ids[11], ids[0], ids[1], ids[2]}));
  EXPECT_EQ(p.best_token_counts().screened, 0);  // the head was read for the logits
  p.add(s[1], Tokens(tokens).subspan(5, 7), Logits::best_of_last);
  p.add(s[2], Tokens(tokens).subspan(3, 9), Logits::none);
  p.run();
  EXPECT_EQ(ids_of(p.best()), (std::vector{ids[11]}));
  EXPECT_EQ(p.best_token_counts().screened, 1);
  p.run();
  EXPECT_TRUE(p.best().empty());
}

TEST_P(BestTokensTest, CountAsRowsOfLogits) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 5);
  const auto tokens = random_tokens(model.config(), 6, 6);
  ForwardPass p(model, {.threads = 1, .max_rows = 12, .max_logits = 6, .kernels = &table()});
  Sequence a = model.new_sequence();
  Sequence b = model.new_sequence();
  p.add(a, Tokens(tokens).first(4), Logits::best_of_all);
  EXPECT_THROW(p.add(b, Tokens(tokens).first(3), Logits::all), Error);
  EXPECT_THROW(p.add(b, Tokens(tokens).first(3), Logits::best_of_all), Error);
  p.add(b, Tokens(tokens).first(2), Logits::all);
  EXPECT_EQ(p.run().rows, 2);
  EXPECT_EQ(p.best().size(), 4U);
  p.add(a, Tokens(tokens).first(2), Logits::best_of_all);
  p.clear();
  p.run();
  EXPECT_TRUE(p.best().empty());
}

TEST_P(BestTokensTest, AreFoundForTriedTokens) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 5).with_greedy_head();
  const auto tokens = random_tokens(model.config(), 9, 6);
  ForwardPass p = pass(model, 9);
  Sequence s = model.new_sequence();
  Journal journal(s.layout(), 9);
  p.try_out(s, tokens, journal, Logits::best_of_all);
  p.run();
  EXPECT_EQ(ids_of(p.best()), expected(model, tokens));
  EXPECT_EQ(s.position(), 0);
}

/// Of a damaged model: as many as its logits have, and the same token.
TEST_P(BestTokensTest, SayWhatIsNotANumber) {
  const Model model = Model::random(tiny_griffin(8), Dtype::bf16, 5).with_greedy_head();
  ModelParts parts = model.parts();
  std::vector<float> weight(static_cast<std::size_t>(parts.final_norm.width), 0.0F);
  weight[3] = std::numeric_limits<float>::quiet_NaN();
  parts.final_norm.weight = weight.data();
  const Model damaged = Model::assemble(std::move(parts));
  ASSERT_NE(damaged.parts().head_screen, nullptr);
  const auto tokens = random_tokens(model.config(), 3, 6);
  ForwardPass p = pass(damaged, 3);
  Sequence s = damaged.new_sequence();
  p.add(s, tokens, Logits::best_of_all);
  p.run();
  ASSERT_EQ(p.best().size(), 3U);
  for (const BestToken& token : p.best()) {
    EXPECT_EQ(token.not_numbers, 97);
    EXPECT_EQ(token.id, 0);
  }
  EXPECT_EQ(p.best_token_counts().screened, 0);
}

TEST_P(BestTokensTest, TakeNothingFromTheHeap) {
  const Model model = Model::random(wide_griffin(), Dtype::bf16, 1).with_greedy_head();
  for (const int threads : {1, 2}) {
    ForwardPass p = pass(model, 24, threads);
    Sequence s = model.new_sequence();
    const auto tokens = random_tokens(model.config(), 24, 90);
    const auto run = [&] {
      s.reset();
      p.add(s, tokens, Logits::best_of_all);
      p.run();
      std::int32_t next = p.best().back().id;
      for (int step = 0; step < 5; ++step) {
        p.add(s, {&next, 1}, Logits::best_of_last);
        p.run();
        next = p.best()[0].id;
      }
    };
    run();
    const std::int64_t before = allocations();
    run();
    EXPECT_EQ(allocations() - before, 0);
    EXPECT_EQ(p.context().workspace.used(), 0U);
    EXPECT_GT(p.best_token_counts().screened, 0);
  }
}

TEST(GreedyHead, LeavesTheModelWhatItWas) {
  const Model plain = Model::random(tiny_griffin(8), Dtype::bf16, 5);
  const Model greedy = plain.with_greedy_head();
  EXPECT_EQ(greedy.fingerprint(), plain.fingerprint());
  EXPECT_EQ(greedy.state_layout(), plain.state_layout());
  EXPECT_EQ(plain.parts().head_screen, nullptr);
  EXPECT_EQ(greedy.parts().lm_head.linear.weight.data, plain.parts().lm_head.linear.weight.data);
  const std::uint64_t blocks = 7 * kernels::int8_block;  // [97, 48]
  EXPECT_EQ(greedy.weight_bytes(), plain.weight_bytes() + blocks + 97 * 2 * sizeof(float));
  EXPECT_EQ(greedy.with_greedy_head().weight_bytes(), greedy.weight_bytes());
  Sequence sequence = plain.new_sequence();
  ForwardPass pass(greedy, {.threads = 1});
  pass.add(sequence, std::vector<std::int32_t>{1, 2, 3}, Logits::best_of_last);
  pass.run();
  EXPECT_EQ(pass.best_token_counts().screened, 1);
}

TEST(GreedyHead, IsRefusedWhereItDoesNotFit) {
  const auto expect_refusal = [](const Model& model, const std::string& found) {
    try {
      (void)model.with_greedy_head();
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("expected a head of bf16 weights by bf16"),
                std::string::npos);
      EXPECT_NE(std::string(error.what()).find("found " + found), std::string::npos)
          << error.what();
    }
  };
  expect_refusal(Model::random(tiny_griffin(8), Dtype::f32, 5), "f32 by f32");
  expect_refusal(Model::random(tiny_griffin(8), Dtype::int8, 5), "int8 by int8");
  expect_refusal(Model::random(tiny_griffin(8), Dtype::int4, 5), "int4 by int8");
  expect_refusal(Model::load(GRIFFIN_SOURCE_DIR "/tests/goldens/griffin-a-bf16",
                             {.activations = Operand::f32}),
                 "bf16 by f32");
  ModelParts parts = Model::random(tiny_griffin(8), Dtype::bf16, 5).with_greedy_head().parts();
  parts.lm_head = Model::random(tiny_griffin(8), Dtype::bf16, 6).parts().lm_head;
  EXPECT_THROW((void)Model::assemble(std::move(parts)), Error);
}

}  // namespace
}  // namespace griffin::test
