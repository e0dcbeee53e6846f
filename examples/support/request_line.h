// SPDX-License-Identifier: Apache-2.0
// A request as a line of JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/scheduler.h"
#include "griffin/generate/text_encoder.h"
#include "support/bos_text.h"
#include "support/request_members.h"
#include "support/sampling_options.h"

namespace griffin::examples {

/// What an answer has from its request.
struct RequestNotes {
  nlohmann::json id = nullptr;
  std::string warning;
};

/// Reads {"id", "prompt" or "tokens", "n" (or "n_predict" or "max_tokens"), "temperature", "top_k",
/// "top_p", "min_p", "seed", "repeat_penalty", "repeat_last_n", "presence_penalty",
/// "frequency_penalty", "stop", "ignore_eos"}. What is null is not there.
struct RequestReader {
  std::optional<std::int32_t> bos;       // what prompts begin with
  const Tokenizer* tokenizer = nullptr;  // null: requests bring token ids
  std::vector<std::int32_t> stop_ids;
  GenerateOptions defaults;
  std::int64_t seed = 0;  // where a request has none; -1: another for each
  bool ignore_eos = false;
  bool has_capacity = false;  // whether a text ends by itself

  /// Sets the id as soon as it is known. Throws Error(format) for what is no request; the scheduler
  /// refuses numbers without meaning.
  Request read(std::string_view line, RequestNotes& notes) const {
    RequestMembers members(line, keys());
    if (const nlohmann::json* id = members.find("id")) {
      if (id->is_string() || id->is_number()) notes.id = *id;
    }
    members.require();
    Request request;
    request.options = defaults;
    request.options.tokenizer = tokenizer;
    request.options.sampling.seed = draw_seed(seed);
    for (const auto& [key, value] : members.values()) {
      if (!value.is_null()) set(key, value, members, request);
    }
    SamplingOptions& sampling = request.options.sampling;
    sampling = SamplingFlags::as_the_library_has_them(sampling);
    if ((members.find("prompt") == nullptr) == (members.find("tokens") == nullptr)) {
      refuse("expected one of prompt and tokens");
    }
    request.options.stop_ids = stop_ids;
    if (ignores_eos(members)) {
      refuse_endless(request.options);
      SamplingFlags::forbid(stop_ids, sampling);
    }
    if (const nlohmann::json* prompt = members.find("prompt")) {
      notes.warning = bos_warning(prompt->get_ref<const std::string&>(), bos, *tokenizer);
    }
    return request;
  }

 private:
  static const std::set<std::string_view>& keys() {
    static const std::set<std::string_view> known = {"id",
                                                     "prompt",
                                                     "tokens",
                                                     "n",
                                                     "n_predict",
                                                     "max_tokens",
                                                     "temperature",
                                                     "top_k",
                                                     "top_p",
                                                     "min_p",
                                                     "seed",
                                                     "repeat_penalty",
                                                     "repeat_last_n",
                                                     "presence_penalty",
                                                     "frequency_penalty",
                                                     "stop",
                                                     "ignore_eos"};
    return known;
  }

  bool ignores_eos(const RequestMembers& members) const {
    const nlohmann::json* value = members.find("ignore_eos");
    if (value == nullptr) return ignore_eos;
    if (!value->is_boolean()) refuse("ignore_eos: expected true or false, found " + kind(*value));
    return value->get<bool>();
  }

  /// Nobody could stop it.
  void refuse_endless(const GenerateOptions& options) const {
    if (options.max_new_tokens >= 0 || has_capacity || !options.stop_strings.empty()) return;
    refuse("n: -1 with ignore_eos has no end: say n or stop, or limit texts with -c");
  }

  void set(const std::string& key, const nlohmann::json& value, RequestMembers& members,
           Request& request) const {
    SamplingOptions& sampling = request.options.sampling;
    if (float* to = number_called(key, sampling)) {
      *to = number(key, value);
    } else if (key == "id") {
      if (value.is_string() || value.is_number()) return;  // read() has it
      refuse("id: expected a string or a number, found " + kind(value));
    } else if (key == "prompt") {
      request.prompt = encode(value);
    } else if (key == "tokens") {
      if (!value.is_array()) refuse("tokens: expected an array of ids, found " + kind(value));
      request.prompt = std::move(members.tokens());
    } else if (key == "n" || key == "n_predict" || key == "max_tokens") {
      set_length(key, value, members, request.options);
    } else if (key == "top_k") {
      sampling.top_k = whole<std::int32_t>(key, value);
    } else if (key == "repeat_last_n") {
      sampling.penalty_last_n = whole<std::int32_t>(key, value, -1);
      if (sampling.penalty_last_n > SamplingOptions::longest_look_back) {
        refuse(key + ": expected at most " + std::to_string(SamplingOptions::longest_look_back) +
               ", found " + value.dump());
      }
    } else if (key == "seed") {
      sampling.seed = draw_seed(whole<std::int64_t>(key, value, -1));
    } else if (key == "stop") {
      if (!value.is_string() && !value.is_array()) {
        refuse("stop: expected strings, found " + kind(value));
      }
      request.options.stop_strings = value.is_string()
                                         ? std::vector<std::string>{value.get<std::string>()}
                                         : std::move(members.stops());
    }
  }

  /// Three names of one thing.
  static void set_length(const std::string& key, const nlohmann::json& value,
                         const RequestMembers& members, GenerateOptions& options) {
    for (const char* other : {"n", "n_predict", "max_tokens"}) {
      if (other < key && members.find(other) != nullptr) {
        refuse(key + ": says what " + other + " says");
      }
    }
    options.max_new_tokens = whole<std::int32_t>(key, value, GenerateOptions::unlimited);
  }

  static float* number_called(const std::string& key, SamplingOptions& sampling) {
    if (key == "temperature") return &sampling.temperature;
    if (key == "top_p") return &sampling.top_p;
    if (key == "min_p") return &sampling.min_p;
    if (key == "repeat_penalty") return &sampling.repeat_penalty;
    if (key == "presence_penalty") return &sampling.presence_penalty;
    return key == "frequency_penalty" ? &sampling.frequency_penalty : nullptr;
  }

  std::vector<std::int32_t> encode(const nlohmann::json& value) const {
    if (!value.is_string()) refuse("prompt: expected a string, found " + kind(value));
    if (tokenizer == nullptr) refuse("prompt: the model has no tokenizer; give tokens");
    std::vector<std::int32_t> ids =
        encode_in_parts(*tokenizer, value.get_ref<const std::string&>());
    if (bos) ids.insert(ids.begin(), *bos);
    return ids;
  }

  static float number(const std::string& key, const nlohmann::json& value) {
    if (!value.is_number()) refuse(key + ": expected a number, found " + kind(value));
    return static_cast<float>(value.get<double>());
  }

  static std::string kind(const nlohmann::json& value) { return value.type_name(); }
};

}  // namespace griffin::examples
