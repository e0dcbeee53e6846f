// SPDX-License-Identifier: Apache-2.0
// Typed reading of the fields of a JSON object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "formats/json.h"
#include "griffin/core/error.h"

namespace GRIFFIN_API griffin {  // for our other libraries

/// A field that may be absent. Reading gives nothing if it is, and throws Error(format) naming
/// file, field, what was expected and what was found if it is of another type or out of range.
class JsonField {
 public:
  JsonField(std::string path, const JsonValue* value) : path_(std::move(path)), value_(value) {}

  const std::string& path() const noexcept { return path_; }  // file and key
  const JsonValue* value() const noexcept { return value_; }  // null: absent
  bool is_null() const noexcept { return value_ != nullptr && value_->is_null(); }

  /// The same field, absent if its value is null.
  JsonField unless_null() const { return {path_, is_null() ? nullptr : value_}; }

  /// Written without sign, fraction and exponent, and in [low, high].
  std::optional<std::int64_t> integer(std::int64_t low, std::int64_t high) const;
  /// Any number in [low, high].
  std::optional<double> real(double low, double high) const;
  std::optional<bool> boolean() const;
  std::optional<std::string_view> text() const;
  const JsonArray* array() const;    // null: absent
  const JsonObject* object() const;  // null: absent

  /// Throws: the value is not what it must be, or what we can work with.
  [[noreturn]] void fail(ErrorCode code, const std::string& expected) const;

 private:
  template <class T>
  const T* read(const char* expected) const;

  std::string path_;
  const JsonValue* value_;
};

/// The fields of an object. A null object has none.
class JsonFields {
 public:
  JsonFields(std::string path, const JsonObject* object)
      : path_(std::move(path)), object_(object) {}

  JsonField operator[](std::string_view key) const;

 private:
  std::string path_;  // of the object
  const JsonObject* object_;
};

/// The value of a field that goes by two names: throws Error(format) if both are there and differ.
template <class Read>
auto read_alias(const JsonField& a, const JsonField& b, const Read& read) {
  const auto value_a = read(a);
  const auto value_b = read(b);
  if (value_a && value_b && *value_a != *value_b) {
    b.fail(ErrorCode::format, "what " + a.path() + " says, " + describe(*a.value()));
  }
  return value_a ? value_a : value_b;
}

}  // namespace griffin
