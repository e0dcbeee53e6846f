// SPDX-License-Identifier: Apache-2.0
// How tokens are chosen and what ends a text, under the names that llama.cpp's programs use.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "griffin/generate/request.h"
#include "support/model_options.h"

namespace griffin::examples {

/// A real number that float holds and that `makes_sense`.
template <class Condition>
CLI::Validator real(const Condition& makes_sense, const std::string& expected) {
  return CLI::Validator(
      [=](std::string& text) {
        float value = 0.0F;
        if (!CLI::detail::lexical_cast(text, value)) return "not a number: " + text;
        if (!std::isfinite(value) || !makes_sense(value)) {
          return "expected " + expected + ", found " + text;
        }
        return std::string();
      },
      "");
}

/// The seed itself; for -1 another one every time.
inline std::uint64_t draw_seed(std::int64_t seed) {
  return seed >= 0 ? static_cast<std::uint64_t>(seed) : std::random_device{}();
}

class SamplingFlags {
 public:
  explicit SamplingFlags(CLI::App& app) {
    add_filters(app);
    add_penalties(app);
    app.add_option("-l,--logit-bias", biases_, "Adds to the logit of a token: 15043+1, 29871-inf")
        ->type_name("ID(+/-)BIAS")
        ->allow_extra_args(false)
        ->check(CLI::Validator([](std::string& text) { return complaint_about_bias(text); }, ""))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("-s,--seed", seed_, "Of the draws; -1 for another every time")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{-1}, INT64_MAX).description(""))
        ->capture_default_str();
    app.add_option("-r,--reverse-prompt", stops_, "End the text where this comes up")
        ->type_name("TEXT")
        ->allow_extra_args(false)
        ->check(CLI::Validator([](std::string& text) { return text.empty() ? "no text" : ""; }, ""))
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }

  /// For programs where a text need not end by itself.
  void add_ignore_eos(CLI::App& app) {
    app.add_flag("--ignore-eos", ignore_eos_, "Never choose a token that ends a text");
  }

  /// Throws UsageError for the bias of a token that the model does not have.
  SamplingOptions sampling(const Model& model) const {
    SamplingOptions sampling = as_the_library_has_them(sampling_);
    const std::int64_t vocab = model.config().vocab;
    for (const std::string& text : biases_) {
      const LogitBias bias = *parse_bias(text);
      if (bias.id >= vocab) {
        throw UsageError("--logit-bias: expected a token id below " + std::to_string(vocab) +
                         ", found '" + text + "'");
      }
      sampling.logit_bias.push_back(bias);
    }
    sampling.seed = draw_seed(seed_);
    return sampling;
  }

  std::int64_t seed() const { return seed_; }
  const std::vector<std::string>& stop_strings() const { return stops_; }
  bool ignores_eos() const { return ignore_eos_; }

  /// llama.cpp turns things off with numbers that the library has no meaning for.
  static SamplingOptions as_the_library_has_them(SamplingOptions flags) {
    flags.temperature = std::max(flags.temperature, 0.0F);
    flags.top_k = std::max(flags.top_k, 0);
    flags.top_p = std::min(flags.top_p, 1.0F);
    if (flags.penalty_last_n < 0) flags.penalty_last_n = SamplingOptions::longest_look_back;
    return flags;
  }

  /// The ids that end a text: the model's own and, for instruction-tuned ones, those that end their
  /// turn or begin another's.
  static std::vector<std::int32_t> stop_ids(const Model& model, const Tokenizer* tokenizer) {
    std::vector<std::int32_t> ids(model.stop_ids().begin(), model.stop_ids().end());
    if (tokenizer == nullptr) return ids;
    for (const char* marker : {"<end_of_turn>", "<start_of_turn>"}) {
      if (const auto id = tokenizer->find(marker)) ids.push_back(*id);
    }
    return ids;
  }

  /// What --ignore-eos means: ids that are never chosen.
  static void forbid(const std::vector<std::int32_t>& ids, SamplingOptions& sampling) {
    constexpr float never = -std::numeric_limits<float>::infinity();
    for (const std::int32_t id : ids) sampling.logit_bias.push_back({id, never});
  }

 private:
  CLI::Option* add_real(CLI::App& app, const char* name, float& value, const char* what) {
    return app.add_option(name, value, what)->type_name("X")->capture_default_str();
  }

  void add_filters(CLI::App& app) {
    const auto any = [](float) { return true; };
    add_real(app, "--temp", sampling_.temperature, "Temperature, 0 for the most likely token")
        ->check(real(any, "a finite number"));
    app.add_option("--top-k", sampling_.top_k, "Draw from the K most likely tokens, 0 for all")
        ->type_name("K")
        ->capture_default_str();
    add_real(app, "--top-p", sampling_.top_p, "Draw from the fewest tokens as likely as this")
        ->check(real([](float p) { return p > 0; }, "a number above 0"));
    add_real(app, "--min-p", sampling_.min_p, "Draw from tokens this likely, against the likeliest")
        ->check(real([](float p) { return p >= 0 && p <= 1; }, "a number from 0 to 1"));
  }

  void add_penalties(CLI::App& app) {
    const auto any = [](float) { return true; };
    add_real(app, "--repeat-penalty", sampling_.repeat_penalty, "Makes tokens seen less likely")
        ->check(real([](float p) { return p > 0; }, "a number above 0"));
    app.add_option("--repeat-last-n", sampling_.penalty_last_n,
                   "Tokens that the penalties look at, -1 for 2^20")
        ->type_name("N")
        ->check(between(-1, SamplingOptions::longest_look_back))
        ->capture_default_str();
    add_real(app, "--presence-penalty", sampling_.presence_penalty, "The same, off their logits")
        ->check(real(any, "a finite number"));
    add_real(app, "--frequency-penalty", sampling_.frequency_penalty, "The same, for every time")
        ->check(real(any, "a finite number"));
  }

  static std::optional<LogitBias> parse_bias(const std::string& text) {
    LogitBias bias = {0, 0.0F};
    const char* end = text.data() + text.size();
    auto [at, status] = std::from_chars(text.data(), end, bias.id);
    if (status != std::errc() || bias.id < 0) return std::nullopt;
    if (at == end || (*at != '+' && *at != '-')) return std::nullopt;
    if (*at == '+') ++at;
    const auto number = std::from_chars(at, end, bias.bias);
    if (number.ec != std::errc() || number.ptr != end) return std::nullopt;
    if (!(bias.bias < std::numeric_limits<float>::infinity())) return std::nullopt;
    return bias;
  }

  static std::string complaint_about_bias(const std::string& text) {
    if (parse_bias(text)) return "";
    return "expected a token id, + or - and a number, found '" + text + "'";
  }

  /// Greedy; with a temperature, what llama.cpp draws from.
  static SamplingOptions defaults() {
    SamplingOptions sampling;
    sampling.top_k = 40;
    sampling.top_p = 0.95F;
    sampling.min_p = 0.05F;
    return sampling;
  }

  SamplingOptions sampling_ = defaults();
  std::vector<std::string> biases_;
  std::vector<std::string> stops_;
  std::int64_t seed_ = 0;
  bool ignore_eos_ = false;
};

}  // namespace griffin::examples
