// SPDX-License-Identifier: Apache-2.0
// Folders as others leave them, and what the programs say of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/greedy_decode.h"
#include "cli/program.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

constexpr const char* prompt = "In the beginning";  // 5 tokens

Outcome run(const char* program, std::vector<std::string> arguments,
            const std::string& input = "") {
  return run_program(program, {.arguments = std::move(arguments), .input = input});
}

class CheckpointFolders : public testing::Test {
 protected:
  CheckpointFolders() { copy_embedded_model(folder_.path()); }

  void edit_config(const char* field, const nlohmann::json& value) const {
    auto config = nlohmann::json::parse(file_bytes(embedded_folder() / "config.json"));
    config[field] = value;
    folder_.write("config.json", config.dump());
  }
  std::string model() const { return folder_.path().string(); }
  /// What --stats says of the prompt.
  std::string tokens_read(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"-m", model(), "-p", prompt, "-n", "1", "--stats"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = greedy_decode(std::move(arguments));
    const std::size_t at = outcome.err.find("prefill");
    return at == std::string::npos ? outcome.err : outcome.err.substr(at, 21);
  }

  TempFolder folder_;
};

/// One line, whatever the number of ids.
TEST_F(CheckpointFolders, WithFewerPiecesThanIds) {
  EXPECT_EQ(greedy_decode({"-m", model(), "-p", prompt, "-n", "1"}).err, "");
  std::filesystem::remove(folder_.path() / "tokenizer.model");
  folder_.write("tokenizer.json",
                file_bytes(GRIFFIN_SOURCE_DIR "/tests/goldens/tokenizers/gpt2/tokenizer.json"));
  const Outcome outcome = greedy_decode({"-m", model(), "-p", prompt, "-n", "1"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err,
            "greedy_decode: warning: the tokenizer has no text for 847 of the model's 2048 ids, "
            "from 1201 to 2047\n");
}

TEST_F(CheckpointFolders, WithoutBos) {
  EXPECT_EQ(tokens_read(), "prefill      6 tokens");
  edit_config("bos_token_id", nullptr);
  EXPECT_EQ(tokens_read(), "prefill      5 tokens");
  const std::string request = R"({"prompt": "In the beginning", "n": 1})";
  const Outcome batch = run(GRIFFIN_BATCH, {"-m", model(), "--requests", "-"}, request);
  EXPECT_NE(batch.out.find("\"prompt_tokens\":5"), std::string::npos) << batch.out << batch.err;
  const Outcome score = run(GRIFFIN_SCORE, {"-m", model(), "-f", "-", "--json"}, prompt);
  EXPECT_NE(score.out.find("\"tokens\":5"), std::string::npos) << score.out << score.err;
  expect_error(greedy_decode({"-m", model(), "-p", ""}), 1, "empty");
  const std::string state = (folder_.path() / "state").string();
  EXPECT_EQ(run(GRIFFIN_SAVE_RESTORE, {model(), prompt, state}).exit_code, 0);
  EXPECT_EQ(run(GRIFFIN_SAVE_RESTORE, {model(), "", state}).exit_code, 2);
}

TEST_F(CheckpointFolders, ATokenizerThatAddsNoBos) {
  folder_.write("tokenizer_config.json", R"({"add_bos_token": false})");
  EXPECT_EQ(tokens_read(), "prefill      5 tokens");
  folder_.write("tokenizer_config.json", R"({"add_bos_token": true})");
  EXPECT_EQ(tokens_read(), "prefill      6 tokens");
  EXPECT_EQ(tokens_read({"--no-bos"}), "prefill      5 tokens");
}

TEST_F(CheckpointFolders, NoticesAreWarnings) {
  const Outcome quiet = greedy_decode({"-m", model(), "-p", prompt, "-n", "3"});
  EXPECT_EQ(quiet.err, "");
  folder_.write("model.safetensors.index.json", "{}");
  const Outcome told = greedy_decode({"-m", model(), "-p", prompt, "-n", "3"});
  EXPECT_EQ(told.exit_code, 0);
  EXPECT_EQ(told.out, quiet.out);
  EXPECT_EQ(told.err.find("greedy_decode: warning: "), 0U) << told.err;
  EXPECT_NE(told.err.find("two checkpoints"), std::string::npos) << told.err;
  const std::string to = (folder_.path() / "to").string();
  const Outcome quantized = run(GRIFFIN_QUANTIZE, {"-m", model(), "-o", to});
  EXPECT_EQ(quantized.exit_code, 0);
  EXPECT_EQ(quantized.err.find("quantize: warning: "), 0U) << quantized.err;
}

TEST_F(CheckpointFolders, AFileForAModel) {
  const std::string gguf = folder_.write("model.gguf", "GGUF").string();
  const std::string weights = (folder_.path() / "model.safetensors").string();
  expect_error(run(GRIFFIN_QUANTIZE, {"-m", gguf, "-o", gguf}), 1, "GGUF files are not read");
  expect_error(run(GRIFFIN_CHAT, {"-m", weights}, "Hello\n"), 1, "expected the folder");
  expect_error(run(GRIFFIN_BATCH, {"-m", gguf, "--requests", "-"}, "{}"), 1,
               "GGUF files are not read");
  expect_error(greedy_decode({"-m", gguf, "-p", prompt}), 1, "GGUF files are not read");
  const Outcome generate = run(GRIFFIN_GENERATE, {gguf, prompt});
  EXPECT_NE(generate.err.find("GGUF files are not read"), std::string::npos) << generate.err;
}

TEST_F(CheckpointFolders, AWindowOfOnesOwn) {
  const auto config = nlohmann::json::parse(file_bytes(embedded_folder() / "config.json"));
  const auto window = config.at("attention_window_size").get<int>();
  const auto ids = [](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"-p", prompt, "-n", "24", "--print-tokens"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = greedy_decode(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_EQ(ids({"--window", std::to_string(window)}), ids({}));
  EXPECT_NE(ids({"--window", "1"}), ids({}));
  edit_config("attention_window_size", 1);
  EXPECT_EQ(ids({"--window", "1"}), ids({"-m", model()}));
  expect_error(greedy_decode({"--window", "0"}), 2, "at least 1");
  expect_error(greedy_decode({"--random", "hawk-100m", "--tokens", "-", "--window", "5"}, "2 3"), 1,
               "no layer of this model has local attention");
}

/// As one stopped between the weights and config.json.
TEST_F(CheckpointFolders, AnInterruptedQuantizeIsRunAgain) {
  const TempFolder scratch;
  const std::string to = (scratch.path() / "to").string();
  EXPECT_EQ(run(GRIFFIN_QUANTIZE, {"-m", model(), "-o", to}).exit_code, 0);
  const std::string weights = file_bytes(scratch.path() / "to/model.safetensors");
  std::filesystem::remove(scratch.path() / "to/config.json");
  const Outcome again = run(GRIFFIN_QUANTIZE, {"-m", model(), "-o", to, "--no-mmap"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(file_bytes(scratch.path() / "to/model.safetensors"), weights);
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "to/tokenizer.model"));
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "to/config.json"));
}

}  // namespace
}  // namespace griffin::test
