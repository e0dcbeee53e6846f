// SPDX-License-Identifier: Apache-2.0
// The model in examples/models/griffin and what a float32 evaluation of it gave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace griffin::test {

inline std::filesystem::path embedded_folder() {
  return std::filesystem::path(GRIFFIN_SOURCE_DIR) / "examples/models/griffin";
}

/// Makes a folder a copy of the embedded model's.
inline void copy_embedded_model(const std::filesystem::path& to) {
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.model"}) {
    std::filesystem::copy_file(embedded_folder() / file, to / file);
  }
}

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Ids as --tokens reads them.
inline std::string spaced(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text.append(text.empty() ? "" : " ").append(std::to_string(id));
  return text;
}

/// A prompt and its 64 greedy tokens.
struct Greedy {
  std::string prompt;
  std::vector<std::int32_t> prompt_ids;  // BOS first
  std::vector<std::int32_t> ids;
  std::string text;
};

/// eval.json: 4097 held-out ids, what each cost, and five greedy continuations.
struct Evaluation {
  std::vector<std::int32_t> ids;
  std::vector<double> nll;           // [ids - 1]
  std::vector<std::int32_t> argmax;  // [ids - 1]
  std::vector<float> logits_last;    // [vocab], after ids[ids - 2]
  double loss = 0.0;
  double perplexity = 0.0;
  std::vector<Greedy> greedy;
};

inline Evaluation embedded_evaluation() {
  std::ifstream file(embedded_folder() / "eval.json");
  const auto json = nlohmann::json::parse(file);
  Evaluation result;
  json.at("ids").get_to(result.ids);
  json.at("nll").get_to(result.nll);
  json.at("argmax").get_to(result.argmax);
  json.at("logits_last").get_to(result.logits_last);
  json.at("loss").get_to(result.loss);
  json.at("perplexity").get_to(result.perplexity);
  for (const auto& entry : json.at("greedy")) {
    result.greedy.push_back(
        {entry.at("prompt"), entry.at("prompt_ids"), entry.at("ids"), entry.at("text")});
  }
  return result;
}

}  // namespace griffin::test
