// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/chat_template.h"

#include <cstdint>
#include <optional>
#include <system_error>

#include "formats/file_bytes.h"
#include "formats/json.h"
#include "generate/gemma_turns.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{64} << 20U;  // of a file

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
  std::string names;
  for (const JsonValue& entry : *list) {
    const auto* object = entry.as<JsonObject>();
    const JsonValue* name = object == nullptr ? nullptr : find(*object, "name");
    const JsonValue* text = object == nullptr ? nullptr : find(*object, "template");
    if (name == nullptr || name->as<std::string>() == nullptr) refuse(entry);
    if (text == nullptr || text->as<std::string>() == nullptr) refuse(entry);
    if (*name->as<std::string>() == "default") return *text->as<std::string>();
    names += (names.empty() ? "" : ", ") + describe(*name);
  }
  throw Error(ErrorCode::unsupported, file +
                                          ": chat_template: expected a template named \"default\""
                                          ", found " +
                                          (names.empty() ? "none" : names));
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
  return writes_gemma_turns(jinja) ? ChatFormat::gemma : ChatFormat::other;
}

ChatTemplate find_chat_template(const std::filesystem::path& folder) {
  const std::filesystem::path jinja = folder / "chat_template.jinja";
  if (is_there(jinja)) {
    const FileBytes bytes(jinja, FileAccess::read, most_bytes);
    return {recognise_chat_template(bytes.text()), jinja.string()};
  }
  ChatTemplate result;
  for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
    const std::filesystem::path file = folder / name;
    if (!is_there(file)) continue;
    if (const auto text = template_in(file)) return {recognise_chat_template(*text), file.string()};
    if (result.file.empty()) result = {ChatFormat::none, file.string()};
  }
  return result;
}

}  // namespace griffin
