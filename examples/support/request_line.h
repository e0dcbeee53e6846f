// SPDX-License-Identifier: Apache-2.0
// A request as a line of JSON.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/scheduler.h"
#include "support/sampling_options.h"

namespace griffin::examples {

/// Reads {"id", "prompt" or "tokens", "n", "temperature", "top_k", "top_p", "min_p", "seed",
/// "repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "ignore_eos"}. What is null
/// is not there.
struct RequestReader {
  std::optional<std::int32_t> bos;       // what prompts begin with
  const Tokenizer* tokenizer = nullptr;  // null: requests bring token ids
  std::vector<std::int32_t> stop_ids;
  GenerateOptions defaults;
  std::int64_t seed = 0;  // where a request has none; -1: another for each
  bool ignore_eos = false;

  /// Sets `id` as soon as it is known. Throws Error(format) for what is no request; the scheduler
  /// refuses numbers without meaning.
  Request read(std::string_view line, nlohmann::json& id) const {
    const nlohmann::json object = parse(line);
    if (!object.is_object()) refuse("expected an object, found " + kind(object));
    if (const nlohmann::json* found = find(object, "id")) {
      if (!found->is_string() && !found->is_number()) {
        refuse("id: expected a string or a number, found " + kind(*found));
      }
      id = *found;
    }
    Request request;
    request.options = defaults;
    request.options.tokenizer = tokenizer;
    request.options.sampling.seed = draw_seed(seed);
    for (const auto& [key, value] : object.items()) {
      if (!value.is_null()) set(key, value, request);
    }
    if ((find(object, "prompt") == nullptr) == (find(object, "tokens") == nullptr)) {
      refuse("expected one of prompt and tokens");
    }
    request.options.stop_ids = stop_ids;
    if (ignores_eos(object)) SamplingFlags::forbid(stop_ids, request.options.sampling);
    return request;
  }

 private:
  static nlohmann::json parse(std::string_view line) {
    // The parser takes NUL for the end and the last of two equal keys.
    const std::size_t nul = line.find('\0');
    if (nul != std::string_view::npos) refuse_byte(nul + 1);
    std::set<std::string> keys;
    const auto check = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
      if (event == nlohmann::json::parse_event_t::key && depth == 1 &&
          !keys.insert(value.get<std::string>()).second) {
        refuse("key " + value.dump() + " occurs twice");
      }
      return true;
    };
    try {
      return nlohmann::json::parse(line, check);
    } catch (const nlohmann::json::parse_error& error) {
      refuse_byte(error.byte);
    } catch (const nlohmann::json::exception&) {
      refuse("not JSON: a number is out of range");
    }
  }

  [[noreturn]] static void refuse_byte(std::size_t byte) {
    refuse("not JSON, at byte " + std::to_string(byte));
  }

  /// Null for what is null or not there.
  static const nlohmann::json* find(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }

  bool ignores_eos(const nlohmann::json& object) const {
    const nlohmann::json* value = find(object, "ignore_eos");
    if (value == nullptr) return ignore_eos;
    if (!value->is_boolean()) refuse("ignore_eos: expected true or false, found " + kind(*value));
    return value->get<bool>();
  }

  void set(const std::string& key, const nlohmann::json& value, Request& request) const {
    SamplingOptions& sampling = request.options.sampling;
    if (float* to = number_called(key, sampling)) {
      *to = number(key, value);
    } else if (key == "prompt") {
      request.prompt = encode(value);
    } else if (key == "tokens") {
      request.prompt = ids(value);
    } else if (key == "n") {
      request.options.max_new_tokens = whole<std::int32_t>(key, value, 0);
    } else if (key == "top_k") {
      sampling.top_k = whole<std::int32_t>(key, value);
    } else if (key == "seed") {
      sampling.seed = draw_seed(whole<std::int64_t>(key, value, -1));
    } else if (key == "stop") {
      request.options.stop_strings = strings(value);
    } else if (key != "id" && key != "ignore_eos") {  // read() has these two
      refuse("unknown key \"" + key + "\"");
    }
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
    std::vector<std::int32_t> ids = tokenizer->encode(value.get_ref<const std::string&>());
    if (bos) ids.insert(ids.begin(), *bos);
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
  static Integer whole(const std::string& key, const nlohmann::json& value,
                       Integer least = std::numeric_limits<Integer>::min()) {
    if (!value.is_number_integer()) refuse(key + ": expected a whole number, found " + kind(value));
    const bool too_large = value.is_number_unsigned() &&
                           value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    const std::int64_t found = too_large ? INT64_MAX : value.get<std::int64_t>();
    if (too_large || found < std::numeric_limits<Integer>::min() ||
        found > std::numeric_limits<Integer>::max()) {
      refuse(key + ": " + value.dump() + " is out of range");
    }
    if (found < least) {
      refuse(key + ": expected >= " + std::to_string(least) + ", found " + value.dump());
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
