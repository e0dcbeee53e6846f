// SPDX-License-Identifier: Apache-2.0
#include "support/checked_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace griffin::test {
namespace {

const std::filesystem::path& written(const CheckpointToWrite& checkpoint,
                                     const TempFolder& folder) {
  checkpoint.write(folder.path());
  return folder.path();
}

}  // namespace

double max_abs_difference(std::span<const float> found, const Rows& expected) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (found.size() != static_cast<std::size_t>(expected.size())) return infinite;
  double worst = 0.0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(static_cast<double>(found[i]) - expected.data()[i]);
    if (std::isnan(difference)) return infinite;
    worst = std::max(worst, difference);
  }
  return worst;
}

CheckedModel::CheckedModel(const CheckpointToWrite& checkpoint, const LoadOptions& options)
    : model_(Model::load(written(checkpoint, folder_), options)), oracle_(folder_.path()) {}

CheckedModel::CheckedModel(const ModelConfig& config, Dtype dtype, std::uint64_t seed)
    : CheckedModel(random_checkpoint(config, dtype, seed)) {}

}  // namespace griffin::test
