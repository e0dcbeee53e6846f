// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <utility>

#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t longest_pattern = 1 << 16;  // bytes
// PCRE2 counts the steps from one place where a match may begin, and does not tell them. Few are
// not counted here, and more are as what they were allowed. A white-space run of n characters takes
// about 2 n steps. Repeats are not made possessive, whose characters are no steps.
constexpr std::uint32_t few_steps = 1 << 10;
constexpr std::uint64_t most_steps = 50'000'000;    // of a short text
constexpr std::uint64_t most_steps_of_a_byte = 64;  // and more of a long one
constexpr std::uint32_t steps_growth = 8;
constexpr std::uint32_t most_kibibytes = 1 << 17;

template <class T>
T* require(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

template <auto free>
struct Free {
  void operator()(auto* pointer) const noexcept { free(pointer); }
};
using Code = std::unique_ptr<pcre2_code, Free<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;

PCRE2_SPTR units(std::string_view text) noexcept {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

/// Null, and why, for what is no pattern.
Code compile(std::string_view pattern, std::uint32_t options, pcre2_compile_context* context,
             int& error) {
  std::size_t where = 0;
  Code code(pcre2_compile(units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP | options, &error,
                          &where, context));
  if (code == nullptr && error == PCRE2_ERROR_HEAP_FAILED) throw std::bad_alloc();
  return code;
}

std::string message_of(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Regex::Compiled {
  std::string name;
  Code code;
  MatchContext limits;
};

/// The searches of one text, whose steps are bounded together.
class Regex::Search {
 public:
  Search(const Compiled& compiled, std::string_view text)
      : compiled_(&compiled),
        text_(text),
        data_(require(pcre2_match_data_create(1, nullptr))),
        limits_(require(pcre2_match_context_copy(compiled.limits.get()))),
        steps_(most_steps + most_steps_of_a_byte * text.size()) {}

  /// The first match that begins at `from` or later.
  std::optional<Match> first(std::size_t from) {
    if (run(from, 0, few_steps)) return match(from);
    // Somewhere it takes more steps: one place after the other.
    for (; from <= text_.size(); from += width(from)) {
      if (const std::optional<Match> found = at(from)) return found;
    }
    return std::nullopt;
  }

  /// The match that begins there.
  std::optional<Match> at(std::size_t from) {
    std::uint64_t steps = few_steps;
    while (!run(from, PCRE2_ANCHORED, steps)) {
      if (steps_ == 0) fail(PCRE2_ERROR_MATCHLIMIT);
      steps = std::min(steps * steps_growth, steps_);
      steps_ -= steps;
    }
    return match(from);
  }

  /// Bytes to the next place.
  std::size_t width(std::size_t from) const {
    return from < text_.size() ? utf8_prefix(text_.substr(from)).length : 1;
  }

 private:
  /// Whether the steps sufficed.
  bool run(std::size_t from, std::uint32_t options, std::uint64_t steps) {
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    pcre2_set_match_limit(limits_.get(), static_cast<std::uint32_t>(std::min(steps, most)));
    found_ = pcre2_match(compiled_->code.get(), units(text_), text_.size(), from,
                         options | PCRE2_NO_UTF_CHECK, data_.get(), limits_.get());
    return found_ != PCRE2_ERROR_MATCHLIMIT;
  }

  /// What the last run found.
  std::optional<Match> match(std::size_t from) const {
    if (found_ == PCRE2_ERROR_NOMATCH) return std::nullopt;
    if (found_ == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (found_ < 0) fail(found_);
    const std::size_t* ends = pcre2_get_ovector_pointer(data_.get());
    if (ends[0] > ends[1] || ends[0] < from) {  // \K in a look-around
      throw Error(ErrorCode::unsupported, compiled_->name +
                                              ": a match of the regular expression ends before "
                                              "it begins");
    }
    return Match{ends[0], ends[1]};
  }

  [[noreturn]] void fail(int error) const {
    throw Error(
        ErrorCode::unsupported,
        compiled_->name + ": the regular expression fails on this text: " + message_of(error));
  }

  const Compiled* compiled_;
  std::string_view text_;
  MatchData data_;
  MatchContext limits_;
  std::uint64_t steps_;  // that are left
  int found_ = 0;
};

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Regex(std::string_view pattern, std::string name) {
  if (pattern.size() > longest_pattern) {
    throw Error(ErrorCode::format, name + ": expected a regular expression of at most " +
                                       std::to_string(longest_pattern) + " bytes, found " +
                                       std::to_string(pattern.size()));
  }
  const std::string translated = to_pcre2(pattern, name);
  const CompileContext context(require(pcre2_compile_context_create(nullptr)));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  Code code = compile(translated, PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_POSSESS,
                      context.get(), error);
  if (code == nullptr) {
    throw Error(ErrorCode::format, name + ": not a regular expression: " + message_of(error));
  }
  MatchContext limits(require(pcre2_match_context_create(nullptr)));
  pcre2_set_heap_limit(limits.get(), most_kibibytes);
  compiled_.reset(new Compiled{std::move(name), std::move(code), std::move(limits)});
}

std::vector<Match> Regex::find_all(std::string_view text) const {
  Search search(*compiled_, text);
  std::vector<Match> matches;
  for (std::size_t at = 0; at <= text.size();) {
    const std::optional<Match> match = search.first(at);
    if (!match) break;
    if (match->begin == match->end && !matches.empty() && matches.back().end == match->end) {
      at += search.width(at);
      continue;
    }
    matches.push_back(*match);
    at = match->end;
  }
  return matches;
}

bool Regex::matches_at_start(std::string_view text) const {
  return Search(*compiled_, text).at(0).has_value();
}

bool is_script(std::string_view name) {
  const std::string pattern = "\\p{sc:" + std::string(name) + "}";
  int error = 0;
  return compile(pattern, 0, nullptr, error) != nullptr;
}

}  // namespace griffin
