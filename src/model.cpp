// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/model.h"

#include <utility>

#include "checkpoint_source.h"
#include "model_builder.h"
#include "random_source.h"
#include "seconds.h"

namespace griffin {

Model Model::load(const std::filesystem::path& folder, const LoadOptions& options) {
  const double started = seconds_now();
  Checkpoint checkpoint(folder, options.access);
  const CheckpointConfig found = checkpoint.config();
  const auto source = checkpoint_source(std::move(checkpoint), options);
  return ModelBuilder(found.model, *source, options.precision).build(found.stop_ids, started);
}

Model Model::random(const ModelConfig& config, Dtype dtype, std::uint64_t seed) {
  const double started = seconds_now();
  config.validate();
  const auto source = random_source(dtype, seed);
  return ModelBuilder(config, *source).build({config.eos_id}, started);
}

}  // namespace griffin
