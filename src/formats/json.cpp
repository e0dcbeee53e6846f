// SPDX-License-Identifier: Apache-2.0
#include "formats/json.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "formats/printable.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

bool by_key(const JsonMember& a, const JsonMember& b) {
  return a.key < b.key;
}

/// Receives the events of the parser (their names and types are the parser's) and builds the member
/// of the top level that is being read.
class Builder {
 public:
  Builder(const std::string& name, const OnJsonMember& on_member, std::span<const JsonPart> parts)
      : name_(name), on_member_(on_member), parts_(parts) {}

  bool null() { return add({nullptr}); }
  bool boolean(bool value) { return add({value}); }
  bool number_integer(std::int64_t value) { return add({value}); }
  bool number_unsigned(std::uint64_t value) { return add({value}); }
  bool number_float(double value, const std::string&) { return add({value}); }
  bool string(std::string& value) { return add({std::move(value)}); }
  bool binary(nlohmann::json::binary_t&) { fail("binary data"); }  // JSON text has none

  bool start_object(std::size_t) {
    if (!top_level_open_) return top_level_open_ = true;
    return open({JsonObject{}});
  }
  bool start_array(std::size_t) { return open({JsonArray{}}); }
  bool end_object() { return open_.empty() || close(); }
  bool end_array() { return close(); }

  bool key(std::string& key) {
    if (!open_.empty()) {
      open_.back().key = std::move(key);
      return true;
    }
    if (!keys_.insert(key).second) fail_duplicate(key);
    key_ = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    fail("not valid JSON, at byte " + std::to_string(position));
  }

 private:
  struct Open {
    JsonValue value;                 // the array or object that is being filled
    std::string key;                 // of the member that comes next
    const JsonPart* part = nullptr;  // whose elements go elsewhere
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::format, name_ + ": " + what);
  }
  [[noreturn]] void fail_duplicate(const std::string& key) const {
    fail("key " + printable(key) + " occurs twice in one object");
  }

  bool open(JsonValue container) {
    if (!top_level_open_) fail("expected a JSON object, found an array");
    if (open_.size() + 2 > max_json_depth) {
      fail("JSON is nested deeper than " + std::to_string(max_json_depth) + " levels");
    }
    open_.push_back({std::move(container), {}, part_that_begins()});
    return true;
  }

  const JsonPart* part_that_begins() const {
    if (open_.size() != 1) return nullptr;
    const auto part = std::find_if(parts_.begin(), parts_.end(), [&](const JsonPart& p) {
      return p.member == key_ && p.key == open_.back().key;
    });
    return part == parts_.end() ? nullptr : &*part;
  }

  bool close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    if (auto* object = std::get_if<JsonObject>(&value.data)) sort(*object);
    return add(std::move(value));
  }

  void sort(JsonObject& object) const {
    std::sort(object.begin(), object.end(), by_key);
    const auto twice =
        std::adjacent_find(object.begin(), object.end(),
                           [](const JsonMember& a, const JsonMember& b) { return a.key == b.key; });
    if (twice != object.end()) fail_duplicate(twice->key);
  }

  bool add(JsonValue value) {
    if (!top_level_open_) fail("expected a JSON object, found " + describe(value));
    if (++values_ > max_json_values) {
      fail("key " + printable(key_) + " holds more than " + std::to_string(max_json_values) +
           " values");
    }
    if (open_.empty()) {
      values_ = 0;
      on_member_({std::move(key_), std::move(value)});
    } else if (const JsonPart* part = open_.back().part) {
      values_ = 0;
      part->on_element({std::move(open_.back().key), std::move(value)});
    } else if (auto* array = std::get_if<JsonArray>(&open_.back().value.data)) {
      array->push_back(std::move(value));
    } else {
      std::get<JsonObject>(open_.back().value.data)
          .push_back({std::move(open_.back().key), std::move(value)});
    }
    return true;
  }

  const std::string& name_;
  const OnJsonMember& on_member_;
  std::span<const JsonPart> parts_;
  bool top_level_open_ = false;
  std::set<std::string> keys_;  // of the top level
  std::string key_;             // the one whose value is being read
  std::size_t values_ = 0;      // in it so far
  std::vector<Open> open_;
};

/// What the parser would let pass.
void check_bytes(std::string_view text, const std::string& name) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    throw Error(ErrorCode::format, name + ": expected a JSON object, found a byte order mark");
  }
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    throw Error(ErrorCode::format,
                name + ": not valid JSON, NUL at byte " + std::to_string(nul + 1));
  }
}

struct Describe {
  std::string operator()(std::nullptr_t) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::uint64_t value) const { return "the number " + to_text(value); }
  std::string operator()(std::int64_t value) const {
    return "the number " + (value == 0 ? "-0" : to_text(value));
  }
  std::string operator()(double value) const {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value);
    return std::string("the real number ") + text;
  }
  std::string operator()(const std::string& value) const { return printable(value); }
  std::string operator()(const JsonArray& value) const {
    return "an array of " + to_text(value.size());
  }
  std::string operator()(const JsonObject&) const { return "an object"; }

  static std::string to_text(auto value) { return std::to_string(value); }
};

}  // namespace

const JsonValue* find(const JsonObject& object, std::string_view key) noexcept {
  const auto member =
      std::lower_bound(object.begin(), object.end(), key,
                       [](const JsonMember& a, std::string_view b) { return a.key < b; });
  return member != object.end() && member->key == key ? &member->value : nullptr;
}

std::string describe(const JsonValue& value) {
  return std::visit(Describe{}, value.data);
}

void read_json(std::string_view text, const std::string& name, const OnJsonMember& on_member,
               std::span<const JsonPart> parts) {
  check_bytes(text, name);
  Builder builder(name, on_member, parts);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
}

JsonObject parse_json(std::string_view text, const std::string& name) {
  JsonObject object;
  read_json(text, name, [&](JsonMember&& member) { object.push_back(std::move(member)); });
  std::sort(object.begin(), object.end(), by_key);
  return object;
}

}  // namespace griffin
