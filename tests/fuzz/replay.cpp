// SPDX-License-Identifier: Apache-2.0
// Gives a fuzz target the files it is told, and those of folders, one after the other: the main of
// a build without libFuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Paths = std::vector<std::filesystem::path>;

/// The files of folders, sorted, in the place of these.
Paths files_of(const Paths& arguments) {
  Paths files;
  for (const auto& path : arguments) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    const auto begin = std::ssize(files);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin() + begin, files.end());
  }
  return files;
}

bool replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) return false;
  std::printf("%s\n", path.c_str());  // before it, so that a finding has its input's name
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const Paths files = files_of(Paths(arguments + 1, arguments + count));
  for (const auto& path : files) {
    if (replay(path)) continue;
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    return 1;
  }
  std::printf("%zu inputs\n", files.size());
  return files.empty() ? 1 : 0;
}
