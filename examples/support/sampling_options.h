// SPDX-License-Identifier: Apache-2.0
// How tokens are chosen and what ends a text, under the names that llama.cpp's programs use.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "griffin/generate/request.h"
#include "support/model_options.h"

namespace griffin::examples {

class SamplingFlags {
 public:
  explicit SamplingFlags(CLI::App& app) {
    const auto number = [&](const char* name, auto& value, const char* what) {
      return app.add_option(name, value, what)->type_name("X")->capture_default_str();
    };
    number("--temp", sampling_.temperature, "Temperature, 0 for the most likely token");
    app.add_option("--top-k", sampling_.top_k, "Draw from the K most likely tokens, 0 for all")
        ->type_name("K")
        ->capture_default_str();
    number("--top-p", sampling_.top_p, "Draw from the fewest tokens as likely as this together");
    number("--min-p", sampling_.min_p, "Draw from tokens this likely, against the likeliest");
    number("--repeat-penalty", sampling_.repeat_penalty, "Makes tokens of the text less likely");
    app.add_option("--repeat-last-n", sampling_.penalty_last_n, "Tokens that the penalties look at")
        ->type_name("N")
        ->capture_default_str();
    number("--presence-penalty", sampling_.presence_penalty, "The same, taken off their logits");
    number("--frequency-penalty", sampling_.frequency_penalty, "The same, for every time");
    app.add_option("-l,--logit-bias", biases_, "Adds to the logit of a token: 15043+1, 29871-inf")
        ->type_name("ID(+/-)BIAS")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("-s,--seed", seed_, "Of the draws; -1 for another every time")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{-1}, INT64_MAX).description(""))
        ->capture_default_str();
    app.add_option("-r,--reverse-prompt", stops_, "End the text where this comes up")
        ->type_name("TEXT")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_flag("--ignore-eos", ignore_eos_, "Go on after the tokens that end a text");
  }

  /// Throws UsageError for biases that are none.
  SamplingOptions sampling() const {
    SamplingOptions sampling = sampling_;
    for (const std::string& bias : biases_) sampling.logit_bias.push_back(parse_bias(bias));
    sampling.seed = seed_ >= 0 ? static_cast<std::uint64_t>(seed_) : std::random_device{}();
    return sampling;
  }

  const std::vector<std::string>& stop_strings() const { return stops_; }
  bool ignores_eos() const { return ignore_eos_; }

  /// The ids that end a text: the model's own and, for instruction-tuned ones, <end_of_turn>.
  static std::vector<std::int32_t> stop_ids(const Model& model, const Tokenizer* tokenizer) {
    std::vector<std::int32_t> ids(model.stop_ids().begin(), model.stop_ids().end());
    if (tokenizer == nullptr) return ids;
    if (const auto end_of_turn = tokenizer->find("<end_of_turn>")) ids.push_back(*end_of_turn);
    return ids;
  }

 private:
  static LogitBias parse_bias(const std::string& text) {
    LogitBias bias = {0, 0.0F};
    const char* end = text.data() + text.size();
    auto [at, status] = std::from_chars(text.data(), end, bias.id);
    if (status == std::errc() && at != end && (*at == '+' || *at == '-')) {
      if (*at == '+') ++at;
      const auto number = std::from_chars(at, end, bias.bias);
      if (number.ec == std::errc() && number.ptr == end) return bias;
    }
    throw UsageError("--logit-bias: expected a token id, + or - and a number, found '" + text +
                     "'");
  }

  SamplingOptions sampling_ = defaults();
  std::vector<std::string> biases_;
  std::vector<std::string> stops_;
  std::int64_t seed_ = 0;
  bool ignore_eos_ = false;

  /// Greedy; with a temperature, what llama.cpp draws from.
  static SamplingOptions defaults() {
    SamplingOptions sampling;
    sampling.top_k = 40;
    sampling.top_p = 0.95F;
    sampling.min_p = 0.05F;
    return sampling;
  }
};

}  // namespace griffin::examples
