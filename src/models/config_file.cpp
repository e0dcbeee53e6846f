// SPDX-License-Identifier: Apache-2.0
#include "models/config_file.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "formats/file_bytes.h"
#include "formats/json_fields.h"
#include "models/activation_name.h"
#include "models/layer_list.h"
#include "models/limits.h"

namespace griffin {
namespace {

constexpr std::uint64_t max_file = 1 << 20;  // bytes

// What a config.json that leaves a field out means, after the class that reads it in transformers.
// Ranges are the widest that have a meaning; what the fields mean together is ModelConfig's matter.
constexpr std::int64_t max_extent = 1 << 24;
constexpr std::int64_t default_window = 2048;

void expect_text(const JsonField& field, std::string_view expected) {
  if (field.text().value_or(expected) != expected) {
    field.fail(ErrorCode::unsupported, "\"" + std::string(expected) + "\"");
  }
}

void check_family(const JsonFields& fields, std::int64_t heads) {
  expect_text(fields["model_type"], "recurrent_gemma");
  const JsonField bias = fields["attention_bias"];
  if (bias.boolean().value_or(false)) bias.fail(ErrorCode::unsupported, "false");
  // Null stands for as many as there are query heads.
  const JsonField key_heads = fields["num_key_value_heads"];
  const auto count = key_heads.is_null() ? heads : key_heads.integer(1, max_extent).value_or(1);
  if (count != 1) key_heads.fail(ErrorCode::unsupported, "1");
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

void check_rotation_kind(const JsonFields& fields, const JsonField& parameters,
                         const JsonFields& nested) {
  const JsonField scaling = fields["rope_scaling"].unless_null();
  if (scaling.value() != nullptr) scaling.fail(ErrorCode::unsupported, "none");
  expect_text(nested["rope_type"], "default");
  expect_text(nested["type"], "default");  // its older name
  if (parameters.value() == nullptr) return;
  for (const JsonMember& member : *parameters.object()) {
    if (member.value.as<JsonObject>() != nullptr) {
      parameters.fail(ErrorCode::unsupported, "the same rotation in all layers");
    }
  }
}

void read_rotation(const JsonFields& fields, ModelConfig& config) {
  const JsonField parameters = fields["rope_parameters"].unless_null();
  const JsonFields nested(parameters.path(), parameters.object());
  check_rotation_kind(fields, parameters, nested);

  const auto read_theta = [](const JsonField& field) { return field.real(1.0, FLT_MAX); };
  const auto theta = read_alias(fields["rope_theta"], nested["rope_theta"], read_theta);
  config.rope_theta = static_cast<float>(theta.value_or(10000.0));

  const auto read_factor = [](const JsonField& field) { return field.real(0.0, 1.0); };
  const JsonField flat = fields["partial_rotary_factor"];
  const JsonField inner = nested["partial_rotary_factor"];
  const double factor = read_alias(flat, inner, read_factor).value_or(0.5);
  const double rotary_dim = static_cast<double>(config.head_dim) * factor;
  config.rotary_dim = std::llround(rotary_dim);
  const bool even = config.rotary_dim % 2 == 0 &&
                    std::abs(rotary_dim - static_cast<double>(config.rotary_dim)) < 1e-6;
  const bool attends = config.pattern.count(LayerKind::attention, config.depth) > 0;
  if (!even && attends) {
    (inner.value() != nullptr ? inner : flat)
        .fail(ErrorCode::format,
              "a part of head_dim " + std::to_string(config.head_dim) + " that is an even number");
  }
  if (!attends) config.rotary_dim = config.head_dim / 4 * 2;
}

/// A model whose layers all are called "attention" may leave the window out and sees everything;
/// one that mixes, or calls some local, may not say that it has none. Layers with full attention
/// need none.
void read_window(const JsonFields& fields, bool some_are_local, ModelConfig& config) {
  const JsonField own = fields["attention_window_size"];
  const JsonField alias = fields["sliding_window"];
  const auto read = [](const JsonField& field) {
    return field.unless_null().integer(0, std::numeric_limits<std::int64_t>::max());
  };
  const std::int64_t window = read_alias(own, alias, read).value_or(0);
  const std::int64_t attending = config.pattern.count(LayerKind::attention, config.depth);
  std::int64_t without = 0;  // layers that attend, and have no window of their own
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    const LayerSpec& spec = config.pattern[layer];
    without += spec.kind == LayerKind::attention && spec.window == 0 ? 1 : 0;
  }
  const bool absent = own.value() == nullptr && alias.value() == nullptr;
  if (window > 0) {
    config.window = window;
  } else if (attending > 0 && (without == 0 || (without == config.depth && !some_are_local))) {
    config.window = global_window;
  } else if (absent || attending == 0) {
    config.window = default_window;
  } else {
    (own.value() != nullptr ? own : alias)
        .fail(ErrorCode::format, "a window, as some layers attend within one");
  }
}

void read_constants(const JsonFields& fields, ModelConfig& config) {
  config.rms_eps = static_cast<float>(fields["rms_norm_eps"].real(FLT_MIN, 1.0).value_or(1e-6));
  config.scale_embedding = fields["embeddings_scale_by_sqrt_dim"].boolean().value_or(true);
  const JsonField cap = fields["logits_soft_cap"];
  config.soft_cap =
      cap.is_null() ? 0.0F : static_cast<float>(cap.real(0.0, FLT_MAX).value_or(30.0));
}

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

void read_tokens(const JsonFields& fields, CheckpointConfig& checkpoint) {
  ModelConfig& config = checkpoint.model;
  config.pad_id = read_id(fields["pad_token_id"], config, config.pad_id);
  config.bos_id = read_id(fields["bos_token_id"], config, config.bos_id);
  const JsonField eos = fields["eos_token_id"];
  add_stop_ids(checkpoint.stop_ids,
               eos.value() == nullptr ? Ids{config.eos_id} : read_stop_ids(eos, config));
  if (!checkpoint.stop_ids.empty()) config.eos_id = checkpoint.stop_ids.front();
}

/// Checkpoints quantised by others hold weights that nothing here could read.
void check_quantization(const JsonFields& fields) {
  const JsonField field = fields["quantization_config"].unless_null();
  if (field.value() == nullptr) return;
  const JsonFields quantization(field.path(), field.object());
  const JsonField method = quantization["quant_method"];
  if (method.text() != "griffin") method.fail(ErrorCode::unsupported, "\"griffin\"");
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
  check_family(fields, config.heads);
  config.activation = read_activation(fields["hidden_activation"]);
  check_quantization(fields);
  const ReadLayers layers = read_layers(fields, config.depth);
  config.pattern = layers.pattern;
  read_head_dim(fields, config);
  read_rotation(fields, config);
  read_window(fields, layers.some_are_local, config);
  read_constants(fields, config);
  read_tokens(fields, checkpoint);
  const auto tied = fields["tie_word_embeddings"].boolean();
  checkpoint.names_head_tying = tied.has_value();
  config.tied_head = tied.value_or(true);
  validate(config, name);
  return checkpoint;
}

CheckpointConfig read_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  CheckpointConfig config =
      parse_config(FileBytes(file, FileAccess::read, max_file).text(), file.string());

  const std::filesystem::path generation = folder / "generation_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(generation, ignored)) return config;
  const FileBytes bytes(generation, FileAccess::read, max_file);
  const JsonObject object = parse_json(bytes.text(), generation.string());
  const JsonFields fields(generation.string(), &object);
  add_stop_ids(config.stop_ids, read_stop_ids(fields["eos_token_id"], config.model));
  return config;
}

}  // namespace griffin
