// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors_writer.h"

#include <cstring>

#include "formats/json_text.h"
#include "griffin/core/buffer.h"

namespace griffin {

namespace {

void add_member(std::string& object, const std::string& key, const std::string& value) {
  object += object.empty() ? "{" : ",";
  object += json_string(key) + ":" + value;
}

std::string numbers(const std::vector<std::uint64_t>& values) {
  std::string text = "[";
  for (const std::uint64_t value : values) {
    if (text.size() > 1) text += ",";
    text += std::to_string(value);
  }
  return text + "]";
}

std::string entry(const TensorEntry& tensor, std::uint64_t offset) {
  std::string text;
  add_member(text, "dtype", json_string(tensor.dtype));
  add_member(text, "shape", numbers(tensor.shape));
  add_member(text, "data_offsets", numbers({offset, offset + tensor.bytes}));
  return text + "}";
}

}  // namespace

std::string safetensors_header(const std::vector<TensorEntry>& tensors, const Metadata& metadata) {
  std::string text;
  if (!metadata.empty()) {
    std::string strings;
    for (const auto& [key, value] : metadata) add_member(strings, key, json_string(value));
    add_member(text, "__metadata__", strings + "}");
  }
  std::uint64_t offset = 0;
  for (const TensorEntry& tensor : tensors) {
    add_member(text, tensor.name, entry(tensor, offset));
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
