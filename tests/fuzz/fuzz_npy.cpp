// SPDX-License-Identifier: Apache-2.0
// Any shape and any values as a NumPy file that we write: what a reader of the format finds is what
// was written. Nothing of ours reads such files.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "support/npy.h"

namespace griffin::fuzz {
namespace {

namespace fs = std::filesystem;

struct Array {
  std::vector<std::int64_t> row_shape;
  std::vector<std::vector<float>> pieces;  // of whole rows, some of none
  std::int64_t rows = 0;
};

Array array_of(Numbers& numbers) {
  Array array;
  std::int64_t row = 1;
  for (int i = numbers.below(5); i > 0; --i) {
    array.row_shape.push_back(1 + numbers.below(4));
    row *= array.row_shape.back();
  }
  while (!numbers.empty()) {
    const std::int64_t rows = numbers.below(3);
    array.rows += rows;
    std::vector<float>& piece = array.pieces.emplace_back();
    for (std::int64_t i = 0; i < rows * row; ++i) {
      const auto bits = static_cast<std::uint32_t>(numbers.bytes(4));
      piece.emplace_back();
      std::memcpy(&piece.back(), &bits, sizeof bits);
    }
  }
  return array;
}

/// As numpy.lib.format would read it: "(3, 2)", "(3,)".
std::string shape_of(const Array& array) {
  std::string text = "(" + std::to_string(array.rows) + ",";
  for (std::size_t i = 0; i < array.row_shape.size(); ++i) {
    text += (i == 0 ? " " : ", ") + std::to_string(array.row_shape[i]);
  }
  return text + ")";
}

void require_holds(const std::string& file, const Array& array) {
  constexpr std::size_t header = 128;
  require(file.size() >= header && file.substr(0, 10) == std::string("\x93NUMPY\x01\0v\0", 10));
  const std::string dict =
      "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape_of(array) + ", }";
  require(file.substr(10, dict.size()) == dict);
  require(file.substr(10 + dict.size(), header - 10 - dict.size()).find_first_not_of(" \n") ==
          std::string::npos);
  require(file[header - 1] == '\n');
  std::size_t at = header;
  for (const std::vector<float>& piece : array.pieces) {
    const std::size_t bytes = piece.size() * sizeof(float);
    require(at + bytes <= file.size());
    require(bytes == 0 || std::memcmp(&file[at], piece.data(), bytes) == 0);
    at += bytes;
  }
  require(at == file.size());
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  Numbers numbers({data, size});
  const fs::path path =
      fs::temp_directory_path() / ("griffin_fuzz_" + std::to_string(getpid()) + ".npy");
  const bool commits = numbers.yes();
  const Array array = array_of(numbers);
  {
    griffin::examples::NpyWriter writer(path, array.row_shape);
    for (const std::vector<float>& piece : array.pieces) writer.write(piece);
    if (commits) writer.commit();
  }
  require(fs::exists(path) == commits);
  if (!commits) return 0;
  std::ifstream in(path, std::ios::binary);
  require_holds({std::istreambuf_iterator<char>(in), {}}, array);
  fs::remove(path);
  return 0;
}
