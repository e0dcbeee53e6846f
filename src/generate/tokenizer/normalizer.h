// SPDX-License-Identifier: Apache-2.0
// What is done to a whole text before it is cut.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "generate/tokenizer/component.h"
#include "generate/tokenizer/unicode_form.h"

namespace griffin {

class Normalizer {
 public:
  /// Null and absent: nothing is done. Throws Error(unsupported) for a kind that is not known and
  /// Error(format), both naming the part.
  explicit Normalizer(const JsonField& field);

  /// Throws Error(unsupported) naming the part that makes more than 64 times the text and 1 MiB.
  std::string apply(std::string_view text) const;

 private:
  struct Replace {
    Pattern pattern;
    std::string content;
  };
  struct Prepend {
    std::string content;  // to a text that is not empty
  };
  struct Strip {
    bool left;
    bool right;
  };
  using Change = std::variant<UnicodeForm, Replace, Prepend, Strip>;
  struct Step {
    std::string path;  // of the part, for errors
    Change change;
  };

  void add(const Component& component);
  static std::string apply(const Change& change, std::string text, std::size_t most);

  std::vector<Step> steps_;
};

}  // namespace griffin
