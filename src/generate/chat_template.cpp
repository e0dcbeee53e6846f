// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/chat_template.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "formats/file_bytes.h"
#include "formats/json.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20U;  // of a file

/// All that a template may write: literals and what is outside of tags. Between two of them stands
/// `gap`, unless one follows the other at once.
class Written {
 public:
  explicit Written(std::string_view jinja) : rest_(jinja) {
    while (!rest_.empty()) take_text();
  }
  const std::string& text() const { return text_; }

  static constexpr char gap = '\x01';

 private:
  static constexpr auto npos = std::string_view::npos;

  void take_text() {
    const std::size_t tag = std::min({rest_.find("{{"), rest_.find("{%"), rest_.find("{#")});
    text_ += rest_.substr(0, tag);
    rest_.remove_prefix(std::min(tag, rest_.size()));
    if (rest_.empty()) return;
    const char kind = rest_[1];
    if (kind != '{') text_ += gap;
    rest_.remove_prefix(2);
    if (kind == '#') {
      const std::size_t end = rest_.find("#}");
      rest_.remove_prefix(end == npos ? rest_.size() : end + 2);
    } else {
      take_tag(kind == '{' ? "}}" : "%}");
    }
  }

  void take_tag(std::string_view end) {
    while (!rest_.empty() && !rest_.starts_with(end)) {
      constexpr std::string_view raise = "raise_exception";
      if (rest_[0] == '\'' || rest_[0] == '"') {
        take_literal();
      } else if (rest_.starts_with(raise)) {
        rest_.remove_prefix(raise.size());
        skip_argument();
      } else {
        if (rest_[0] != '+' && rest_[0] != ' ') text_ += gap;
        rest_.remove_prefix(1);
      }
    }
    rest_.remove_prefix(std::min(end.size(), rest_.size()));
  }

  void take_literal() {
    const char quote = rest_[0];
    std::size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        ++at;
        text_ += rest_[at] == 'n' ? '\n' : rest_[at];
      } else {
        text_ += rest_[at];
      }
    }
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
  }

  void skip_argument() {
    const std::string before = text_;
    const std::size_t open = rest_.find('(');
    rest_.remove_prefix(open == npos ? rest_.size() : open);
    while (!rest_.empty() && rest_[0] != ')') {
      if (rest_[0] == '\'' || rest_[0] == '"') {
        take_literal();
      } else {
        rest_.remove_prefix(1);
      }
    }
    text_ = before + gap;
  }

  std::string_view rest_;
  std::string text_;
};

bool ends_turns_with_a_line_feed(std::string_view text) {
  constexpr std::string_view end = "<end_of_turn>";
  std::size_t at = text.find(end);
  if (at == std::string_view::npos) return false;
  for (; at != std::string_view::npos; at = text.find(end, at + 1)) {
    if (!text.substr(at + end.size()).starts_with('\n')) return false;
  }
  return true;
}

/// Whether a word, or what is left of a text when known words are taken out, says something.
bool has_other_words(std::string text) {
  constexpr std::string_view known[] = {"<start_of_turn>",
                                        "<end_of_turn>",
                                        "<start_of_image>",
                                        "<end_of_image>",
                                        "<image_soft_token>",
                                        "<bos>",
                                        "<eos>"};
  for (const std::string_view marker : known) {
    for (std::size_t at; (at = text.find(marker)) != std::string::npos;) {
      text.replace(at, marker.size(), 1, Written::gap);
    }
  }
  constexpr std::string_view names[] = {"user", "model",   "assistant", "system",  "developer",
                                        "role", "content", "text",      "type",    "image",
                                        "tool", "trim",    "parts",     "messages"};
  const auto is_letter = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || std::isalnum(byte) != 0 ||
           (c != 0 && std::strchr("<>|[]#_", c) != nullptr);
  };
  for (std::size_t at = 0; at < text.size();) {
    if (!is_letter(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_letter(text[end])) ++end;
    const std::string_view word = std::string_view(text).substr(at, end - at);
    if (std::find(std::begin(names), std::end(names), word) == std::end(names)) return true;
    at = end;
  }
  return false;
}

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

/// The text of a member chat_template: a string, or of a list of {name, template} the default.
std::optional<std::string> template_of(const JsonValue& value, const std::string& file) {
  if (value.is_null()) return std::nullopt;
  if (const auto* text = value.as<std::string>()) return *text;
  const auto* list = value.as<JsonArray>();
  const auto refuse = [&](const JsonValue& found) {
    throw Error(ErrorCode::format, file +
                                       ": chat_template: expected a text, or a list of names "
                                       "and templates, found " +
                                       describe(found));
  };
  if (list == nullptr) refuse(value);
  std::optional<std::string> first;
  for (const JsonValue& entry : *list) {
    const auto* object = entry.as<JsonObject>();
    const JsonValue* text = object == nullptr ? nullptr : find(*object, "template");
    if (text == nullptr || text->as<std::string>() == nullptr) refuse(entry);
    const JsonValue* name = find(*object, "name");
    const auto* named = name == nullptr ? nullptr : name->as<std::string>();
    if (named != nullptr && *named == "default") return *text->as<std::string>();
    if (!first) first = *text->as<std::string>();
  }
  return first;
}

/// The member chat_template of a JSON file, if it has one.
std::optional<std::string> template_in(const std::filesystem::path& file) {
  const FileBytes bytes(file, FileAccess::read, most_bytes);
  std::optional<std::string> found;
  read_json(bytes.text(), file.string(), [&](JsonMember&& member) {
    if (member.key == "chat_template") found = template_of(member.value, file.string());
  });
  return found;
}

}  // namespace

ChatFormat recognise_chat_template(std::string_view jinja) {
  const std::string text = Written(jinja).text();
  const bool gemma = text.find("<start_of_turn>model\n") != std::string::npos &&
                     ends_turns_with_a_line_feed(text) && !has_other_words(text);
  return gemma ? ChatFormat::gemma : ChatFormat::other;
}

ChatTemplate find_chat_template(const std::filesystem::path& folder) {
  const std::filesystem::path jinja = folder / "chat_template.jinja";
  if (is_there(jinja)) {
    const FileBytes bytes(jinja, FileAccess::read, most_bytes);
    return {recognise_chat_template(bytes.text()), jinja.string()};
  }
  ChatTemplate result;
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    const std::filesystem::path file = folder / name;
    if (!is_there(file)) continue;
    if (const auto text = template_in(file)) return {recognise_chat_template(*text), file.string()};
    result = {ChatFormat::none, file.string()};
  }
  return result;
}

}  // namespace griffin
