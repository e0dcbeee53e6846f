// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "formats/file_bytes.h"
#include "formats/printable.h"
#include "formats/stand_in.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

std::optional<JsonObject> read_object(const fs::path& file) {
  std::error_code ignored;
  if (fs::symlink_status(file, ignored).type() == fs::file_type::not_found) return std::nullopt;
  const FileBytes contents(file, FileAccess::read, most_tokenizer_bytes);
  refuse_stand_in(contents.text(), file.string());
  return parse_json(contents.text(), file.string());
}

void require_content(const JsonField& field, std::string_view content) {
  if (content.empty() || content.size() > longest_added_token) {
    field.fail(ErrorCode::format,
               "a string of 1 to " + std::to_string(longest_added_token) + " bytes");
  }
}

/// "added_tokens_decoder": {"2": {"content": "<bos>", "lstrip": false, ...}}
void read_added_tokens_decoder(const JsonField& field, std::vector<AddedToken>& tokens) {
  const JsonObject* object = field.unless_null().object();
  if (object == nullptr) return;
  for (const JsonMember& member : *object) {
    const JsonField token(field.path() + ": " + printable(member.key), &member.value);
    std::int32_t id = -1;
    const char* end = member.key.data() + member.key.size();
    const auto [stop, status] = std::from_chars(member.key.data(), end, id);
    if (status != std::errc() || stop != end || id < 0 || id >= most_token_ids) {
      token.fail(ErrorCode::format, "a token id as the key");
    }
    tokens.push_back(read_added_token(JsonFields(token.path(), token.object()), id));
  }
}

/// {"<|im_start|>": 256000}
void read_added_tokens_file(const fs::path& file, std::vector<AddedToken>& tokens) {
  const std::optional<JsonObject> object = read_object(file);
  if (!object) return;
  for (const JsonMember& member : *object) {
    const JsonField field(file.string() + ": " + printable(member.key), &member.value);
    require_content(field, member.key);
    const auto id = static_cast<std::int32_t>(field.integer(0, most_token_ids - 1).value());
    const bool known = std::any_of(tokens.begin(), tokens.end(), [&](const AddedToken& token) {
      return token.id == id && token.content == member.key;
    });
    if (!known) tokens.push_back({.id = id, .content = member.key});
  }
}

}  // namespace

AddedToken read_added_token(const JsonFields& fields, std::int32_t id) {
  const auto flag = [&](std::string_view key) {
    return fields[key].unless_null().boolean().value_or(false);
  };
  const std::optional<std::string_view> content = fields["content"].text();
  require_content(fields["content"], content.value_or(""));
  return {.id = id,
          .content = std::string(*content),
          .single_word = flag("single_word"),
          .lstrip = flag("lstrip"),
          .rstrip = flag("rstrip"),
          .normalized = flag("normalized"),
          .special = flag("special")};
}

TokenizerConfig read_tokenizer_config(const fs::path& folder) {
  TokenizerConfig config;
  const fs::path file = folder / "tokenizer_config.json";
  if (const std::optional<JsonObject> object = read_object(file)) {
    const JsonFields fields(file.string(), &*object);
    config.add_bos_token = fields["add_bos_token"].unless_null().boolean();
    read_added_tokens_decoder(fields["added_tokens_decoder"], config.added_tokens);
  }
  read_added_tokens_file(folder / "added_tokens.json", config.added_tokens);
  return config;
}

}  // namespace griffin
