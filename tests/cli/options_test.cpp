// SPDX-License-Identifier: Apache-2.0
// What the options of the programs become, value by value, and what score computes with.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "griffin/griffin.h"
#include "griffin/model/parts.h"
#include "support/divergence.h"
#include "support/draft_options.h"
#include "support/loss_by_position.h"
#include "support/options.h"
#include "support/sampling_options.h"
#include "support/stats.h"

namespace griffin::test {
namespace {

using namespace examples;

/// Options after a command line.
template <class T>
struct Parsed {
  explicit Parsed(const std::string& line) { app.parse(line); }
  CLI::App app;
  T options{app};
};

struct AllOptions {
  explicit AllOptions(CLI::App& app) : common(app, 512), sampling(app), drafting(app) {
    common.add_capacity("room");
    common.add_greedy_head();
  }
  CommonOptions common;
  SamplingFlags sampling;
  DraftFlags drafting;
};

const Model& embedded() {
  static const Model m = Model::load(embedded_folder());
  return m;
}

SamplingOptions sampling_of(const std::string& line) {
  return Parsed<AllOptions>(line).options.sampling.sampling(embedded());
}

TEST(SamplingFlags, EachSetsItsOwn) {
  const SamplingOptions all = sampling_of(
      "--temp 0.5 --top-k 7 --top-p 0.6 --min-p 0.25 --repeat-penalty 1.5 --repeat-last-n 9 "
      "--presence-penalty 0.75 --frequency-penalty 0.125 -s 11 -l 3+2.5 -l 2047-inf");
  EXPECT_EQ(all.temperature, 0.5F);
  EXPECT_EQ(all.top_k, 7);
  EXPECT_EQ(all.top_p, 0.6F);
  EXPECT_EQ(all.min_p, 0.25F);
  EXPECT_EQ(all.repeat_penalty, 1.5F);
  EXPECT_EQ(all.penalty_last_n, 9);
  EXPECT_EQ(all.presence_penalty, 0.75F);
  EXPECT_EQ(all.frequency_penalty, 0.125F);
  EXPECT_EQ(all.seed, 11U);
  ASSERT_EQ(all.logit_bias.size(), 2U);
  EXPECT_EQ(all.logit_bias[0].id, 3);
  EXPECT_EQ(all.logit_bias[0].bias, 2.5F);
  EXPECT_EQ(all.logit_bias[1].id, 2047) << "the last one there is";
  EXPECT_EQ(all.logit_bias[1].bias, -std::numeric_limits<float>::infinity());
  EXPECT_THROW(sampling_of("-l 2048+1"), UsageError);
}

TEST(SamplingFlags, Defaults) {
  const SamplingOptions none = sampling_of("");
  EXPECT_EQ(none.temperature, 0.0F);
  EXPECT_EQ(none.top_k, 40);
  EXPECT_EQ(none.top_p, 0.95F);
  EXPECT_EQ(none.min_p, 0.05F);
  EXPECT_EQ(none.repeat_penalty, 1.0F);
  EXPECT_EQ(none.penalty_last_n, 64);
  EXPECT_EQ(none.presence_penalty, 0.0F);
  EXPECT_EQ(none.frequency_penalty, 0.0F);
  EXPECT_EQ(none.seed, 0U);
  EXPECT_TRUE(none.logit_bias.empty());
}

/// Numbers of llama.cpp that the library has no meaning for, and those that it has.
TEST(SamplingFlags, WhatTurnsThingsOff) {
  EXPECT_EQ(sampling_of("--repeat-last-n -1").penalty_last_n, 1 << 20);
  EXPECT_EQ(sampling_of("--repeat-last-n 0").penalty_last_n, 0);
  EXPECT_EQ(sampling_of("--repeat-last-n 1048576").penalty_last_n, 1 << 20);
  EXPECT_THROW(sampling_of("--repeat-last-n 1048577"), CLI::ParseError);
  EXPECT_EQ(sampling_of("--temp -1").temperature, 0.0F);
  EXPECT_EQ(sampling_of("--top-k -3").top_k, 0);
  EXPECT_EQ(sampling_of("--top-p 1.5").top_p, 1.0F);
  EXPECT_NE(sampling_of("-s -1").seed, sampling_of("-s -1").seed);
}

/// The stop ids of the model, and none of them where they are forbidden.
TEST(SamplingFlags, ForbidsEveryId) {
  SamplingOptions sampling;
  examples::SamplingFlags::forbid({4, 9}, sampling);
  ASSERT_EQ(sampling.logit_bias.size(), 2U);
  EXPECT_EQ(sampling.logit_bias[0].id, 4);
  EXPECT_EQ(sampling.logit_bias[1].id, 9);
  for (const LogitBias& b : sampling.logit_bias) EXPECT_EQ(b.bias, -INFINITY);
}

TEST(DraftFlags, EachSetsItsOwn) {
  const Parsed<AllOptions> parsed("--lookup 3 --draft int4 --draft-max 64");
  EXPECT_EQ(parsed.options.drafting.lookup(), 3);
  EXPECT_TRUE(parsed.options.drafting.guesses());
  const DraftOptions draft =
      parsed.options.drafting.load(parsed.options.common, embedded(), nullptr);
  EXPECT_EQ(draft.most, 64);
  EXPECT_EQ(draft.model->dtype(), Dtype::int4);
  EXPECT_FALSE(Parsed<AllOptions>("").options.drafting.guesses());
  EXPECT_TRUE(Parsed<AllOptions>("--lookup 1").options.drafting.guesses());
  EXPECT_EQ(Parsed<AllOptions>("--draft int4")
                .options.drafting.load(parsed.options.common, embedded(), nullptr)
                .most,
            8);
}

bool is_mapped(const std::string& file) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(file)) return true;
  }
  return false;
}

TEST(ModelOptions, MmapAndItsAbsence) {
  if (!std::ifstream("/proc/self/maps")) GTEST_SKIP() << "no list of what is mapped";
  const std::string hawk = (embedded_folder().parent_path() / "hawk").string();
  const std::string weights = hawk + "/model.safetensors";
  ASSERT_FALSE(is_mapped(weights));
  const Parsed<AllOptions> read("-m " + hawk + " --no-mmap");
  const Model in_memory = read.options.common.load_model();
  EXPECT_FALSE(is_mapped(weights));
  const Parsed<AllOptions> mapped("-m " + hawk);
  const Model on_disk = mapped.options.common.load_model();
  EXPECT_TRUE(is_mapped(weights));
  EXPECT_EQ(in_memory.fingerprint(), on_disk.fingerprint());
}

TEST(ModelOptions, TypesAreThoseOfTheLibrary) {
  const auto of = [](const std::string& line) {
    return Parsed<AllOptions>(line).options.common.load_model();
  };
  const auto operand = [](const Model& m) { return m.parts().lm_head.linear.operand; };
  EXPECT_EQ(of("").dtype(), Dtype::bf16);
  EXPECT_EQ(operand(of("")), Operand::bf16);
  EXPECT_EQ(of("--dtype f32").dtype(), Dtype::bf16) << "as stored";
  EXPECT_EQ(operand(of("--dtype f32")), Operand::f32);
  EXPECT_EQ(of("--dtype int8").dtype(), Dtype::int8);
  EXPECT_EQ(of("--dtype int4").dtype(), Dtype::int4);
  EXPECT_EQ(of("--greedy-head").parts().weights.screen > 0, true);
  EXPECT_EQ(of("").parts().weights.screen, 0U);
  const std::string hawk = "-m " + std::string(GRIFFIN_SOURCE_DIR) + "/tests/goldens/hawk-a";
  EXPECT_EQ(of(hawk).dtype(), Dtype::f32);
  EXPECT_EQ(of(hawk + " --dtype bf16").dtype(), Dtype::bf16);
  for (const auto& [name, dtype] : {std::pair("auto", Dtype::bf16),
                                    {"f32", Dtype::f32},
                                    {"bf16", Dtype::bf16},
                                    {"int8", Dtype::int8},
                                    {"int4", Dtype::int4}}) {
    EXPECT_EQ(random_dtype(name), dtype);
  }
}

TEST(ModelOptions, OtherNumbers) {
  const Parsed<AllOptions> parsed("-t 3 -c 99 --kv-dtype bf16 --window 5 --chunk 7");
  const CommonOptions& common = parsed.options.common;
  EXPECT_EQ(common.threads(), 3);
  EXPECT_EQ(common.capacity(), 99);
  EXPECT_EQ(common.chunk(100), 7);
  EXPECT_EQ(common.chunk(6), 6);
  EXPECT_EQ(common.chunk(0), 1);
  EXPECT_EQ(common.sequence_options(std::int64_t{12}).capacity, 12);
  EXPECT_EQ(common.sequence_options(embedded()).capacity, 99);
  EXPECT_EQ(common.sequence_options(embedded()).kv, Dtype::bf16);
  EXPECT_EQ(common.load_model().config().window, 5);
  const Parsed<AllOptions> none("");
  EXPECT_EQ(none.options.common.threads(), available_cores());
  EXPECT_EQ(none.options.common.chunk(1000), 512);
  EXPECT_EQ(none.options.common.sequence_options(embedded()).kv, Dtype::f32);
  EXPECT_EQ(Parsed<AllOptions>("-t 0").options.common.threads(), available_cores());
}

/// Of random weights, too.
TEST(ModelOptions, AWindowOfAShape) {
  const Parsed<AllOptions> parsed("--random griffin-100m --window 17 --dtype int4");
  EXPECT_EQ(parsed.options.common.load_model().config().window, 17);
}

TEST(Stats, SayWhatTheyAreOf) {
  EXPECT_EQ(per_second(30, 2.0), "30 tokens, 2.000 s, 15.0 tokens/s");
  EXPECT_EQ(per_second(30, 0.0), "30 tokens, 0.000 s, 0.0 tokens/s");
  EXPECT_EQ(megabytes(2'345'678), "2.35 MB");
  EXPECT_EQ(milliseconds(0.0125), "12.5 ms");
  Result all;
  all.guessed = 8;
  all.accepted = 6;
  all.decode_passes = 4;
  all.fed_back = 10;
  all.draft_passes = 3;
  EXPECT_EQ(guess_rates(all),
            "8 guessed, 6 accepted (75.0 %), 4 passes, 2.50 tokens a pass, 3 draft passes");
}

/// p = (1/2, 1/2) from the reference, q = (3/4, 1/4).
TEST(Divergence, IsFromTheReference) {
  const std::vector<float> even = {2.0F, 2.0F};
  const std::vector<float> uneven = {1.0F + std::log(3.0F), 1.0F};
  EXPECT_NEAR(kl_divergence(even, uneven), 0.5 * std::log(4.0 / 3.0), 1e-7);
  EXPECT_NEAR(kl_divergence(uneven, even), 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-7);
  EXPECT_NEAR(kl_divergence(even, even), 0.0, 1e-12);
}

TEST(Divergence, IsTheMeanOfAllRows) {
  std::vector<float> a = {2.0F, 2.0F, 5.0F, 0.0F, 0.0F, 1.0F, 0.0F, 1.0F};  // [4, 2]
  std::vector<float> b = {1.0F + std::log(3.0F), 1.0F, 5.0F, 0.0F, 1.0F, 0.0F, 0.0F, 1.0F};
  for (const int threads : {1, 2}) {
    Divergence divergence;
    divergence.add({a.data(), 3, 2}, {b.data(), 3, 2}, threads);
    divergence.add({a.data() + 6, 1, 2}, {b.data() + 6, 1, 2}, threads);
    EXPECT_DOUBLE_EQ(divergence.same_argmax(), 0.75) << "all but the third";
    double sum = 0.0;
    for (std::size_t r = 0; r < 8; r += 2) {
      sum += kl_divergence(std::span(a).subspan(r, 2), std::span(b).subspan(r, 2));
    }
    EXPECT_DOUBLE_EQ(divergence.mean_kl(), sum / 4.0);
  }
}

TEST(LossByPosition, ABorderBelongsToWhatEndsThere) {
  LossByPosition losses;
  for (std::int64_t position = 1; position <= 21; ++position) {
    losses.add(position, position == 16 ? 100.0 : position == 20 ? 10.0 : 0.0);
  }
  const auto rows = losses.rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].position, 16);
  EXPECT_EQ(rows[0].tokens, 16);
  EXPECT_DOUBLE_EQ(rows[0].loss, 100.0 / 16.0);
  EXPECT_EQ(rows[1].position, 20);
  EXPECT_EQ(rows[1].tokens, 20);
  EXPECT_DOUBLE_EQ(rows[1].loss, 10.0 / 4.0);
  EXPECT_DOUBLE_EQ(rows[1].mean_loss, 110.0 / 20.0);
  EXPECT_EQ(rows[2].position, 21);
  EXPECT_DOUBLE_EQ(rows[2].loss, 0.0);
}

}  // namespace
}  // namespace griffin::test
