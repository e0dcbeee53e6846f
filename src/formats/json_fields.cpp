// SPDX-License-Identifier: Apache-2.0
#include "formats/json_fields.h"

#include <cstdio>

namespace griffin {
namespace {

std::string to_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

JsonField JsonFields::operator[](std::string_view key) const {
  return {path_ + ": " + std::string(key), object_ == nullptr ? nullptr : find(*object_, key)};
}

void JsonField::fail(ErrorCode code, const std::string& expected) const {
  const std::string found = value_ == nullptr ? "nothing" : describe(*value_);
  throw Error(code, path_ + ": expected " + expected + ", found " + found);
}

template <class T>
const T* JsonField::read(const char* expected) const {
  if (value_ == nullptr) return nullptr;
  const T* value = value_->as<T>();
  if (value == nullptr) fail(ErrorCode::format, expected);
  return value;
}

std::optional<std::int64_t> JsonField::integer(std::int64_t low, std::int64_t high) const {
  if (value_ == nullptr) return {};
  const auto* value = value_->as<std::uint64_t>();
  if (value == nullptr || *value > static_cast<std::uint64_t>(high) ||
      static_cast<std::int64_t>(*value) < low) {
    fail(ErrorCode::format,
         "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<std::int64_t>(*value);
}

std::optional<double> JsonField::real(double low, double high) const {
  if (value_ == nullptr) return {};
  std::optional<double> value;
  if (const auto* number = value_->as<double>()) value = *number;
  if (const auto* number = value_->as<std::uint64_t>()) value = static_cast<double>(*number);
  if (const auto* number = value_->as<std::int64_t>()) value = static_cast<double>(*number);
  if (!value || !(*value >= low && *value <= high)) {
    fail(ErrorCode::format, "a number from " + to_text(low) + " to " + to_text(high));
  }
  return value;
}

std::optional<bool> JsonField::boolean() const {
  const bool* value = read<bool>("true or false");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string_view> JsonField::text() const {
  const auto* value = read<std::string>("a string");
  return value == nullptr ? std::nullopt : std::optional<std::string_view>(*value);
}

const JsonArray* JsonField::array() const {
  return read<JsonArray>("an array");
}

const JsonObject* JsonField::object() const {
  return read<JsonObject>("an object");
}

}  // namespace griffin
