// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <utility>

#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t longest_pattern = 1 << 16;  // bytes
// Of one search. A white-space run of n characters takes about 2 n steps.
constexpr std::uint32_t most_steps = 50'000'000;
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

  /// The first match that begins at `from` or later; none: {npos, npos}.
  Match search(std::string_view text, std::size_t from, std::uint32_t options,
               pcre2_match_data* data) const {
    const int found = pcre2_match(code.get(), units(text), text.size(), from,
                                  options | PCRE2_NO_UTF_CHECK, data, limits.get());
    if (found == PCRE2_ERROR_NOMATCH) return {std::string_view::npos, std::string_view::npos};
    if (found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
    if (found < 0) {
      throw Error(ErrorCode::unsupported,
                  name + ": the regular expression fails on this text: " + message_of(found));
    }
    const std::size_t* ends = pcre2_get_ovector_pointer(data);
    if (ends[0] > ends[1] || ends[0] < from) {  // \K in a look-around
      throw Error(ErrorCode::unsupported, name +
                                              ": a match of the regular expression ends before "
                                              "it begins");
    }
    return {ends[0], ends[1]};
  }

  MatchData new_data() const { return MatchData(require(pcre2_match_data_create(1, nullptr))); }
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
  std::size_t where = 0;
  Code code(pcre2_compile(units(translated), translated.size(),
                          PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                          &where, context.get()));
  if (code == nullptr) {
    throw Error(ErrorCode::format, name + ": not a regular expression: " + message_of(error));
  }
  MatchContext limits(require(pcre2_match_context_create(nullptr)));
  pcre2_set_match_limit(limits.get(), most_steps);
  pcre2_set_depth_limit(limits.get(), most_steps);
  pcre2_set_heap_limit(limits.get(), most_kibibytes);
  compiled_.reset(new Compiled{std::move(name), std::move(code), std::move(limits)});
}

std::vector<Match> Regex::find_all(std::string_view text) const {
  const MatchData data = compiled_->new_data();
  std::vector<Match> matches;
  for (std::size_t at = 0; at <= text.size();) {
    const Match match = compiled_->search(text, at, 0, data.get());
    if (match.begin == std::string_view::npos) break;
    if (match.begin == match.end && !matches.empty() && matches.back().end == match.end) {
      at += at < text.size() ? utf8_prefix(text.substr(at)).length : 1;
      continue;
    }
    matches.push_back(match);
    at = match.end;
  }
  return matches;
}

bool Regex::matches_at_start(std::string_view text) const {
  const MatchData data = compiled_->new_data();
  return compiled_->search(text, 0, PCRE2_ANCHORED, data.get()).begin == 0;
}

bool is_script(std::string_view name) {
  const std::string pattern = "\\p{sc:" + std::string(name) + "}";
  int error = 0;
  std::size_t where = 0;
  const Code code(pcre2_compile(units(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                                &where, nullptr));
  return code != nullptr;
}

}  // namespace griffin
