// SPDX-License-Identifier: Apache-2.0
// Checkpoints made for a test: any shape, any storage type, and any kind of damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "griffin/model/config.h"

namespace griffin::test {

/// A tensor to be written: `dtype` and `shape` as the header will say, `data` as the file will
/// hold.
struct TensorToWrite {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::byte> data;
};

/// What a Hugging Face folder will hold. Tests change what they like before they write it.
struct CheckpointToWrite {
  nlohmann::json config;
  std::map<std::string, TensorToWrite> tensors;
  int shards = 1;                // 1: model.safetensors; more: shards and their index
  std::size_t header_space = 0;  // blanks after the JSON header: 1 makes all data lie unaligned

  /// Makes the folder if it is not there.
  void write(const std::filesystem::path& folder) const;
};

/// Every tensor of a model of that shape with random values of sane size, the same for the same
/// seed. No value is zero, no decay trivial. lm_head.weight is there if the config unties the head.
CheckpointToWrite random_checkpoint(const ModelConfig& config, Dtype dtype, std::uint64_t seed);

/// The values of a tensor, widened exactly.
std::vector<float> values_of(const TensorToWrite& tensor);

/// Values as a tensor of that storage type, rounded to nearest even.
TensorToWrite tensor_of(std::vector<std::uint64_t> shape, const std::vector<float>& values,
                        Dtype dtype);

}  // namespace griffin::test
