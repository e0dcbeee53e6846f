// SPDX-License-Identifier: Apache-2.0
#include "models/layer_list.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace griffin {
namespace {

using Layers = std::vector<LayerSpec>;

bool is_local(std::string_view name) {
  return name == "local_attention" || name == "sliding_attention";
}

LayerSpec read_kind(const JsonField& list, const JsonValue& entry) {
  const JsonField field(list.path(), &entry);
  const std::string_view name = *field.text();
  if (name == "recurrent") return LayerKind::recurrent;
  if (name == "attention" || is_local(name)) return LayerKind::attention;
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

ReadLayers read_layers(const JsonFields& config, std::int64_t depth) {
  const auto read = [depth](const JsonField& field) { return read_list(field, depth); };
  const JsonField names[] = {config["block_types"], config["_block_types"], config["layer_types"]};
  const JsonField* given = nullptr;  // the first that is there
  for (const JsonField& name : names) {
    if (name.value() == nullptr || name.is_null()) continue;
    if (given == nullptr) given = &name;
    read_alias(*given, name, read);
  }
  if (given == nullptr) return {griffin_pattern()};
  const JsonArray& entries = *given->array();
  const auto used = std::min(entries.size(), static_cast<std::size_t>(depth));
  const auto local = [&](const JsonValue& entry) {
    return is_local(*JsonField(given->path(), &entry).text());
  };
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(used);
  return {LayerPattern(*read(*given)), std::any_of(entries.begin(), end, local)};
}

}  // namespace griffin
