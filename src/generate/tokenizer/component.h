// SPDX-License-Identifier: Apache-2.0
// What the parts of a tokenizer.json have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/json_fields.h"
#include "generate/tokenizer/regex.h"

namespace griffin {

/// A part of a tokenizer: an object with a "type". Errors name file, part and field.
class Component {
 public:
  /// Throws Error(format) for what is no such object.
  explicit Component(const JsonField& field);

  std::string_view type() const { return type_; }
  JsonField operator[](std::string_view key) const { return JsonFields(path_, object_)[key]; }
  const std::string& path() const { return path_; }

  bool boolean(std::string_view key, bool if_absent) const;
  /// Throws Error(format) where it is not there.
  std::string_view text(std::string_view key) const;
  /// One code point. Throws as text() does.
  std::string_view character(std::string_view key) const;
  /// The parts of a Sequence.
  std::vector<Component> parts(std::string_view key) const;

  /// Throws Error(unsupported) naming the type and what there is in its place.
  [[noreturn]] void refuse_type(const std::string& known) const;

 private:
  std::string path_;
  const JsonObject* object_;
  std::string_view type_;
};

/// What is looked for in a text: a string or a regular expression.
class Pattern {
 public:
  /// The field "pattern". Throws Error(format), also for an empty string.
  explicit Pattern(const Component& component);
  /// A string, not empty.
  explicit Pattern(std::string literal) : pattern_(std::move(literal)) {}
  explicit Pattern(Regex regex) : pattern_(std::move(regex)) {}

  /// From left to right, none within another.
  std::vector<Match> find_all(std::string_view text) const;
  /// The text with every match replaced; only its begin, once that has more than `most` bytes.
  std::string replace(std::string_view text, std::string_view with,
                      std::size_t most = SIZE_MAX) const;
  bool is_one_character() const;

 private:
  static std::variant<std::string, Regex> read(const Component& component);

  std::variant<std::string, Regex> pattern_;
};

}  // namespace griffin
