// SPDX-License-Identifier: Apache-2.0
#include "models/layer_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace griffin {
namespace {

using Layers = std::vector<LayerKind>;  // [depth]

LayerKind read_kind(const JsonField& list, const JsonValue& entry) {
  const JsonField field(list.path(), &entry);
  const std::string_view name = *field.text();
  if (name == "recurrent") return LayerKind::recurrent;
  // How far back a layer sees is said by the window alone, so these mean the same.
  if (name == "attention" || name == "local_attention" || name == "sliding_attention" ||
      name == "full_attention") {
    return LayerKind::attention;
  }
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

/// The shortest cycle that gives these layers; it ends with the last of them at the latest.
LayerPattern pattern_of(const Layers& layers, const JsonField& list) {
  std::uint64_t attention = 0;  // bit i: layer i attends
  for (int length = 1; length <= LayerPattern::max_cycle; ++length) {
    const auto last = static_cast<std::size_t>(length - 1);
    if (layers[last] == LayerKind::attention) attention |= std::uint64_t{1} << last;
    if (std::equal(layers.begin() + length, layers.end(), layers.begin())) {
      return {attention, length};
    }
  }
  list.fail(ErrorCode::unsupported, "a pattern that repeats after at most " +
                                        std::to_string(LayerPattern::max_cycle) + " layers");
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
  return given == nullptr ? griffin_pattern : pattern_of(*read(*given), *given);
}

}  // namespace griffin
