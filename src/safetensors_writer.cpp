// SPDX-License-Identifier: Apache-2.0
#include "safetensors_writer.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "griffin/core/buffer.h"

namespace griffin {

std::string safetensors_header(const std::vector<TensorEntry>& tensors, const Metadata& metadata) {
  nlohmann::ordered_json header;
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  std::uint64_t offset = 0;
  for (const TensorEntry& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes}}};
    offset += tensor.bytes;
  }
  const std::string text = header.dump();
  const std::size_t padded = round_up_to_cache_line(sizeof(std::uint64_t) + text.size());
  const std::uint64_t length = padded - sizeof length;
  std::string bytes(padded, ' ');
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, text.data(), text.size());
  return bytes;
}

}  // namespace griffin
