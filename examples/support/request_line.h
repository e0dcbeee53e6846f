// SPDX-License-Identifier: Apache-2.0
// A request as a line of JSON.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/scheduler.h"

namespace griffin::examples {

/// Reads {"id", "prompt" or "tokens", "n", "temperature", "top_k", "top_p", "min_p", "seed",
/// "repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "ignore_eos"}.
struct RequestReader {
  const ModelConfig* config = nullptr;
  const Tokenizer* tokenizer = nullptr;  // null: requests bring token ids
  std::vector<std::int32_t> stop_ids;
  GenerateOptions defaults;
  bool ignore_eos = false;

  /// Sets `id` as soon as it is known. Throws Error(format) for what is no request; the scheduler
  /// refuses numbers without meaning.
  Request read(std::string_view line, nlohmann::ordered_json& id) const {
    nlohmann::json object;
    try {
      object = nlohmann::json::parse(line);
    } catch (const nlohmann::json::exception& error) {
      throw Error(ErrorCode::format, std::string("not JSON: ") + error.what());
    }
    if (!object.is_object()) refuse("expected an object, found " + kind(object));
    if (const auto found = object.find("id"); found != object.end()) {
      if (!found->is_string() && !found->is_number()) {
        refuse("id: expected a string or a number, found " + kind(*found));
      }
      id = *found;
    }
    Request request;
    request.options = defaults;
    request.options.tokenizer = tokenizer;
    bool ignores = ignore_eos;
    for (const auto& [key, value] : object.items()) {
      if (key == "ignore_eos") {
        if (!value.is_boolean()) refuse("ignore_eos: expected true or false, found " + kind(value));
        ignores = value.get<bool>();
      } else if (key != "id") {
        set(key, value, request);
      }
    }
    if (object.contains("prompt") == object.contains("tokens")) {
      refuse("expected one of prompt and tokens");
    }
    if (!ignores) request.options.stop_ids = stop_ids;
    return request;
  }

 private:
  void set(const std::string& key, const nlohmann::json& value, Request& request) const {
    SamplingOptions& sampling = request.options.sampling;
    if (key == "prompt") {
      request.prompt = encode(value);
    } else if (key == "tokens") {
      request.prompt = ids(value);
    } else if (key == "n") {
      request.options.max_new_tokens = whole<std::int32_t>(key, value);
    } else if (key == "temperature") {
      sampling.temperature = number(key, value);
    } else if (key == "top_k") {
      sampling.top_k = whole<std::int32_t>(key, value);
    } else if (key == "top_p") {
      sampling.top_p = number(key, value);
    } else if (key == "min_p") {
      sampling.min_p = number(key, value);
    } else if (key == "repeat_penalty") {
      sampling.repeat_penalty = number(key, value);
    } else if (key == "presence_penalty") {
      sampling.presence_penalty = number(key, value);
    } else if (key == "frequency_penalty") {
      sampling.frequency_penalty = number(key, value);
    } else if (key == "seed") {
      const auto seed = whole<std::int64_t>(key, value);
      if (seed < 0) refuse("seed: expected >= 0, found " + std::to_string(seed));
      sampling.seed = static_cast<std::uint64_t>(seed);
    } else if (key == "stop") {
      request.options.stop_strings = strings(value);
    } else {
      refuse("unknown key \"" + key + "\"");
    }
  }

  std::vector<std::int32_t> encode(const nlohmann::json& value) const {
    if (!value.is_string()) refuse("prompt: expected a string, found " + kind(value));
    if (tokenizer == nullptr) refuse("prompt: the model has no tokenizer; give tokens");
    std::vector<std::int32_t> ids = tokenizer->encode(value.get_ref<const std::string&>());
    ids.insert(ids.begin(), config->bos_id);
    return ids;
  }

  static std::vector<std::int32_t> ids(const nlohmann::json& value) {
    if (!value.is_array()) refuse("tokens: expected an array of ids, found " + kind(value));
    std::vector<std::int32_t> ids;
    for (const auto& id : value) ids.push_back(whole<std::int32_t>("tokens", id));
    return ids;
  }

  static std::vector<std::string> strings(const nlohmann::json& value) {
    if (value.is_string()) return {value.get<std::string>()};
    if (!value.is_array()) refuse("stop: expected strings, found " + kind(value));
    std::vector<std::string> found;
    for (const auto& text : value) {
      if (!text.is_string()) refuse("stop: expected strings, found " + kind(text));
      found.push_back(text.get<std::string>());
    }
    return found;
  }

  template <class Integer>
  static Integer whole(const std::string& key, const nlohmann::json& value) {
    if (!value.is_number_integer()) refuse(key + ": expected a whole number, found " + kind(value));
    const bool too_large = value.is_number_unsigned() &&
                           value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    const std::int64_t found = too_large ? INT64_MAX : value.get<std::int64_t>();
    if (too_large || found < std::numeric_limits<Integer>::min() ||
        found > std::numeric_limits<Integer>::max()) {
      refuse(key + ": " + value.dump() + " is out of range");
    }
    return static_cast<Integer>(found);
  }

  static float number(const std::string& key, const nlohmann::json& value) {
    if (!value.is_number()) refuse(key + ": expected a number, found " + kind(value));
    return static_cast<float>(value.get<double>());
  }

  static std::string kind(const nlohmann::json& value) { return value.type_name(); }

  [[noreturn]] static void refuse(const std::string& what) { throw Error(ErrorCode::format, what); }
};

}  // namespace griffin::examples
