// SPDX-License-Identifier: Apache-2.0
#include "models/layer_list.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace griffin {
namespace {

using Layers = std::vector<LayerSpec>;

constexpr std::int64_t published_window = 2048;

bool is_local(std::string_view name) {
  return name == "local_attention" || name == "sliding_attention";
}

LayerSpec read_kind(const JsonField& list, const JsonValue& entry) {
  const JsonField field(list.path(), &entry);
  const std::string_view name = *field.text();
  if (name == "recurrent" || name == "linear_attention") return LayerKind::recurrent;
  if (name == "attention" || is_local(name)) return LayerKind::attention;
  if (name == "full_attention") return {LayerKind::attention, global_window};
  field.fail(ErrorCode::unsupported,
             "recurrent or linear_attention, or attention, local_attention, sliding_attention or "
             "full_attention");
}

/// Whether one of the entries that count for a model of that depth is called local.
bool names_local_layers(const JsonField& list, std::int64_t depth) {
  const JsonArray& entries = *list.array();
  const auto used = std::min(entries.size(), static_cast<std::size_t>(depth));
  return std::any_of(
      entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(used),
      [&](const JsonValue& entry) { return is_local(*JsonField(list.path(), &entry).text()); });
}

/// Repeats the list, or cuts it, to the depth of the model.
std::optional<Layers> read_list(const JsonField& list, std::int64_t depth) {
  const JsonArray* entries = list.unless_null().array();
  if (entries == nullptr) return {};
  if (entries->empty()) list.fail(ErrorCode::format, "at least one layer");
  Layers cycle;
  for (const JsonValue& entry : *entries) cycle.push_back(read_kind(list, entry));
  Layers layers;
  for (std::size_t i = 0; i < static_cast<std::size_t>(depth); ++i) {
    layers.push_back(cycle[i % cycle.size()]);
  }
  return layers;
}

/// The pattern of the config. Returns whether some of its layers are called local.
bool read_pattern(const JsonFields& fields, ModelConfig& config) {
  const auto read = [&](const JsonField& field) { return read_list(field, config.depth); };
  const JsonField names[] = {fields["block_types"], fields["_block_types"], fields["layer_types"]};
  const JsonField* given = nullptr;  // the first that is there
  bool some_are_local = false;
  for (const JsonField& name : names) {
    if (name.value() == nullptr || name.is_null()) continue;
    if (given == nullptr) given = &name;
    read_alias(*given, name, read);
    some_are_local = some_are_local || names_local_layers(name, config.depth);
  }
  if (given != nullptr) config.pattern = LayerPattern(*read(*given));
  return some_are_local;
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
    config.window = published_window;
  } else {
    (own.value() != nullptr ? own : alias)
        .fail(ErrorCode::format, "a window, as some layers attend within one");
  }
}

}  // namespace

void read_layers(const JsonFields& fields, ModelConfig& config) {
  const bool some_are_local = read_pattern(fields, config);
  read_window(fields, some_are_local, config);
}

}  // namespace griffin
