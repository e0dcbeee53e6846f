// SPDX-License-Identifier: Apache-2.0
#include "models/config_file.h"

#include <cfloat>
#include <limits>

#include "formats/file_bytes.h"
#include "formats/json_fields.h"
#include "formats/printable.h"
#include "formats/stand_in.h"
#include "models/activation_name.h"
#include "models/layer_list.h"
#include "models/limits.h"
#include "models/model_folder.h"
#include "models/rotation.h"

namespace griffin {
namespace {

// What a config.json that leaves a field out means, after the class that reads it in transformers.
// Ranges are the widest that have a meaning; what the fields mean together is ModelConfig's matter.
constexpr std::int64_t max_extent = 1 << 24;

void expect_text(const JsonField& field, std::string_view expected) {
  if (field.text().value_or(expected) != expected) {
    field.fail(ErrorCode::unsupported, "\"" + std::string(expected) + "\"");
  }
}

void check_family(const JsonFields& fields) {
  expect_text(fields["model_type"], "recurrent_gemma");
}

/// Null, or no word of it, stands for as many key/value heads as there are query heads.
void read_attention(const JsonFields& fields, ModelConfig& config) {
  const JsonField kv_heads = fields["num_key_value_heads"];
  config.kv_heads = kv_heads.unless_null().integer(1, config.heads).value_or(config.heads);
  if (config.heads % config.kv_heads != 0) {
    kv_heads.fail(ErrorCode::format,
                  "a divisor of num_attention_heads " + std::to_string(config.heads));
  }
  config.qkv_bias = fields["attention_bias"].boolean().value_or(false);
}

void read_widths(const JsonFields& fields, ModelConfig& config) {
  const auto extent = [](const JsonField& field) { return field.integer(1, max_extent); };
  config.vocab = extent(fields["vocab_size"]).value_or(256000);
  config.width = extent(fields["hidden_size"]).value_or(2560);
  config.depth = fields["num_hidden_layers"].integer(1, max_depth).value_or(26);
  config.lru_width = extent(fields["lru_width"].unless_null()).value_or(config.width);
  config.heads = extent(fields["num_attention_heads"]).value_or(10);
  // Not a field of transformers: for models like the paper's, whose gates have 16 blocks.
  config.gate_blocks = extent(fields["gate_blocks"]).value_or(config.heads);
  config.taps = fields["conv1d_width"].integer(1, 64).value_or(4);

  // The file counts both branches of the MLP.
  const JsonField both = fields["intermediate_size"];
  const std::int64_t both_widths = both.integer(2, 2 * max_extent).value_or(3 * config.width);
  if (both_widths % 2 != 0) both.fail(ErrorCode::format, "an even number, twice the MLP width");
  config.mlp_width = both_widths / 2;
}

void read_head_dim(const JsonFields& fields, ModelConfig& config) {
  const JsonField head_dim = fields["head_dim"].unless_null();
  if (head_dim.value() == nullptr && config.width % config.heads != 0) {
    head_dim.fail(ErrorCode::format, "a value, as hidden_size " + std::to_string(config.width) +
                                         " is not a multiple of num_attention_heads " +
                                         std::to_string(config.heads));
  }
  config.head_dim = head_dim.integer(1, max_extent).value_or(config.width / config.heads);
}

void read_constants(const JsonFields& fields, ModelConfig& config) {
  config.rms_eps = static_cast<float>(fields["rms_norm_eps"].real(FLT_MIN, 1.0).value_or(1e-6));
  config.scale_embedding = fields["embeddings_scale_by_sqrt_dim"].boolean().value_or(true);
  const JsonField cap = fields["logits_soft_cap"];
  config.soft_cap =
      cap.is_null() ? 0.0F : static_cast<float>(cap.real(0.0, FLT_MAX).value_or(30.0));
}

/// Checkpoints quantised by others hold weights that nothing here could read. After a merge the
/// key may stand beside plain weights: then whoever knows it may delete it.
void check_quantization(const JsonFields& fields) {
  const JsonField field = fields["quantization_config"].unless_null();
  if (field.value() == nullptr || field.object()->empty()) return;
  const JsonFields quantization(field.path(), field.object());
  const auto method = quantization["quant_method"].unless_null().text();
  if (method != "griffin") {
    throw Error(ErrorCode::unsupported,
                field.path() + ": expected no weights quantised by others, found quant_method " +
                    (method ? printable(*method) : "unnamed") +
                    "; if all weights are plain again (the key is often left over from a merge), "
                    "delete it from config.json, else use the unquantised checkpoint");
  }
  const JsonField version = quantization["version"];
  if (version.integer(0, std::numeric_limits<std::int64_t>::max()) != 1) {
    version.fail(ErrorCode::unsupported, "version 1");
  }
}

void validate(const ModelConfig& config, const std::string& name) {
  try {
    config.validate();
  } catch (const Error& error) {
    throw Error(ErrorCode::format, name + ": " + error.what());
  }
}

}  // namespace

CheckpointConfig parse_config(std::string_view text, const std::string& name) {
  const JsonObject object = parse_json(text, name);
  const JsonFields fields(name, &object);
  CheckpointConfig checkpoint;
  ModelConfig& config = checkpoint.model;
  read_widths(fields, config);
  check_family(fields);
  read_attention(fields, config);
  config.activation = read_activation(fields["hidden_activation"]);
  check_quantization(fields);
  read_layers(fields, config);
  read_head_dim(fields, config);
  read_rotation(fields, config);
  read_constants(fields, config);
  checkpoint.tokens = read_special_tokens(fields, config);
  const auto tied = fields["tie_word_embeddings"].boolean();
  config.tied_head = tied.value_or(true);
  checkpoint.says_head_is_tied = tied.value_or(false);
  validate(config, name);
  return checkpoint;
}

CheckpointConfig read_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  const FileBytes bytes(file, FileAccess::read, max_config_file);
  refuse_stand_in(bytes.text(), file.string());
  CheckpointConfig config = parse_config(bytes.text(), file.string());
  read_special_tokens_beside(folder, config.model, config.tokens);
  return config;
}

ModelConfig load_config(const std::filesystem::path& folder) {
  require_model_folder(folder);
  return read_config(folder).model;
}

}  // namespace griffin
