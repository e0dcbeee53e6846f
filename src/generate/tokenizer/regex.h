// SPDX-License-Identifier: Apache-2.0
// Regular expressions as tokenizer.json has them: Oniguruma's (Ruby's syntax), run by PCRE2.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace griffin {

/// A part of a text, in bytes.
struct Match {
  std::size_t begin;
  std::size_t end;
};

/// A pattern over UTF-8, with the properties of Unicode. Immutable; any number of threads may use
/// it at once.
class Regex {
 public:
  /// `name` is what errors begin with: file and component. Throws Error(unsupported) for what the
  /// two syntaxes do not share and Error(format) for what is no pattern.
  Regex(std::string_view pattern, std::string name);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// All matches of valid UTF-8, from left to right, none within another; an empty one does not
  /// follow the match before it at once. Throws Error(unsupported) where finding them takes more
  /// than a number of steps that grows with the text, or a bounded amount of memory.
  std::vector<Match> find_all(std::string_view text) const;

  /// Whether one begins where the text does.
  bool matches_at_start(std::string_view text) const;

 private:
  struct Compiled;
  class Search;
  std::unique_ptr<const Compiled> compiled_;
};

/// Whether a property of Unicode is the name of a script.
bool is_script(std::string_view name);

/// The pattern in PCRE2's syntax. Throws as Regex does.
std::string to_pcre2(std::string_view pattern, const std::string& name);

}  // namespace griffin
