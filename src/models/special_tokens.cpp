// SPDX-License-Identifier: Apache-2.0
#include "models/special_tokens.h"

#include <algorithm>
#include <string>
#include <system_error>

#include "formats/file_bytes.h"
#include "formats/stand_in.h"
#include "models/limits.h"

namespace griffin {
namespace {

using Ids = std::vector<std::int32_t>;

std::int32_t read_id(const JsonField& field, const ModelConfig& config, std::int32_t otherwise) {
  const auto id = field.unless_null().integer(0, config.vocab - 1);
  return id ? static_cast<std::int32_t>(*id) : otherwise;
}

/// eos_token_id is one id, a list of them, or null for none.
Ids read_stop_ids(const JsonField& field, const ModelConfig& config) {
  if (field.value() == nullptr || field.is_null()) return {};
  if (field.value()->as<JsonArray>() == nullptr) return {read_id(field, config, 0)};
  Ids ids;
  for (const JsonValue& element : *field.array()) {
    const JsonField entry(field.path(), &element);
    if (entry.is_null()) entry.fail(ErrorCode::format, "token ids");
    ids.push_back(read_id(entry, config, 0));
  }
  return ids;
}

void add_stop_ids(Ids& ids, const Ids& more) {
  for (const std::int32_t id : more) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
}

/// Calls `read` with the text and the name of a file, if it is there.
template <class Read>
void read_if_there(const std::filesystem::path& file, std::uint64_t limit, const Read& read) {
  std::error_code ignored;
  if (std::filesystem::symlink_status(file, ignored).type() ==
      std::filesystem::file_type::not_found) {
    return;
  }
  const FileBytes bytes(file, FileAccess::read, limit);
  refuse_stand_in(bytes.text(), file.string());
  read(bytes.text(), file.string());
}

}  // namespace

SpecialTokens read_special_tokens(const JsonFields& fields, ModelConfig& config) {
  const JsonField bos = fields["bos_token_id"];
  if (bos.is_null()) {
    config.bos_id.reset();
  } else {
    config.bos_id = read_id(bos, config, *config.bos_id);
  }
  SpecialTokens tokens;
  const JsonField eos = fields["eos_token_id"];
  add_stop_ids(tokens.stop_ids,
               eos.value() == nullptr ? Ids{config.eos_id} : read_stop_ids(eos, config));
  if (!tokens.stop_ids.empty()) config.eos_id = tokens.stop_ids.front();
  return tokens;
}

void add_generation_config(std::string_view text, const std::string& name,
                           const ModelConfig& config, SpecialTokens& tokens) {
  const JsonObject object = parse_json(text, name);
  add_stop_ids(tokens.stop_ids, read_stop_ids(JsonFields(name, &object)["eos_token_id"], config));
}

void add_tokenizer_config(std::string_view text, const std::string& name, SpecialTokens& tokens) {
  const JsonObject object = parse_json(text, name);
  const JsonField adds = JsonFields(name, &object)["add_bos_token"];
  tokens.texts_begin_with_bos = adds.unless_null().boolean().value_or(true);
}

void read_special_tokens_beside(const std::filesystem::path& folder, const ModelConfig& config,
                                SpecialTokens& tokens) {
  read_if_there(folder / "generation_config.json", max_config_file,
                [&](std::string_view text, const std::string& name) {
                  add_generation_config(text, name, config, tokens);
                });
  read_if_there(folder / "tokenizer_config.json", max_tokenizer_config_file,
                [&](std::string_view text, const std::string& name) {
                  add_tokenizer_config(text, name, tokens);
                });
}

}  // namespace griffin
