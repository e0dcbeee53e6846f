// SPDX-License-Identifier: Apache-2.0
// One answer: however a text is cut into passes, whatever shares them and however many threads work
// on them, its logits and its state come out the same to the last bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "support/isa.h"
#include "support/models.h"
#include "support/random_data.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

struct Case {
  const char* name;
  ModelConfig config;
  Dtype weights;
  Dtype kv;
  std::int64_t tokens;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

std::vector<Case> cases() {
  return {
      {"griffin_w8_f32_f32", tiny_griffin(8), Dtype::f32, Dtype::f32, 37},
      {"griffin_w8_f16_bf16", tiny_griffin(8), Dtype::f16, Dtype::bf16, 37},
      {"griffin_w33_f32_f32", tiny_griffin(33), Dtype::f32, Dtype::f32, 333},
      {"griffin_w33_bf16_bf16", tiny_griffin(33), Dtype::bf16, Dtype::bf16, 104},
      {"griffin_w70_bf16_f32", tiny_griffin(70), Dtype::bf16, Dtype::f32, 215},
      {"griffin_w8_int8_f32", tiny_griffin(8), Dtype::int8, Dtype::f32, 37},
      {"griffin_w33_int4_bf16", tiny_griffin(33), Dtype::int4, Dtype::bf16, 104},
      {"silu_f32_f32", tiny_griffin_with(Activation::silu), Dtype::f32, Dtype::f32, 37},
      {"silu_int8_bf16", tiny_griffin_with(Activation::silu), Dtype::int8, Dtype::bf16, 37},
      {"gelu_erf_bf16_f32", tiny_griffin_with(Activation::gelu_erf), Dtype::bf16, Dtype::f32, 37},
      {"relu_bf16_f32", tiny_griffin_with(Activation::relu), Dtype::bf16, Dtype::f32, 37},
      {"hawk_f32", tiny_hawk(), Dtype::f32, Dtype::f32, 61},
      {"hawk_bf16", tiny_hawk(), Dtype::bf16, Dtype::f32, 61},
      {"hawk_f16", tiny_hawk(), Dtype::f16, Dtype::f32, 61},
      {"hawk_int8", tiny_hawk(), Dtype::int8, Dtype::f32, 61},
      {"hawk_int4", tiny_hawk(), Dtype::int4, Dtype::f32, 61},
      {"transformer_bf16_f32", tiny_transformer(), Dtype::bf16, Dtype::f32, 70},
      {"transformer_int8_f32", tiny_transformer(), Dtype::int8, Dtype::f32, 70},
      {"transformer_int4_bf16", tiny_transformer(), Dtype::int4, Dtype::bf16, 70},
      {"transformer_f32_f32", tiny_transformer(), Dtype::f32, Dtype::f32, 150},
      {"transformer_f32_bf16", tiny_transformer(), Dtype::f32, Dtype::bf16, 150},
      {"transformer_f16_f32", tiny_transformer(), Dtype::f16, Dtype::f32, 70},
      {"mixed_bf16_f32", tiny_mixed(), Dtype::bf16, Dtype::f32, 70},
      {"mixed_int8_bf16", tiny_mixed(), Dtype::int8, Dtype::bf16, 70},
      {"kv2_w70_f32_f32", tiny_grouped(70, 2), Dtype::f32, Dtype::f32, 215},
      {"kv2_w33_f32_bf16", tiny_grouped(33, 2), Dtype::f32, Dtype::bf16, 104},
      {"kv2_w8_bf16_f32", tiny_grouped(8, 2), Dtype::bf16, Dtype::f32, 37},
      {"kv2_w70_bf16_bf16", tiny_grouped(70, 2), Dtype::bf16, Dtype::bf16, 215},
      {"kv2_w8_int8_f32", tiny_grouped(8, 2), Dtype::int8, Dtype::f32, 37},
      {"kv2_w33_int8_bf16", tiny_grouped(33, 2), Dtype::int8, Dtype::bf16, 104},
      {"kv2_w8_int4_f32", tiny_grouped(8, 2), Dtype::int4, Dtype::f32, 37},
      {"kv2_w8_int4_bf16", tiny_grouped(8, 2), Dtype::int4, Dtype::bf16, 37},
      {"kv4_w70_f32_f32", tiny_grouped(70, 4), Dtype::f32, Dtype::f32, 215},
      {"kv4_w33_f32_bf16", tiny_grouped(33, 4), Dtype::f32, Dtype::bf16, 104},
      {"kv4_w8_bf16_f32", tiny_grouped(8, 4), Dtype::bf16, Dtype::f32, 37},
      {"kv4_w70_bf16_bf16", tiny_grouped(70, 4), Dtype::bf16, Dtype::bf16, 215},
      {"kv4_w8_int8_f32", tiny_grouped(8, 4), Dtype::int8, Dtype::f32, 37},
      {"kv4_w33_int8_bf16", tiny_grouped(33, 4), Dtype::int8, Dtype::bf16, 104},
      {"kv4_w8_int4_f32", tiny_grouped(8, 4), Dtype::int4, Dtype::f32, 37},
      {"kv4_w8_int4_bf16", tiny_grouped(8, 4), Dtype::int4, Dtype::bf16, 37},
      {"wide_f32_f32", wide_griffin(), Dtype::f32, Dtype::f32, 40},
      {"wide_bf16_bf16", wide_griffin(), Dtype::bf16, Dtype::bf16, 40},
      {"wide_int8_f32", wide_griffin(), Dtype::int8, Dtype::f32, 40},
      {"wide_int4_bf16", wide_griffin(), Dtype::int4, Dtype::bf16, 40},
  };
}

/// What a text must give.
struct Answer {
  std::vector<float> logits;
  std::vector<std::byte> state;
};

void expect_same(const Answer& found, const Answer& expected) {
  ASSERT_EQ(found.logits.size(), expected.logits.size());
  std::size_t first = 0;
  const auto same = [&](std::size_t i) {
    return std::memcmp(&found.logits[i], &expected.logits[i], sizeof(float)) == 0;
  };
  while (first < expected.logits.size() && same(first)) ++first;
  EXPECT_EQ(first, expected.logits.size()) << "logit " << first << " is the first to differ";
  EXPECT_TRUE(found.state == expected.state) << "the states differ";
}

using Parameters = std::tuple<Case, const kernels::Table*>;

class BitIdentity : public ::testing::TestWithParam<Parameters> {
 protected:
  static const Case& c() { return std::get<0>(GetParam()); }

  ForwardPass pass(std::int64_t max_rows, int threads = 1) const {
    return pass_for(model_, *std::get<1>(GetParam()), max_rows, threads);
  }

  Sequence sequence() const {
    return model_.new_sequence({capacity_for(c().config, c().tokens), c().kv});
  }

  Answer answer(ForwardPass& pass, Tokens tokens, std::vector<std::int64_t> lengths) const {
    Sequence s = sequence();
    std::vector<float> logits = run_in_chunks(pass, s, tokens, lengths);
    return {std::move(logits), state_of(s)};
  }

  /// The tokens in one pass of one thread.
  Answer reference(Tokens tokens) const {
    ForwardPass whole = pass(c().tokens);
    return answer(whole, tokens, {c().tokens});
  }

  const Model model_ = Model::random(c().config, c().weights, 7);
  const std::vector<std::int32_t> tokens_ = random_tokens(c().config, c().tokens, 11);
};

TEST_P(BitIdentity, ReferenceIsAlive) {
  const Answer expected = reference(tokens_);
  const auto finite = [](float x) { return std::isfinite(x); };
  EXPECT_TRUE(std::all_of(expected.logits.begin(), expected.logits.end(), finite));
  std::vector<std::int32_t> other = tokens_;
  other[0] = other[0] == 0 ? 1 : 0;
  EXPECT_NE(reference(other).logits, expected.logits);
}

TEST_P(BitIdentity, ChunksOfEverySize) {
  const Answer expected = reference(tokens_);
  const std::int64_t window = std::min(c().config.window, c().tokens / 2);
  ForwardPass chunks = pass(c().tokens);
  for (const std::int64_t length :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}, std::int64_t{5},
        std::int64_t{7}, window - 1, window, window + 1, c().tokens}) {
    SCOPED_TRACE("chunks of " + std::to_string(length));
    expect_same(answer(chunks, tokens_, {length}), expected);
  }
}

TEST_P(BitIdentity, RandomChunks) {
  const Answer expected = reference(tokens_);
  ForwardPass chunks = pass(c().tokens);
  for (std::uint32_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::int64_t longest = seed % 2 == 0 ? 9 : c().tokens / 2;
    expect_same(answer(chunks, tokens_, Random(seed).partition(c().tokens, longest)), expected);
  }
}

TEST_P(BitIdentity, Threads) {
  const Tokens whole = tokens_;
  const Tokens start = whole.first(std::min<std::size_t>(whole.size(), 24));
  const Answer expected = reference(whole);
  const Answer expected_start = reference(start);
  for (const int threads : {2, 3}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    ForwardPass team = pass(c().tokens, threads);
    expect_same(answer(team, whole, {c().tokens}), expected);
    expect_same(answer(team, whole, {c().tokens / 3}), expected);
    expect_same(answer(team, start, {7}), expected_start);
    expect_same(answer(team, start, {1}), expected_start);
  }
}

/// A text on its way through a batch.
struct Rider {
  std::vector<std::int32_t> tokens;
  Sequence sequence;
  std::size_t done = 0;
  std::int64_t rows = 0;  // in the pass being put together
  std::vector<float> logits;
};

/// One pass over some of the riders that have tokens left, each with a chunk of its own length.
/// They join when they are first drawn and leave when their text ends.
void ride(ForwardPass& pass, std::vector<Rider>& riders, Random& random) {
  for (Rider& rider : riders) {
    const auto left = static_cast<std::int64_t>(rider.tokens.size() - rider.done);
    const bool decodes = random.integer(0, 1) == 0;
    const bool waits = random.integer(0, 2) == 0;
    rider.rows = waits ? 0 : std::min(left, decodes ? 1 : random.integer(1, 13));
    if (rider.rows == 0) continue;
    pass.add(rider.sequence,
             Tokens(rider.tokens).subspan(rider.done, static_cast<std::size_t>(rider.rows)),
             Logits::all);
  }
  const ConstMatrixView found = pass.run();
  std::int64_t row = 0;
  for (Rider& rider : riders) {
    for (std::int64_t end = row + rider.rows; row < end; ++row) {
      rider.logits.insert(rider.logits.end(), found.row(row), found.row(row) + found.cols);
    }
    rider.done += static_cast<std::size_t>(rider.rows);
  }
  ASSERT_EQ(row, found.rows);
}

/// Texts of different lengths: some never fill the window while others have long wrapped.
TEST_P(BitIdentity, RaggedBatches) {
  for (const std::int64_t count : {1, 3, 7}) {
    const int threads = count == 3 ? 2 : 1;
    SCOPED_TRACE(std::to_string(count) + " sequences");
    std::vector<Rider> riders;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t length = std::max<std::int64_t>(1, c().tokens * (count - i) / count / 2);
      riders.push_back({random_tokens(c().config, length, static_cast<std::uint32_t>(100 + i)),
                        sequence(),
                        0,
                        0,
                        {}});
    }
    ForwardPass common = pass(13 * count, threads);
    Random random(static_cast<std::uint32_t>(count));
    const auto rides = [](const Rider& r) { return r.done < r.tokens.size(); };
    while (std::any_of(riders.begin(), riders.end(), rides)) ride(common, riders, random);
    for (Rider& rider : riders) {
      expect_same({rider.logits, state_of(rider.sequence)}, reference(rider.tokens));
    }
  }
}

std::string parameters_name(const ::testing::TestParamInfo<Parameters>& info) {
  return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param)->name;
}

/// Every case with every table that has kernels of its own for it.
std::vector<Parameters> all_parameters() {
  std::vector<Parameters> all;
  for (const Case& c : cases()) {
    for (const kernels::Table* table : all_tables()) {
      if (&lowest_like(*table, c.weights) == table) all.emplace_back(c, table);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, BitIdentity, ::testing::ValuesIn(all_parameters()), parameters_name);

}  // namespace
}  // namespace griffin::test
