// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/model.h"

#include <string>
#include <utility>

#include "models/checkpoint_source.h"
#include "models/model_builder.h"
#include "models/seconds.h"
#include "weights/random_source.h"

namespace griffin {
namespace {

void check(const LoadOptions& options) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "load options: " + what);
  };
  if (options.weights == Dtype::f16) refuse("weights: expected f32, bf16, int8 or int4, found f16");
  if (options.activations == Operand::bf16 || options.activations == Operand::int8) {
    refuse("activations: expected f32, or nothing for what goes with the weights");
  }
  if (options.activations && options.weights && is_quantized(*options.weights)) {
    refuse(std::string("activations: f32 activations do not meet ") + name_of(*options.weights) +
           " weights");
  }
}

}  // namespace

Model Model::load(const std::filesystem::path& folder, const LoadOptions& options) {
  const double started = seconds_now();
  check(options);
  Checkpoint checkpoint(folder, options.access);
  const CheckpointConfig found = checkpoint.config();
  const auto source = checkpoint_source(std::move(checkpoint), options);
  return ModelBuilder(found.model, *source, options.weights, options.activations)
      .build(found.stop_ids, started);
}

Model Model::random(const ModelConfig& config, Dtype dtype, std::uint64_t seed) {
  const double started = seconds_now();
  config.validate();
  const auto source = random_source(dtype, seed);
  return ModelBuilder(config, *source).build({config.eos_id}, started);
}

}  // namespace griffin
