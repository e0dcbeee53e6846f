// SPDX-License-Identifier: Apache-2.0
// Any bytes as a safetensors file: tensors that lie within them, which our own writer describes so
// that they are read again, or griffin::Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "formats/safetensors_writer.h"
#include "fuzz/target.h"

namespace griffin::fuzz {
namespace {

using Bytes = std::span<const std::byte>;

void require_within(const TensorMap& tensors, Bytes file) {
  std::size_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    total += tensor.data.size();
    if (tensor.data.empty()) continue;
    require(tensor.data.data() >= file.data());
    require(tensor.data.data() + tensor.data.size() <= file.data() + file.size());
  }
  require(total <= file.size());
}

void write_again(const TensorMap& tensors, const Metadata& metadata) {
  std::vector<TensorEntry> entries;
  std::size_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    entries.push_back({name, tensor.dtype, tensor.shape, tensor.data.size()});
    total += tensor.data.size();
  }
  std::string file = safetensors_header(entries, metadata);
  file.resize(file.size() + total);
  Metadata read_metadata;
  const TensorMap read = parse_safetensors(std::as_bytes(std::span(file.data(), file.size())),
                                           "written", &read_metadata);
  require(read.size() == tensors.size() && read_metadata == metadata);
  for (const auto& [name, tensor] : read) {
    const StoredTensor& first = tensors.at(name);
    require(tensor.dtype == first.dtype && tensor.shape == first.shape);
    require(tensor.data.size() == first.data.size());
  }
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  const auto file = std::as_bytes(std::span(data, size));
  griffin::TensorMap tensors;
  griffin::Metadata metadata;
  if (!accepts([&] { tensors = griffin::parse_safetensors(file, "file", &metadata); })) return 0;
  require_within(tensors, file);
  write_again(tensors, metadata);
  return 0;
}
