// SPDX-License-Identifier: Apache-2.0
// Weights and key/value rows as they lie in a file: any storage type, no alignment.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/weight.h"
#include "griffin/kernels.h"

namespace griffin::test {

inline constexpr Dtype all_storages[] = {Dtype::f32, Dtype::bf16, Dtype::f16};

using kernels::index_of;

/// An array of one storage type that starts one byte off any alignment and ends where its
/// allocation ends.
class StoredArray {
 public:
  StoredArray(Dtype storage, std::vector<float> values)
      : storage_(storage), values_(std::move(values)), bytes_(1 + values_.size() * size()) {
    for (std::size_t i = 0; i < values_.size(); ++i) set(i, values_[i]);
  }

  /// All NaN.
  StoredArray(Dtype storage, std::int64_t count)
      : StoredArray(storage, std::vector<float>(static_cast<std::size_t>(count),
                                                std::numeric_limits<float>::quiet_NaN())) {}

  void set(std::size_t index, float value) {
    std::byte* to = bytes_.data() + 1 + index * size();
    if (storage_ == Dtype::f32) std::memcpy(to, &value, 4);
    if (storage_ == Dtype::bf16) put(to, Eigen::bfloat16(value), values_[index]);
    if (storage_ == Dtype::f16) put(to, Eigen::half(value), values_[index]);
    if (storage_ == Dtype::f32) values_[index] = value;
  }

  Dtype storage() const { return storage_; }
  const void* data() const { return bytes_.data() + 1; }
  /// Element `index` on.
  const void* at(std::int64_t index) const {
    return bytes_.data() + 1 + static_cast<std::size_t>(index) * size();
  }
  /// What is stored, exactly.
  const std::vector<float>& values() const { return values_; }

 private:
  std::size_t size() const { return size_of(storage_); }

  template <class Small>
  static void put(std::byte* to, Small small, float& stored) {
    std::memcpy(to, &small, 2);
    stored = static_cast<float>(small);
  }

  Dtype storage_;
  std::vector<float> values_;
  std::vector<std::byte> bytes_;
};

}  // namespace griffin::test
