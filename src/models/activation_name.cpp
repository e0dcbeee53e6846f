// SPDX-License-Identifier: Apache-2.0
#include "models/activation_name.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace griffin {
namespace {

struct Named {
  std::string_view name;
  Activation activation;
};

/// Names of transformers, of which some stand for one formula.
constexpr Named activations[] = {
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu", Activation::gelu_erf},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"relu", Activation::relu},
};

std::string known_names() {
  std::string text = "one of ";
  for (const Named& known : activations) {
    if (&known != activations) text += ", ";
    text += '"' + std::string(known.name) + '"';
  }
  return text;
}

}  // namespace

Activation read_activation(const JsonField& field) {
  if (field.value() == nullptr) return Activation::gelu_tanh;
  const auto* name = field.value()->as<std::string>();
  if (name == nullptr) field.fail(ErrorCode::format, known_names());
  const auto* const known = std::find_if(std::begin(activations), std::end(activations),
                                         [&](const Named& one) { return one.name == *name; });
  if (known == std::end(activations)) field.fail(ErrorCode::unsupported, known_names());
  return known->activation;
}

}  // namespace griffin
