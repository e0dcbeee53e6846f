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
/// for it, so that large tensors are sampled: it tells trained, fine-tuned and converted weights
/// apart, which differ nearly everywhere. A few changed rows of a large matrix may well go
/// unnoticed.
class Fingerprint {
 public:
  void add(const ModelConfig& config);
  void add(std::int64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  void add(std::span<const std::byte> bytes);
  /// The type, the shape, and the data: all of up to 64 KiB, else 1024 cache lines, one at some
  /// place of each 1024th. For the 2B shape in bf16 (525 matrices) 15 to 40 ms in memory; of a
  /// mapped file that was not read yet, the pages they are on.
  void add_sample(const WeightView& weight);

  /// Never 0.
  std::uint64_t value() const noexcept { return value_ == 0 ? 1 : value_; }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace griffin
