// SPDX-License-Identifier: Apache-2.0
#include "generate/jinja_statements.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace griffin {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view white_space = " \t\n\v\f\r";

std::string with_line_feeds(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    result += text[i] == '\r' ? '\n' : text[i];
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

bool is_of_name(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_';
}

/// message['role'] as message.role.
void write_members_by_dots(JinjaTokens& tokens) {
  for (std::size_t i = 1; i + 2 < tokens.size(); ++i) {
    const bool subscript = tokens[i] == "[" && tokens[i + 2] == "]" && tokens[i + 1].size() > 1 &&
                           tokens[i + 1][0] == '\'';
    const bool of_a_value = is_of_name(tokens[i - 1].back()) || tokens[i - 1] == "]";
    if (!subscript || !of_a_value || tokens[i - 1][0] == '\'' || tokens[i - 1] == "in") continue;
    tokens[i] = ".";
    tokens[i + 1].erase(0, 1);
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i) + 2);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<JinjaStatements> read() {
    while (!rest_.empty()) {
      const std::size_t tag = std::min({rest_.find("{{"), rest_.find("{%"), rest_.find("{#")});
      const std::string_view text = rest_.substr(0, tag);
      rest_.remove_prefix(text.size());
      if (rest_.empty()) {
        add_text(text);
        break;
      }
      const char kind = rest_[1];
      rest_.remove_prefix(2);
      add_text(before_tag(text, kind));
      if (!(kind == '#' ? take_comment() : take_tag(kind))) return std::nullopt;
    }
    return std::move(statements_);
  }

 private:
  void add_text(std::string_view text) {
    if (!text.empty()) statements_.push_back({JinjaStatement::Kind::text, {std::string(text)}});
  }

  /// What is left of a text before a tag; takes the tag's sign.
  std::string_view before_tag(std::string_view text, char kind) {
    const char sign = rest_.empty() ? '\0' : rest_[0];
    if (sign == '-' || sign == '+') rest_.remove_prefix(1);
    if (sign == '-') return text.substr(0, text.find_last_not_of(white_space) + 1);
    if (sign == '+' || kind == '{') return text;
    const std::size_t line = text.rfind('\n') + 1;  // 0 if there is none
    const bool blank = text.find_first_not_of(white_space, line) == npos;
    return blank && (line > 0 || begins_line_) ? text.substr(0, line) : text;
  }

  bool take_comment() {
    const std::size_t end = rest_.find("#}");
    if (end == npos) return false;
    const char sign = end == 0 ? '\0' : rest_[end - 1];
    rest_.remove_prefix(end + 2);
    after_tag(sign, '#');
    return true;
  }

  bool take_tag(char kind) {
    const std::string_view end = kind == '{' ? "}}" : "%}";
    JinjaTokens tokens;
    while (!rest_.empty()) {
      const bool sign = rest_[0] == '-' || (rest_[0] == '+' && kind == '%');
      if (rest_.substr(sign ? 1 : 0).starts_with(end)) {
        const char last = rest_[0];
        rest_.remove_prefix(end.size() + (sign ? 1 : 0));
        after_tag(last, kind);
        write_members_by_dots(tokens);
        statements_.push_back(
            {kind == '{' ? JinjaStatement::Kind::output : JinjaStatement::Kind::block,
             std::move(tokens)});
        return true;
      }
      if (white_space.find(rest_[0]) != npos) {
        rest_.remove_prefix(1);
      } else if (rest_[0] == '\'' || rest_[0] == '"') {
        tokens.push_back(take_string());
      } else {
        tokens.emplace_back(take_word());
      }
    }
    return false;
  }

  void after_tag(char sign, char kind) {
    std::size_t count = 0;
    if (sign == '-') {
      count = std::min(rest_.find_first_not_of(white_space), rest_.size());
    } else if (sign != '+' && kind != '{' && rest_.starts_with('\n')) {
      count = 1;
    }
    begins_line_ = count > 0 && rest_[count - 1] == '\n';
    rest_.remove_prefix(count);
  }

  /// Escapes but these stay as they are written.
  std::string take_string() {
    const char quote = rest_[0];
    std::string token = "'";
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      if (rest_[at] != '\\' || at + 1 == rest_.size()) {
        token += rest_[at];
        continue;
      }
      const char escaped = rest_[++at];
      if (escaped == 'n') {
        token += '\n';
      } else {
        if (escaped != '\'' && escaped != '"') token += '\\';
        token += escaped;
      }
    }
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    return token;
  }

  std::string_view take_word() {
    std::size_t size = 0;
    while (size < rest_.size() && is_of_name(rest_[size])) ++size;
    if (size == 0) size = rest_.starts_with("==") || rest_.starts_with("!=") ? 2 : 1;
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  std::string_view rest_;
  bool begins_line_ = true;
  JinjaStatements statements_;
};

}  // namespace

std::optional<JinjaStatements> jinja_statements(std::string_view text) {
  const std::string lines = with_line_feeds(text);
  return Reader(lines).read();
}

}  // namespace griffin
