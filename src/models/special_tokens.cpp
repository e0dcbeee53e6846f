// SPDX-License-Identifier: Apache-2.0
#include "models/special_tokens.h"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>

#include "formats/file_bytes.h"
#include "formats/stand_in.h"
#include "models/limits.h"

namespace griffin {
namespace {

using Ids = std::vector<std::int32_t>;

/// Whether that integer is no id of the model, as -1 where an id is meant to be none.
bool is_outside(const JsonValue& value, const ModelConfig& config) {
  if (const auto* id = value.as<std::int64_t>()) return *id < 0;
  const auto* id = value.as<std::uint64_t>();
  return id != nullptr && *id >= static_cast<std::uint64_t>(config.vocab);
}

/// The id of a field that is there. None, and a notice, for one that the model cannot make.
std::optional<std::int32_t> read_id(const JsonField& field, const ModelConfig& config,
                                    const Notice& notice) {
  if (!is_outside(*field.value(), config)) {
    return static_cast<std::int32_t>(*field.integer(0, config.vocab - 1));
  }
  if (notice) {
    notice(field.path() + ": " + describe(*field.value()) + " is outside the vocabulary of " +
           std::to_string(config.vocab) + " ids and is ignored");
  }
  return {};
}

/// eos_token_id is one id, a list of them, or null for none.
Ids read_stop_ids(const JsonField& field, const ModelConfig& config, const Notice& notice) {
  if (field.value() == nullptr || field.is_null()) return {};
  Ids ids;
  const auto add = [&](const JsonField& entry) {
    if (const auto id = read_id(entry, config, notice)) ids.push_back(*id);
  };
  if (field.value()->as<JsonArray>() == nullptr) {
    add(field);
    return ids;
  }
  for (const JsonValue& element : *field.array()) add(JsonField(field.path(), &element));
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

SpecialTokens read_special_tokens(const JsonFields& fields, ModelConfig& config,
                                  const Notice& notice) {
  const JsonField bos = fields["bos_token_id"];
  if (bos.is_null()) {
    config.bos_id.reset();
  } else if (bos.value() != nullptr) {
    config.bos_id = read_id(bos, config, notice);
  }
  SpecialTokens tokens;
  const JsonField eos = fields["eos_token_id"];
  add_stop_ids(tokens.stop_ids,
               eos.value() == nullptr ? Ids{config.eos_id} : read_stop_ids(eos, config, notice));
  if (!tokens.stop_ids.empty()) config.eos_id = tokens.stop_ids.front();
  return tokens;
}

void add_generation_config(std::string_view text, const std::string& name,
                           const ModelConfig& config, SpecialTokens& tokens, const Notice& notice) {
  const JsonObject object = parse_json(text, name);
  add_stop_ids(tokens.stop_ids,
               read_stop_ids(JsonFields(name, &object)["eos_token_id"], config, notice));
}

void add_tokenizer_config(std::string_view text, const std::string& name, SpecialTokens& tokens) {
  const JsonObject object = parse_json(text, name);
  const JsonField adds = JsonFields(name, &object)["add_bos_token"];
  tokens.texts_begin_with_bos = adds.unless_null().boolean().value_or(true);
}

void read_special_tokens_beside(const std::filesystem::path& folder, const ModelConfig& config,
                                SpecialTokens& tokens, const Notice& notice) {
  read_if_there(folder / "generation_config.json", max_config_file,
                [&](std::string_view text, const std::string& name) {
                  add_generation_config(text, name, config, tokens, notice);
                });
  read_if_there(folder / "tokenizer_config.json", max_tokenizer_config_file,
                [&](std::string_view text, const std::string& name) {
                  add_tokenizer_config(text, name, tokens);
                });
}

}  // namespace griffin
