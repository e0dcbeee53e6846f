// SPDX-License-Identifier: Apache-2.0
#include "support/goldens.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace griffin::test {
namespace {

template <class T>
Array<T> copy(const StoredTensor& tensor) {
  Array<T> array;
  array.shape.assign(tensor.shape.begin(), tensor.shape.end());
  array.values.resize(tensor.data.size() / sizeof(T));
  if (!array.values.empty()) {
    std::memcpy(array.values.data(), tensor.data.data(), tensor.data.size());
  }
  return array;
}

}  // namespace

Goldens::Goldens(const std::filesystem::path& file) : file_(file, FileAccess::read) {}

bool Goldens::has(const std::string& name) const {
  return file_.tensors().count(name) != 0;
}

const StoredTensor& Goldens::find(const std::string& name, const char* dtype) const {
  const auto entry = file_.tensors().find(name);
  if (entry == file_.tensors().end()) throw std::out_of_range("no golden tensor " + name);
  if (entry->second.dtype != dtype) {
    throw std::out_of_range("golden tensor " + name + " is not " + dtype);
  }
  return entry->second;
}

Array<float> Goldens::floats(const std::string& name) const {
  return copy<float>(find(name, "F32"));
}

Array<std::int32_t> Goldens::ints(const std::string& name) const {
  return copy<std::int32_t>(find(name, "I32"));
}

std::int32_t Goldens::number(const std::string& name) const {
  return ints(name).values.at(0);
}

std::filesystem::path goldens_root() {
  return std::filesystem::path(GRIFFIN_SOURCE_DIR) / "tests" / "goldens";
}

std::vector<std::string> golden_models() {
  return {"griffin-a", "griffin-a-bf16", "griffin-b", "hawk-a", "onehead", "attn-only"};
}

Goldens golden_numbers(const std::string& model) {
  return Goldens(goldens_root() / model / "golden.safetensors");
}

double max_abs_difference(std::span<const float> a, std::span<const float> b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return infinite;
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (std::isnan(difference)) return infinite;
    worst = std::max(worst, difference);
  }
  return worst;
}

}  // namespace griffin::test
