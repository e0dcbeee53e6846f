// SPDX-License-Identifier: Apache-2.0
#include "models/rotation.h"

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace griffin {
namespace {

/// What one object of the file says, or the fields that stand alone.
struct Rotation {
  JsonField theta;
  JsonField factor;
};

std::optional<double> theta_of(const JsonField& field) {
  return field.unless_null().real(1.0, FLT_MAX);
}

std::optional<double> factor_of(const JsonField& field) {
  return field.unless_null().real(0.0, 1.0);
}

void expect_default(const JsonField& kind) {
  if (kind.text().value_or("default") != "default") {
    kind.fail(ErrorCode::unsupported, "\"default\"");
  }
}

Rotation rotation_in(const JsonField& parameters) {
  const JsonFields fields(parameters.path(), parameters.object());
  expect_default(fields["rope_type"]);
  expect_default(fields["type"]);  // its older name
  return {fields["rope_theta"], fields["partial_rotary_factor"]};
}

bool is_same_kind(std::string_view layer, std::string_view entry) {
  const auto usual = [](std::string_view name) {
    return name == "local_attention" ? "sliding_attention" : name;
  };
  return layer == "attention" || entry == "attention" || usual(layer) == usual(entry);
}

/// Whether the entry of `rope_parameters` for layers of that name is for some that attend. Those
/// called just "attention" may be of any kind.
bool is_for_attention(const JsonFields& fields, std::string_view entry) {
  if (entry == "recurrent" || entry == "linear_attention") return false;
  for (const char* name : {"block_types", "_block_types", "layer_types"}) {
    const JsonArray* layers = fields[name].unless_null().array();
    if (layers == nullptr) continue;
    const bool named = std::any_of(layers->begin(), layers->end(), [&](const JsonValue& layer) {
      const auto* kind = layer.as<std::string>();
      return kind != nullptr && is_same_kind(*kind, entry);
    });
    if (!named) return false;
  }
  return true;
}

void expect_same(const Rotation& a, const Rotation& b) {
  const auto same = [](const JsonField& x, const JsonField& y, const auto& read) {
    if (read(x) == read(y)) return;
    y.fail(ErrorCode::unsupported,
           "the same rotation in all layers that attend (" + x.path() + " is " +
               (x.value() == nullptr ? "absent" : describe(*x.value())) + ")");
  };
  same(a.theta, b.theta, theta_of);
  same(a.factor, b.factor, factor_of);
}

/// The one rotation of the objects in `parameters` that are each for some kind of layer. None if
/// there are no such objects.
std::optional<Rotation> rotation_by_layer(const JsonFields& fields, const JsonField& parameters) {
  std::vector<JsonField> entries;
  bool some_are_nested = false;
  for (const JsonMember& member : *parameters.object()) {
    if (member.value.as<JsonObject>() == nullptr) continue;
    some_are_nested = true;
    if (!is_for_attention(fields, member.key)) continue;
    entries.emplace_back(parameters.path() + ": " + member.key, &member.value);
  }
  if (!some_are_nested) return {};
  if (entries.empty()) {
    parameters.fail(ErrorCode::unsupported, "the rotation of the layers that attend");
  }
  const Rotation first = rotation_in(entries.front());
  for (const JsonField& entry : entries) {
    expect_same(first, rotation_in(entry));
  }
  return first;
}

/// How many elements of a head carry position, as transformers counts: rounded down.
std::int64_t rotary_dim(const JsonField& factor, std::int64_t head_dim) {
  const double share = factor_of(factor).value_or(0.5);
  const auto dim = static_cast<std::int64_t>(static_cast<double>(head_dim) * share);
  if (dim % 2 == 1 && dim == head_dim) {
    factor.fail(ErrorCode::format,
                "less than all of head_dim " + std::to_string(head_dim) + ", which is odd");
  }
  return dim;
}

}  // namespace

void read_rotation(const JsonFields& fields, ModelConfig& config) {
  const bool attends = config.pattern.count(LayerKind::attention, config.depth) > 0;
  std::vector<Rotation> said = {{fields["rope_theta"], fields["partial_rotary_factor"]}};
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    const JsonField parameters = fields[name].unless_null();
    if (parameters.value() == nullptr) continue;
    const Rotation flat = rotation_in(parameters);
    if (said.size() > 1) continue;  // the newer name is the one that counts
    said.push_back(flat);
    if (!attends) continue;
    if (const auto nested = rotation_by_layer(fields, parameters)) said.push_back(*nested);
  }
  Rotation found = said.front();
  for (const Rotation& more : said) {
    read_alias(found.theta, more.theta, theta_of);
    read_alias(found.factor, more.factor, factor_of);
    if (theta_of(more.theta)) found.theta = more.theta;
    if (factor_of(more.factor)) found.factor = more.factor;
  }
  config.rope_theta = static_cast<float>(theta_of(found.theta).value_or(10000.0));
  // Where nothing is rotated, any even part of a head will do.
  config.rotary_dim = attends ? rotary_dim(found.factor, config.head_dim) : config.head_dim / 4 * 2;
}

}  // namespace griffin
