// SPDX-License-Identifier: Apache-2.0
// A model and its oracle, from one checkpoint.
#pragma once

#include <cstdint>
#include <span>

#include "griffin/model/model.h"
#include "support/checkpoint_writer.h"
#include "support/oracle.h"
#include "support/temp_folder.h"

namespace griffin::test {

/// How far the engine may be from the oracle in float32 arithmetic.
inline constexpr double logit_limit = 5e-4;

/// The largest absolute difference; infinite where the sizes differ or a value is not a number.
double max_abs_difference(std::span<const float> found, const Rows& expected);

/// Writes a checkpoint and reads it twice.
class CheckedModel {
 public:
  /// The oracle's arithmetic is exact: of the model's own, only float32 comes close to it.
  explicit CheckedModel(const CheckpointToWrite& checkpoint,
                        const LoadOptions& options = {.activations = Operand::f32});
  explicit CheckedModel(const ModelConfig& config, Dtype dtype = Dtype::f32,
                        std::uint64_t seed = 1);

  const Model& model() const { return model_; }
  const Oracle& oracle() const { return oracle_; }
  const ModelConfig& config() const { return model_.config(); }

 private:
  TempFolder folder_;
  Model model_;
  Oracle oracle_;
};

}  // namespace griffin::test
