// SPDX-License-Identifier: Apache-2.0
#include "models/layer_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace griffin {
namespace {

using Layers = std::vector<LayerSpec>;

LayerSpec read_kind(const JsonField& list, const JsonValue& entry) {
  const JsonField field(list.path(), &entry);
  const std::string_view name = *field.text();
  if (name == "recurrent") return LayerKind::recurrent;
  if (name == "attention" || name == "local_attention" || name == "sliding_attention") {
    return LayerKind::attention;
  }
  if (name == "full_attention") return {LayerKind::attention, global_window};
  field.fail(ErrorCode::unsupported, "\"recurrent\" or \"attention\"");
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

}  // namespace

LayerPattern read_layers(const JsonFields& config, std::int64_t depth) {
  const auto read = [depth](const JsonField& field) { return read_list(field, depth); };
  const JsonField names[] = {config["block_types"], config["_block_types"], config["layer_types"]};
  const JsonField* given = nullptr;  // the first that is there
  for (const JsonField& name : names) {
    if (name.value() == nullptr || name.is_null()) continue;
    if (given == nullptr) given = &name;
    read_alias(*given, name, read);
  }
  return given == nullptr ? griffin_pattern() : LayerPattern(*read(*given));
}

}  // namespace griffin
