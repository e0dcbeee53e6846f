// SPDX-License-Identifier: Apache-2.0
// A number that stands for the weights of a model and how they are computed with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "griffin/core/weight.h"
#include "griffin/model/config.h"

namespace griffin {

/// Depends on everything added and its order. A checkpoint of gigabytes must not be read through
/// for it, so that large tensors are sampled: weights that differ anywhere differ nearly
/// everywhere.
class Fingerprint {
 public:
  void add(const ModelConfig& config);
  void add(std::int64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  void add(std::span<const std::byte> bytes);
  /// The type and the shape, and a few lines of cache spread over the data.
  void add_sample(const WeightView& weight);

  /// Never 0.
  std::uint64_t value() const noexcept { return value_ == 0 ? 1 : value_; }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace griffin
