// SPDX-License-Identifier: Apache-2.0
// Runs score and reads what it writes.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "cli/embedded_model.h"
#include "cli/program.h"

namespace griffin::test {

inline Outcome score(std::vector<std::string> arguments, const std::string& input = "") {
  return run_program(GRIFFIN_SCORE, {.arguments = std::move(arguments), .input = input});
}

inline const Evaluation& evaluation() {
  static const Evaluation loaded = embedded_evaluation();
  return loaded;
}

/// The first ids of the evaluation.
inline std::vector<std::int32_t> first_ids(std::size_t count) {
  return {evaluation().ids.begin(), evaluation().ids.begin() + static_cast<std::ptrdiff_t>(count)};
}

struct Npy {
  std::string header;  // the dictionary
  std::vector<float> values;
};

/// Reads format 1.0 and nothing else.
inline Npy read_npy(const std::string& path) {
  const std::string bytes = file_bytes(path);
  EXPECT_GE(bytes.size(), 64u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  EXPECT_EQ((10 + length) % 64, 0u);
  EXPECT_EQ(bytes[10 + length - 1], '\n');
  Npy array{bytes.substr(10, length), {}};
  array.header.erase(array.header.find_last_not_of(" \n") + 1);
  const std::string data = bytes.substr(10 + length);
  array.values.resize(data.size() / sizeof(float));
  std::memcpy(array.values.data(), data.data(), array.values.size() * sizeof(float));
  return array;
}

}  // namespace griffin::test
