// SPDX-License-Identifier: Apache-2.0
// The golden numbers of tests/goldens as shaped arrays. Their README says what each one is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors.h"

namespace griffin::test {

/// A dense row-major array of any rank.
template <class T>
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<T> values;

  /// Everything under some leading indices: all of it for none, one row of a matrix for one, ...
  std::span<const T> at(std::initializer_list<std::int64_t> indices = {}) const {
    std::size_t size = values.size();
    std::size_t first = 0;
    std::size_t axis = 0;
    for (const std::int64_t index : indices) {
      size /= static_cast<std::size_t>(shape.at(axis++));
      first += static_cast<std::size_t>(index) * size;
    }
    return std::span<const T>(values).subspan(first, size);
  }
};

/// One file of tensors. Every lookup throws std::out_of_range naming a tensor that is not there.
class Goldens {
 public:
  explicit Goldens(const std::filesystem::path& file);

  bool has(const std::string& name) const;
  Array<float> floats(const std::string& name) const;       // F32
  Array<std::int32_t> ints(const std::string& name) const;  // I32
  std::int32_t number(const std::string& name) const;       // the only element of an I32 tensor

 private:
  const StoredTensor& find(const std::string& name, const char* dtype) const;

  SafetensorsFile file_;
};

/// tests/goldens.
std::filesystem::path goldens_root();

/// The names of its model folders.
std::vector<std::string> golden_models();

/// The golden numbers of a model folder.
Goldens golden_numbers(const std::string& model);

/// The largest absolute difference; infinite where the sizes differ or a value is not a number.
double max_abs_difference(std::span<const float> a, std::span<const float> b);

}  // namespace griffin::test
