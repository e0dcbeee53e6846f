// SPDX-License-Identifier: Apache-2.0
// Folders as transformers saved them, against its own logits and greedy tokens: on every
// instruction set, in one pass and token by token.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <tuple>
#include <vector>

#include "griffin/model/model.h"
#include "support/goldens.h"
#include "support/isa.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr double transformers_limit = 2e-4;  // of a logit, in float32 arithmetic

/// What the greedy tokens follow: so many of the tokens that there are logits of.
constexpr std::size_t prompt_length = 12;

/// The folders of tests/goldens/transformers: one line for each.
const char* const folders[] = {
    "attention-bias",  // of queries, keys and values
    "gelu-exact",
    "gelu-new",
    "half-sharded",           // float16, in six shards
    "kv-heads-2",             // two key/value heads for four heads
    "kv-heads-all",           // one a head
    "layers-attention-only",  // with two key/value heads
    "rotary-all",             // partial_rotary_factor 1
    "silu",
    "untied",  // an lm_head of its own
};

std::filesystem::path root() {
  return goldens_root() / "transformers";
}

using Parameters = std::tuple<const char*, const kernels::Table*>;

class TransformersGoldens : public ::testing::TestWithParam<Parameters> {
 protected:
  static std::filesystem::path folder() { return root() / std::get<0>(GetParam()); }
  static const kernels::Table& table() { return *std::get<1>(GetParam()); }

  const Model model_ = Model::load(folder(), {.activations = Operand::f32});
  const Goldens goldens_{folder() / "expected.safetensors"};
  const std::vector<std::int32_t> tokens_ = goldens_.ints("tokens").values;
  const std::vector<float> logits_ = goldens_.floats("logits").values;  // [tokens, vocab]
};

TEST_P(TransformersGoldens, Logits) {
  const auto length = static_cast<std::int64_t>(tokens_.size());
  ForwardPass pass = pass_for(model_, table(), length);
  for (const std::int64_t chunk : {length, std::int64_t{1}}) {
    Sequence sequence = model_.new_sequence({.capacity = length});
    const std::int64_t lengths[] = {chunk};
    const std::vector<float> found = run_in_chunks(pass, sequence, tokens_, lengths);
    EXPECT_LE(max_abs_difference(found, logits_), transformers_limit) << "in passes of " << chunk;
  }
}

TEST_P(TransformersGoldens, GreedyTokens) {
  const std::vector<std::int32_t> greedy = goldens_.ints("greedy").values;
  const auto count = static_cast<std::int64_t>(greedy.size());
  ForwardPass pass = pass_for(model_, table(), prompt_length);
  Sequence sequence =
      model_.new_sequence({.capacity = static_cast<std::int64_t>(prompt_length) + count});
  const Tokens prompt = Tokens(tokens_).first(prompt_length);
  EXPECT_EQ(continue_greedily(pass, sequence, prompt, count), greedy);
}

/// A folder that no line names would be there for nothing.
TEST(TransformersGoldensFolders, AllAreRead) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(root())) {
    found.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> named(std::begin(folders), std::end(folders));
  std::sort(named.begin(), named.end());
  EXPECT_EQ(found, named);
}

std::string name_of_case(const ::testing::TestParamInfo<Parameters>& info) {
  std::string name = std::string(std::get<0>(info.param)) + "_" + std::get<1>(info.param)->name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, TransformersGoldens,
                         ::testing::Combine(::testing::ValuesIn(folders),
                                            ::testing::ValuesIn(all_tables())),
                         name_of_case);

}  // namespace
}  // namespace griffin::test
