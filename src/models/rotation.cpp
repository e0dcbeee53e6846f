// SPDX-License-Identifier: Apache-2.0
#include "models/rotation.h"

#include <cfloat>
#include <cstdint>
#include <string>

namespace griffin {
namespace {

void expect_default(const JsonField& kind) {
  if (kind.text().value_or("default") != "default") {
    kind.fail(ErrorCode::unsupported, "\"default\"");
  }
}

/// The object that holds the parameters, checked for what we do not have; absent where there is
/// none.
JsonField parameters_of(const JsonFields& fields) {
  const JsonField newer = fields["rope_parameters"].unless_null();
  const JsonField older = fields["rope_scaling"].unless_null();
  for (const JsonField& parameters : {newer, older}) {
    if (parameters.value() == nullptr) continue;
    const JsonFields nested(parameters.path(), parameters.object());
    expect_default(nested["rope_type"]);
    expect_default(nested["type"]);  // its older name
    for (const JsonMember& member : *parameters.object()) {
      if (member.value.as<JsonObject>() != nullptr) {
        parameters.fail(ErrorCode::unsupported, "the same rotation in all layers");
      }
    }
  }
  return newer.value() != nullptr ? newer : older;
}

/// How many elements of a head carry position, as transformers counts: rounded down.
std::int64_t rotary_dim(const JsonField& factor, std::int64_t head_dim) {
  const double share = factor.real(0.0, 1.0).value_or(0.5);
  const auto dim = static_cast<std::int64_t>(static_cast<double>(head_dim) * share);
  if (dim % 2 == 1 && dim == head_dim) {
    factor.fail(ErrorCode::format,
                "less than all of head_dim " + std::to_string(head_dim) + ", which is odd");
  }
  return dim;
}

}  // namespace

void read_rotation(const JsonFields& fields, ModelConfig& config) {
  const JsonField parameters = parameters_of(fields);
  const JsonFields nested(parameters.path(), parameters.object());
  const auto read_theta = [](const JsonField& field) { return field.real(1.0, FLT_MAX); };
  const auto theta = read_alias(fields["rope_theta"], nested["rope_theta"], read_theta);
  config.rope_theta = static_cast<float>(theta.value_or(10000.0));

  const JsonField flat = fields["partial_rotary_factor"];
  const JsonField inner = nested["partial_rotary_factor"];
  const auto read_factor = [](const JsonField& field) { return field.real(0.0, 1.0); };
  read_alias(flat, inner, read_factor);
  if (config.pattern.count(LayerKind::attention, config.depth) > 0) {
    config.rotary_dim = rotary_dim(inner.value() != nullptr ? inner : flat, config.head_dim);
  } else {
    config.rotary_dim = config.head_dim / 4 * 2;  // nothing is rotated
  }
}

}  // namespace griffin
