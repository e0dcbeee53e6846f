// SPDX-License-Identifier: Apache-2.0
// The members of a request as a line of JSON, read without a tree of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/core/error.h"

namespace griffin::examples {

[[noreturn]] inline void refuse(const std::string& what) {
  throw Error(ErrorCode::format, what);
}

/// A whole number that the type holds. Throws Error(format).
template <class Integer>
Integer whole(const std::string& key, const nlohmann::json& value,
              Integer least = std::numeric_limits<Integer>::min()) {
  if (!value.is_number_integer()) {
    refuse(key + ": expected a whole number, found " +
           (value.is_number() ? value.dump() : value.type_name()));
  }
  const bool too_large = value.is_number_unsigned() &&
                         value.get<std::uint64_t>() >
                             static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t found = too_large ? 0 : value.get<std::int64_t>();
  if (too_large || found < std::numeric_limits<Integer>::min() ||
      found > std::numeric_limits<Integer>::max()) {
    refuse(key + ": " + value.dump() + " is out of range");
  }
  if (found < least) {
    refuse(key + ": expected >= " + std::to_string(least) + ", found " + value.dump());
  }
  return static_cast<Integer>(found);
}

/// What a line says, member by member. A prompt of ids takes 4 bytes for each: a line may hold
/// millions, and a tree of JSON would take sixteen, and die where memory ends.
class RequestMembers : private nlohmann::json_sax<nlohmann::json> {
 public:
  /// `known`: the keys of a request. Throws Error(format) for what is no JSON; what else is wrong
  /// waits for require(), so that find("id") can tell whose request it is.
  RequestMembers(std::string_view line, const std::set<std::string_view>& known) : known_(&known) {
    // The parser takes NUL for the end.
    const std::size_t nul = line.find('\0');
    if (nul != std::string_view::npos) refuse_byte(nul + 1);
    nlohmann::json::sax_parse(line, static_cast<nlohmann::json_sax<nlohmann::json>*>(this));
  }

  /// Throws Error(format) for a line that is no object, has a key twice or one that is not known,
  /// or an array with what does not belong there.
  void require() const {
    if (!complaint_.empty()) refuse(complaint_);
  }

  /// A value that is no array; null for what is null or not there.
  const nlohmann::json* find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() || found->second.is_null() ? nullptr : &found->second;
  }
  const std::map<std::string, nlohmann::json, std::less<>>& values() const { return values_; }

  std::vector<std::int32_t>& tokens() { return tokens_; }
  std::vector<std::string>& stops() { return stops_; }

 private:
  using Json = nlohmann::json;

  bool null() override { return take(Json(nullptr)); }
  bool boolean(bool value) override { return take(Json(value)); }
  bool number_integer(std::int64_t value) override { return take(Json(value)); }
  bool number_unsigned(std::uint64_t value) override { return take(Json(value)); }
  bool number_float(double value, const std::string& text) override {
    // Of more digits than a number of any type keeps: nobody would know the answer by it.
    const bool exact = Json(value).dump() == text;
    if (depth_ == 1 && key_ == "id" && !exact && text.find_first_of(".eE") == std::string::npos) {
      complain("id: " + text + " is out of range; give it as a string");
    }
    return take(Json(value));
  }
  bool string(std::string& value) override { return take(Json(std::move(value))); }
  bool binary(Json::binary_t&) override { return true; }  // not in JSON
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (depth_ != 1) return true;
    key_ = std::move(name);
    if (!known_->contains(key_)) {
      complain("unknown key " + quoted(key_));
    } else if (!seen_.insert(key_).second) {
      complain("key " + quoted(key_) + " occurs twice");
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    if (dynamic_cast<const Json::parse_error*>(&error) != nullptr) refuse_byte(position);
    refuse("not JSON: a number is out of range");
  }

  /// An array is kept as elements, an object as one without members.
  bool open(Json&& empty) {
    const bool is_object = empty.is_object();
    if (depth_ == 0 && !is_object) {
      complain("expected an object, found array");
    } else if (depth_ == 1) {
      keep(std::move(empty));
    } else if (depth_ == 2) {
      take_element(empty);
    }
    if (depth_ == 1) in_array_ = !is_object;
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }

  bool take(Json&& value) {
    if (depth_ == 0) complain("expected an object, found " + std::string(value.type_name()));
    if (depth_ == 1) keep(std::move(value));
    if (depth_ == 2) take_element(value);
    return true;
  }

  void keep(Json&& value) {
    if (known_->contains(key_)) values_[key_] = std::move(value);
  }

  void take_element(Json& value) try {
    if (!in_array_) return;
    if (key_ == "tokens") {
      tokens_.push_back(whole<std::int32_t>(key_, value));
    } else if (key_ == "stop") {
      if (!value.is_string()) {
        refuse("stop: expected strings, found " + std::string(value.type_name()));
      }
      stops_.push_back(std::move(value.get_ref<std::string&>()));
    }
  } catch (const Error& error) {
    complain(error.what());
  }

  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = what;
  }

  static std::string quoted(const std::string& key) {
    constexpr std::size_t most = 64;
    const std::string name = key.size() <= most ? key : key.substr(0, most) + "...";
    return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  [[noreturn]] static void refuse_byte(std::size_t byte) {
    refuse("not JSON, at byte " + std::to_string(byte));
  }

  const std::set<std::string_view>* known_;
  std::int64_t depth_ = 0;
  std::string key_;        // of the top level
  bool in_array_ = false;  // that is its value
  std::set<std::string> seen_;
  std::map<std::string, nlohmann::json, std::less<>> values_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::string> stops_;
  std::string complaint_;  // the first
};

}  // namespace griffin::examples
