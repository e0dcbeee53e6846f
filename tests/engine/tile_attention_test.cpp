// SPDX-License-Identifier: Apache-2.0
// What attention on a matrix unit costs in precision: it rounds queries and weights to bf16, where
// others round keys and values only. The trained models with attention that come with the project
// continue held-out text either way; all else is the same and float32.
//
// GRIFFIN_HELD_OUT_TOKENS says how many tokens to take (4096 at most) in place of the first few.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "support/isa.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr double limit = 1e-5;  // mean divergence in nats; that of int8 weights is 2e-4 and more

std::filesystem::path model_folder(const std::string& name) {
  return std::filesystem::path(GRIFFIN_SOURCE_DIR) / "examples" / "models" / name;
}

/// `table` with the float32 attention of the table that it extends.
kernels::Table with_float_attention(const kernels::Table& table) {
  const bool is_scalar = std::string_view(table.name) == "scalar_tile_model";
  const kernels::Table* base = kernels::find_table(is_scalar ? "scalar" : "avx512_bf16");
  kernels::Table changed = table;
  changed.attention[kernels::index_of(Dtype::bf16)] =
      base->attention[kernels::index_of(Dtype::bf16)];
  return changed;
}

/// A text on its way through a model.
struct Reader {
  ForwardPass pass;
  Sequence sequence;

  ConstMatrixView read(Tokens tokens) {
    pass.add(sequence, tokens, Logits::all);
    return pass.run();
  }
};

std::vector<double> log_softmax(const float* logits, std::int64_t count) {
  std::vector<double> result(logits, logits + count);
  const double largest = *std::max_element(result.begin(), result.end());
  double sum = 0.0;
  for (const double logit : result) sum += std::exp(logit - largest);
  for (double& logit : result) logit -= largest + std::log(sum);
  return result;
}

struct Comparison {
  std::vector<double> divergence;  // of each token
  double cost[2] = {};             // mean negative log likelihood: float32, tiles
  std::int64_t other_first_choices = 0;
};

Comparison compare(Reader& expected, Reader& found, const std::vector<std::int32_t>& ids,
                   std::size_t count) {
  constexpr std::size_t chunk = 256;
  Comparison result;
  for (std::size_t begin = 0; begin < count; begin += chunk) {
    const Tokens tokens = Tokens(ids).subspan(begin, std::min(chunk, count - begin));
    const ConstMatrixView p = expected.read(tokens);
    const ConstMatrixView q = found.read(tokens);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const std::vector<double> log_p = log_softmax(p.row(r), p.cols);
      const std::vector<double> log_q = log_softmax(q.row(r), q.cols);
      double sum = 0.0;
      for (std::size_t i = 0; i < log_p.size(); ++i)
        sum += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
      const auto next = static_cast<std::size_t>(ids[result.divergence.size() + 1]);
      result.divergence.push_back(sum);
      result.cost[0] -= log_p[next] / static_cast<double>(count);
      result.cost[1] -= log_q[next] / static_cast<double>(count);
      result.other_first_choices += std::max_element(log_p.begin(), log_p.end()) - log_p.begin() !=
                                    std::max_element(log_q.begin(), log_q.end()) - log_q.begin();
    }
  }
  return result;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void print(const std::string& model, Comparison& c) {
  std::sort(c.divergence.begin(), c.divergence.end());
  std::cout << model << ", " << c.divergence.size() << " tokens: divergence " << mean(c.divergence)
            << " nats, 99 % of tokens below " << c.divergence[c.divergence.size() * 99 / 100]
            << ", largest " << c.divergence.back() << "; perplexity " << std::exp(c.cost[0])
            << " and " << std::exp(c.cost[1]) << ", another first choice for "
            << c.other_first_choices << std::endl;
}

std::size_t tokens_to_read(std::size_t few) {
  const char* asked = std::getenv("GRIFFIN_HELD_OUT_TOKENS");
  return asked == nullptr ? few : std::min<std::size_t>(4096, std::stoul(asked));
}

class TileAttention : public IsaTest {
 protected:
  static Comparison compare_on(const std::string& name, std::size_t few) {
    LoadOptions options;
    options.activations = Operand::f32;
    const Model model = Model::load(model_folder(name), options);
    std::ifstream file(model_folder(name) / "eval.json");
    const auto ids = nlohmann::json::parse(file)["ids"].get<std::vector<std::int32_t>>();
    const kernels::Table float_table = with_float_attention(table());
    const auto reader = [&](const kernels::Table& kernels) {
      return Reader{pass_for(model, kernels, 256), model.new_sequence({0, Dtype::bf16})};
    };
    Reader expected = reader(float_table);
    Reader found = reader(table());
    Comparison result = compare(expected, found, ids, tokens_to_read(few));
    print(name, result);
    return result;
  }
};

TEST_P(TileAttention, OfAWindowIsThatOfFloat32) {
  const Comparison result = compare_on("griffin", 512);
  EXPECT_LE(mean(result.divergence), limit);
  EXPECT_GT(mean(result.divergence), 0.0);
}

TEST_P(TileAttention, OfAllThatWasIsThatOfFloat32) {
  const Comparison result = compare_on("mqa", 384);
  EXPECT_LE(mean(result.divergence), limit);
  EXPECT_GT(mean(result.divergence), 0.0);
}

std::vector<const kernels::Table*> tile_tables() {
  std::vector<const kernels::Table*> tables = all_tables();
  std::erase_if(tables, [](const kernels::Table* table) { return !attends_on_tiles(*table); });
  return tables;
}

INSTANTIATE_TEST_SUITE_P(Isa, TileAttention, ::testing::ValuesIn(tile_tables()), table_name);

}  // namespace
}  // namespace griffin::test
