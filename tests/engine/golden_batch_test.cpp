// SPDX-License-Identifier: Apache-2.0
// The golden texts of different lengths, together in one batch and alone, and several documents in
// one pass.
#include <span>
#include <string>
#include <vector>

#include "engine/golden_model.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

class GoldenBatch : public GoldenModelTest {};

/// Not all models have goldens of this kind.
class GoldenPacked : public GoldenModelTest {
 public:
  static std::vector<std::string> models() {
    std::vector<std::string> names;
    for (const std::string& name : golden_models()) {
      if (golden_numbers(name).has("packed.tokens")) names.push_back(name);
    }
    return names;
  }
};

/// Prompt r of the goldens and what must follow it.
struct Ragged {
  Array<std::int32_t> prompt;  // [length]
  Array<std::int32_t> tokens;  // [steps]
  Array<float> logits;         // [steps, vocab]
};

std::vector<Ragged> ragged_prompts(const Goldens& goldens) {
  std::vector<Ragged> all;
  for (std::int32_t r = 0; r < goldens.number("ragged.count"); ++r) {
    const std::string prefix = "ragged." + std::to_string(r) + ".";
    all.push_back({goldens.ints(prefix + "prompt"), goldens.ints(prefix + "tokens"),
                   goldens.floats(prefix + "logits")});
  }
  return all;
}

/// Feeds every prompt and then its golden tokens, all in the same passes.
void expect_ragged(const Model& model, ForwardPass& pass, std::span<const Ragged> prompts) {
  std::vector<Sequence> sequences;
  for (std::size_t r = 0; r < prompts.size(); ++r) sequences.push_back(model.new_sequence());
  const std::int64_t steps = prompts[0].tokens.shape.at(0);
  for (std::int64_t k = 0; k < steps; ++k) {
    for (std::size_t r = 0; r < prompts.size(); ++r) {
      pass.add(sequences[r], k == 0 ? prompts[r].prompt.at() : prompts[r].tokens.at({k - 1}));
    }
    const MatrixView found = pass.run();
    for (std::size_t r = 0; r < prompts.size(); ++r) {
      const auto row = static_cast<std::int64_t>(r);
      const std::span<const float> logits(found.row(row), static_cast<std::size_t>(found.cols));
      EXPECT_LE(max_abs_difference(logits, prompts[r].logits.at({k})), logit_limit)
          << "prompt " << r << " step " << k;
      EXPECT_EQ(pass.argmax(found, row), prompts[r].tokens.at({k})[0])
          << "prompt " << r << " step " << k;
    }
  }
}

TEST_P(GoldenBatch, RaggedPromptsTogether) {
  const std::vector<Ragged> prompts = ragged_prompts(goldens_);
  ForwardPass pass = pass_for(model_, table(), 512);
  expect_ragged(model_, pass, prompts);
}

TEST_P(GoldenBatch, RaggedPromptsAlone) {
  const std::vector<Ragged> prompts = ragged_prompts(goldens_);
  ForwardPass pass = pass_for(model_, table(), 512);
  for (const Ragged& prompt : prompts) expect_ragged(model_, pass, {&prompt, 1});
}

/// Several documents in one row of the goldens are as many sequences in one pass here.
TEST_P(GoldenPacked, Documents) {
  const Array<std::int32_t> tokens = goldens_.ints("packed.tokens");
  const std::vector<std::int32_t> positions = goldens_.ints("packed.segment_pos").values;
  ForwardPass pass = pass_for(model_, table(), static_cast<std::int64_t>(positions.size()));
  std::vector<Sequence> sequences;
  sequences.reserve(positions.size());
  for (std::size_t begin = 0, end = 0; begin < positions.size(); begin = end) {
    do ++end;
    while (end < positions.size() && positions[end] != 0);
    sequences.push_back(model_.new_sequence());
    pass.add(sequences.back(), tokens.at().subspan(begin, end - begin), Logits::all);
  }
  EXPECT_GT(sequences.size(), 1U);
  const MatrixView found = pass.run();
  const std::span<const float> logits(found.data,
                                      positions.size() * static_cast<std::size_t>(found.cols));
  EXPECT_LE(max_abs_difference(logits, goldens_.floats("packed.logits").values), logit_limit);
}

TEST(GoldenPackedModels, MostModelsHaveSuchGoldens) {
  EXPECT_GE(GoldenPacked::models().size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenBatch, GoldenBatch::all(), GoldenBatch::name);
INSTANTIATE_TEST_SUITE_P(All, GoldenPacked, GoldenPacked::all_of(GoldenPacked::models()),
                         GoldenPacked::name);

}  // namespace
}  // namespace griffin::test
