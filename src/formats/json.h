// SPDX-License-Identifier: Apache-2.0
// JSON, read strictly: one object, nothing before or after it but white space, no key twice in any
// object, no NUL, no byte order mark, valid UTF-8, bounded depth and size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// Levels of nesting, the top level included.
inline constexpr std::size_t max_json_depth = 128;

/// Values within one member of the top level; keeps what a hostile file can make us allocate in
/// proportion to what an honest one needs.
inline constexpr std::size_t max_json_values = 1 << 20;

struct JsonValue;
struct JsonMember;

using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<JsonMember>;  // sorted by key, every key once

/// A number is a uint64 if it is written without sign, fraction and exponent and fits; an int64 if
/// it has a minus sign, "-0" too; a double otherwise.
struct JsonValue {
  std::variant<std::nullptr_t, bool, std::uint64_t, std::int64_t, double, std::string, JsonArray,
               JsonObject>
      data;

  /// Null if the value is of another type.
  template <class T>
  const T* as() const noexcept {
    return std::get_if<T>(&data);
  }
  bool is_null() const noexcept { return as<std::nullptr_t>() != nullptr; }
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

/// The value of a key; null if the object does not have it.
GRIFFIN_API const JsonValue* find(const JsonObject& object, std::string_view key) noexcept;

/// A value in a few words, for an error message: `the number 3`, `an array of 2`, `"text"`.
GRIFFIN_API std::string describe(const JsonValue& value);

using OnJsonMember = std::function<void(JsonMember&&)>;

/// An object or array too large to be held: `key` of the object that `member` of the top level is.
/// Its elements are handed over one by one, those of an array without a key, and in its place stays
/// an empty one. That no key comes twice is for `on_element` to see.
struct JsonPart {
  std::string_view member;
  std::string_view key;
  OnJsonMember on_element;
};

/// Reads the object that `text` is and hands over its members one by one, in the order of the text,
/// so that a long text need not be held twice. Throws Error(format) that begins with `name`;
/// exceptions of `on_member` and of the parts pass through.
GRIFFIN_API void read_json(std::string_view text, const std::string& name,
                           const OnJsonMember& on_member, std::span<const JsonPart> parts = {});

/// The same, as a whole.
GRIFFIN_API JsonObject parse_json(std::string_view text, const std::string& name);

}  // namespace griffin
