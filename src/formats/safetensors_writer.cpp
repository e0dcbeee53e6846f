// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_writer.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "griffin/core/buffer.h"

namespace griffin {

namespace {

using nlohmann::ordered_json;

/// Put together by hand: an ordered_json looks through all members for each it gets.
void add_member(std::string& object, const std::string& key, const ordered_json& value) {
  object += object.empty() ? "{" : ",";
  object += ordered_json(key).dump() + ":" + value.dump();
}

}  // namespace

std::string safetensors_header(const std::vector<TensorEntry>& tensors, const Metadata& metadata) {
  std::string text;
  if (!metadata.empty()) add_member(text, "__metadata__", metadata);
  std::uint64_t offset = 0;
  for (const TensorEntry& tensor : tensors) {
    add_member(text, tensor.name,
               {{"dtype", tensor.dtype},
                {"shape", tensor.shape},
                {"data_offsets", {offset, offset + tensor.bytes}}});
    offset += tensor.bytes;
  }
  text += text.empty() ? "{}" : "}";
  const std::size_t padded = round_up_to_cache_line(sizeof(std::uint64_t) + text.size());
  const std::uint64_t length = padded - sizeof length;
  std::string bytes(padded, ' ');
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, text.data(), text.size());
  return bytes;
}

}  // namespace griffin
