// SPDX-License-Identifier: Apache-2.0
#include "support/turn_tokenizer.h"

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace griffin::test {
namespace {

/// A field of a serialised protocol buffer: [begin, end) with its key.
struct Field {
  unsigned number;
  std::size_t begin;
  std::size_t end;
};

unsigned long varint(const std::string& bytes, std::size_t& at) {
  unsigned long value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(at++));
    value |= static_cast<unsigned long>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
}

std::vector<Field> fields(const std::string& bytes) {
  std::vector<Field> found;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    const unsigned long key = varint(bytes, at);
    if (key % 8 != 2) throw std::runtime_error("a field that is no message");
    const unsigned long size = varint(bytes, at);
    at += size;
    found.push_back({static_cast<unsigned>(key / 8), begin, at});
  }
  return found;
}

/// ModelProto.pieces { piece (1), score (2) = 0, type (3) = USER_DEFINED }
std::string user_defined(const std::string& text) {
  const std::string piece = "\x0A" + std::string(1, static_cast<char>(text.size())) + text +
                            std::string("\x15\0\0\0\0\x18\x04", 7);
  return "\x0A" + std::string(1, static_cast<char>(piece.size())) + piece;
}

}  // namespace

std::string turn_tokenizer() {
  std::ifstream in(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::vector<Field> all = fields(bytes);
  std::size_t pieces = 0;
  for (const Field& field : all) pieces += field.number == 1 ? 1 : 0;
  std::string changed;
  std::size_t piece = 0;
  for (const Field& field : all) {
    piece += field.number == 1 ? 1 : 0;
    if (field.number == 1 && piece + 1 >= pieces) {
      changed += user_defined(piece == pieces ? "<end_of_turn>" : "<start_of_turn>");
    } else {
      changed += bytes.substr(field.begin, field.end - field.begin);
    }
  }
  return changed;
}

}  // namespace griffin::test
