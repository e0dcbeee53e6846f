// SPDX-License-Identifier: Apache-2.0
// The trained model that comes with the project against a float32 evaluation of it by other code: a
// held-out text of 4096 tokens, far longer than the window, and five greedy continuations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "support/isa.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

std::filesystem::path model_folder() {
  return std::filesystem::path(GRIFFIN_SOURCE_DIR) / "examples" / "models" / "griffin";
}

class EmbeddedModel : public IsaTest {
 protected:
  static Model load() {
    LoadOptions options;
    options.activations = Operand::f32;
    return Model::load(model_folder(), options);
  }

  static nlohmann::json read_expected() {
    std::ifstream file(model_folder() / "eval.json");
    return nlohmann::json::parse(file);
  }

  const Model model_ = load();
  const nlohmann::json expected_ = read_expected();
};

/// -log softmax(logits)[token].
double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The scalar kernels are the definition, not fast: they score the first eighth, eight windows.
TEST_P(EmbeddedModel, HeldOutText) {
  const auto ids = expected_["ids"].get<std::vector<std::int32_t>>();
  const auto nll = expected_["nll"].get<std::vector<double>>();
  const auto argmax = expected_["argmax"].get<std::vector<std::int32_t>>();
  const bool whole = table().level > 0;
  const std::size_t count = whole ? nll.size() : nll.size() / 8;
  constexpr std::size_t chunk = 256;
  ForwardPass pass = pass_for(model_, table(), chunk, 2);
  Sequence sequence = model_.new_sequence();
  std::vector<double> found;
  for (std::size_t begin = 0; begin < count; begin += chunk) {
    pass.add(sequence, Tokens(ids).subspan(begin, chunk), Logits::all);
    const ConstMatrixView logits = pass.run();
    for (std::int64_t r = 0; r < logits.rows; ++r) {
      const std::span<const float> row(logits.row(r), static_cast<std::size_t>(logits.cols));
      const std::size_t t = found.size();
      found.push_back(negative_log_likelihood(row, ids[t + 1]));
      EXPECT_NEAR(found[t], nll[t], 1e-3) << "token " << t;
      const auto best = static_cast<std::size_t>(pass.argmax(logits, r));
      const auto other = static_cast<std::size_t>(argmax[t]);
      EXPECT_LE(row[best] - row[other], best == other ? 0.0F : 1e-4F) << "argmax of token " << t;
    }
  }
  EXPECT_NEAR(mean(found), mean(std::span(nll).first(count)), 1e-5);
  if (whole) {
    EXPECT_NEAR(mean(found), expected_["loss"].get<double>(), 1e-5);
  }
}

/// All five in one batch; the smallest margin between the best two tokens is 0.00023.
TEST_P(EmbeddedModel, GreedyContinuations) {
  const nlohmann::json& greedy = expected_["greedy"];
  ASSERT_EQ(greedy.size(), 5U);
  std::vector<Sequence> sequences;
  std::vector<std::vector<std::int32_t>> next;
  for (const nlohmann::json& text : greedy) {
    sequences.push_back(model_.new_sequence());
    next.push_back(text["prompt_ids"].get<std::vector<std::int32_t>>());
  }
  ForwardPass pass = pass_for(model_, table(), 256);
  std::vector<std::vector<std::int32_t>> found(greedy.size());
  for (std::size_t step = 0; step < greedy[0]["ids"].size(); ++step) {
    for (std::size_t i = 0; i < sequences.size(); ++i) pass.add(sequences[i], next[i]);
    const MatrixView logits = pass.run();
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      next[i] = {pass.argmax(logits, static_cast<std::int64_t>(i))};
      found[i].push_back(next[i][0]);
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i], greedy[i]["ids"].get<std::vector<std::int32_t>>()) << "text " << i;
  }
}

TEST(EmbeddedModelConfig, IsWhatItsReadmeSays) {
  const Model model = Model::load(model_folder());
  EXPECT_EQ(model.config().parameters(), 3'066'816);
  EXPECT_EQ(model.config().window, 64);
  EXPECT_EQ(model.parts().embedding.scale, 13.875F);
  EXPECT_EQ(model.dtype(), Dtype::bf16);
}

INSTANTIATE_TEST_SUITE_P(Isa, EmbeddedModel, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
