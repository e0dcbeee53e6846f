// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"
#include "cli/score.h"
#include "griffin/griffin.h"
#include "griffin/model/parts.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

TEST(Score, ReproducesTheEvaluation) {
  const Outcome outcome =
      score({"--tokens", "-", "--json", "--dtype", "f32"}, spaced(evaluation().ids));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("tokens"), 4097);
  EXPECT_EQ(json.at("scored"), 4096);
  EXPECT_EQ(json.at("dtype"), "f32");
  EXPECT_NEAR(json.at("loss"), evaluation().loss, 1e-5);
  EXPECT_NEAR(json.at("nll"), evaluation().loss * 4096, 1e-5 * 4096);
  EXPECT_NEAR(json.at("perplexity"), evaluation().perplexity, 1e-5 * evaluation().perplexity);
  EXPECT_GT(json.at("tokens_per_second"), 0.0);
  EXPECT_GT(json.at("seconds"), 0.0);
  EXPECT_TRUE(json.at("isa").is_string());
  EXPECT_EQ(json.at("model"), embedded_folder().string());
  EXPECT_EQ(json.size(), 10u);
}

TEST(Score, DoesNotDependOnChunkOrThreads) {
  const std::string ids = spaced(first_ids(300));
  const auto nll = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--tokens", "-", "--json"});
    const Outcome outcome = score(more, ids);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("nll").get<double>();
  };
  const double expected = nll({});
  EXPECT_EQ(nll({"--chunk", "1"}), expected);
  EXPECT_EQ(nll({"--chunk", "7", "-t", "3"}), expected);
  EXPECT_EQ(nll({"--chunk", "1000", "-t", "1"}), expected);
  EXPECT_EQ(nll({"--no-mmap"}), expected);
  EXPECT_NE(nll({"--kv-dtype", "bf16"}), expected);
}

TEST(Score, WritesLogProbabilities) {
  const TempFolder folder;
  const std::string path = (folder.path() / "p.npy").string();
  const Outcome outcome =
      score({"--tokens", "-", "--logprobs", path, "--dtype", "f32"}, spaced(evaluation().ids));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Npy array = read_npy(path);
  EXPECT_EQ(array.header, "{'descr': '<f4', 'fortran_order': False, 'shape': (4096,), }");
  ASSERT_EQ(array.values.size(), 4096u);
  for (std::size_t t = 0; t < array.values.size(); ++t) {
    ASSERT_NEAR(-array.values[t], evaluation().nll[t], 2e-4) << t;
  }
}

TEST(Score, WritesTheLogProbabilitiesThatTheLibraryGives) {
  const TempFolder folder;
  const std::string path = (folder.path() / "p.npy").string();
  const std::vector<std::int32_t> ids = first_ids(300);
  const Outcome outcome = score({"--tokens", "-", "--logprobs", path, "-t", "3"}, spaced(ids));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Model model = Model::load(embedded_folder());
  Sequence sequence = model.new_sequence();
  const Result result =
      Generator(model).generate(sequence, ids, {.max_new_tokens = 0, .prompt_logprobs = 0});
  EXPECT_EQ(result.prompt_logprobs.size(), 299u);
  EXPECT_EQ(read_npy(path).values, result.prompt_logprobs);
}

TEST(Score, WritesLogits) {
  const TempFolder folder;
  const std::string path = (folder.path() / "l.npy").string();
  // Without the last id: the last row is then what eval.json has in full.
  std::vector<std::int32_t> ids = evaluation().ids;
  ids.pop_back();
  const Outcome outcome =
      score({"--tokens", "-", "--logits", path, "--dtype", "f32", "--chunk", "100"}, spaced(ids));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Npy array = read_npy(path);
  EXPECT_EQ(array.header, "{'descr': '<f4', 'fortran_order': False, 'shape': (4096, 2048), }");
  ASSERT_EQ(array.values.size(), 4096u * 2048u);
  const float* last = array.values.data() + 4095u * 2048u;
  for (std::size_t i = 0; i < 2048; ++i) {
    ASSERT_NEAR(last[i], evaluation().logits_last[i], 5e-4) << i;
  }
  for (std::size_t t = 0; t < 4096; ++t) {
    const float* row = array.values.data() + t * 2048;
    ASSERT_EQ(std::max_element(row, row + 2048) - row, evaluation().argmax[t]) << t;
  }
}

/// They are what the head multiplies: with the embedding, to which this model's is tied, they give
/// the logits.
TEST(Score, WritesHiddenStates) {
  const TempFolder folder;
  const std::string ids = spaced(first_ids(40));
  const auto arrays = [&](const std::string& name, const std::vector<std::string>& more) {
    const std::string hidden = (folder.path() / (name + "h.npy")).string();
    const std::string logits = (folder.path() / (name + "l.npy")).string();
    std::vector<std::string> arguments = {"--tokens", "-",    "--embed", hidden,
                                          "--logits", logits, "--dtype", "f32"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = score(arguments, ids);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return std::pair(read_npy(hidden), read_npy(logits));
  };
  const auto [hidden, logits] = arrays("a", {});
  const Model model = Model::load(embedded_folder(), {.weights = Dtype::f32});
  const auto width = static_cast<std::size_t>(model.config().width);
  EXPECT_EQ(hidden.header, "{'descr': '<f4', 'fortran_order': False, 'shape': (40, " +
                               std::to_string(width) + "), }");
  ASSERT_EQ(hidden.values.size(), 40 * width);
  const auto* head = static_cast<const float*>(model.parts().lm_head.linear.weight.data);
  const auto cap = static_cast<double>(model.config().soft_cap);
  for (std::size_t token : {std::size_t{0}, std::size_t{7}, std::size_t{39}}) {
    for (std::size_t v = 0; v < 2048; v += 5) {
      double sum = 0.0;
      for (std::size_t c = 0; c < width; ++c) {
        sum += static_cast<double>(hidden.values[token * width + c]) *
               static_cast<double>(head[v * width + c]);
      }
      const double expected = cap == 0.0 ? sum : cap * std::tanh(sum / cap);
      ASSERT_NEAR(logits.values[token * 2048 + v], expected, 1e-3) << token << ", " << v;
    }
  }
  EXPECT_EQ(arrays("b", {"--chunk", "7", "-t", "3"}).first.values, hidden.values);
}

TEST(Score, LeavesNoFileBehindWhenItFails) {
  const TempFolder folder;
  const std::string ids = spaced(first_ids(10));
  expect_error(score({"--tokens", "-", "--logits", (folder.path() / "no/such.npy").string()}, ids),
               1, "no/such.npy");
  expect_error(score({"--tokens", "-", "--logits", "/dev/null"}, ids), 1, "/dev/null");
  const std::string path = (folder.path() / "x.npy").string();
  expect_error(score({"--tokens", "-", "--logits", path, "--logprobs", path}, ids), 2, "same file");
  expect_error(score({"--tokens", "-", "--logits", path, "--embed", path}, ids), 2, "same file");
  expect_error(score({"--tokens", "-", "--embed", path, "--logprobs", path}, ids), 2, "same file");
  const std::string taken = folder.path().string();
  expect_error(score({"--tokens", "-", "--logits", path, "--logprobs", taken}, ids), 1, taken);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Score, GivesTextItsBos) {
  const TempFolder folder;
  const Greedy& greedy = evaluation().greedy.front();
  const std::vector<std::int32_t> without(greedy.prompt_ids.begin() + 1, greedy.prompt_ids.end());
  const auto nll = [](const Outcome& outcome) {
    return nlohmann::json::parse(outcome.out).at("nll").get<double>();
  };
  const double with_bos = nll(score({"-f", "-", "--json"}, greedy.prompt));
  const double without_bos = nll(score({"-f", "-", "--json", "--no-bos"}, greedy.prompt));
  EXPECT_EQ(with_bos, nll(score({"--tokens", "-", "--json"}, spaced(greedy.prompt_ids))));
  EXPECT_EQ(without_bos, nll(score({"--tokens", "-", "--json"}, spaced(without))));
  EXPECT_NE(with_bos, without_bos);
  EXPECT_NE(score({"-f", "-"}, "<bos>In the").err.find("warning"), std::string::npos);
}

TEST(Score, PrintsAShortTable) {
  const Outcome outcome = score({"--tokens", "-"}, spaced(first_ids(100)));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* words : {"100, 99 scored", "loss", "perplexity", "tokens/s", "bf16"}) {
    EXPECT_NE(outcome.out.find(words), std::string::npos) << words;
  }
}

TEST(Score, RefusesWhatCannotBeScored) {
  expect_error(score({}), 2, "--file or --tokens");
  expect_error(score({"-f", "a", "--tokens", "b"}), 2, "--tokens");
  expect_error(score({"--tokens", "-"}, "2"), 1, "at least 2 tokens, found 1");
  expect_error(score({"-f", "-"}, ""), 1, "at least 2 tokens, found 1");
  expect_error(score({"--tokens", "-"}, "2 2048"), 1, "item 2");
  expect_error(score({"-m", "/no/such/folder", "-f", "-"}, "a"), 1, "/no/such/folder");
  const Outcome full = run_program(
      GRIFFIN_SCORE, {.arguments = {"-f", "-"}, .input = "a b c", .stdout_file = "/dev/full"});
  expect_error(full, 1, "stdout");
}

/// int8 is nearer to the stored weights than int4, and nothing is nearer than they themselves.
TEST(Score, ComparesWithAnotherType) {
  const auto compared = [](const std::string& type, const std::string& against) {
    const Outcome outcome = score(
        {"--tokens", "-", "--dtype", type, "--against", against, "--json"}, spaced(first_ids(300)));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  const auto same = compared("bf16", "auto");
  EXPECT_NEAR(same.at("mean_kl").get<double>(), 0.0, 1e-12);
  EXPECT_EQ(same.at("same_argmax"), 1.0);
  EXPECT_EQ(same.at("against"), "auto");
  const auto int8 = compared("int8", "bf16");
  const auto int4 = compared("int4", "bf16");
  EXPECT_GT(int8.at("mean_kl"), 0.0);
  EXPECT_GT(int4.at("mean_kl"), int8.at("mean_kl"));
  EXPECT_LT(int4.at("mean_kl"), 0.1);
  EXPECT_GT(int8.at("same_argmax"), 0.9);
  const Outcome text = score({"--tokens", "-", "--against", "auto"}, "1 2 3");
  EXPECT_NE(text.out.find("\nsame top    100.00 %\n"), std::string::npos) << text.out;
  expect_error(score({"--tokens", "-", "--against", "nowhere"}, "1 2 3"), 1, "nowhere");
}

/// Quantising must cost no more than this, on ids the models were not trained on.
TEST(Score, QuantisedPerplexity) {
  for (const char* model : {"griffin", "hawk", "mqa"}) {
    const auto perplexity = [&](const std::string& type) {
      const std::string folder = (embedded_folder().parent_path() / model).string();
      const Outcome outcome =
          score({"-m", folder, "--tokens", "-", "--dtype", type, "--json", "--chunk", "512"},
                spaced(evaluation().ids));
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      return nlohmann::json::parse(outcome.out).at("perplexity").get<double>();
    };
    SCOPED_TRACE(model);
    const double bf16 = perplexity("bf16");
    EXPECT_LT(perplexity("int8"), 1.001 * bf16);
    EXPECT_LT(perplexity("int4"), 1.03 * bf16);
  }
}

}  // namespace
}  // namespace griffin::test
