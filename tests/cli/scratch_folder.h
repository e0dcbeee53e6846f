// SPDX-License-Identifier: Apache-2.0
// A folder that is gone when the test is.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "embedded_model.h"

namespace griffin::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "griffin-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// Writes a file of it and returns its path.
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

  /// Makes it a copy of the embedded model's folder.
  void copy_embedded_model() const {
    for (const char* file : {"config.json", "model.safetensors", "tokenizer.model"}) {
      std::filesystem::copy_file(embedded_folder() / file, path_ / file);
    }
  }

 private:
  std::filesystem::path path_;
};

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Ids as --tokens reads them.
inline std::string spaced(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text.append(text.empty() ? "" : " ").append(std::to_string(id));
  return text;
}

}  // namespace griffin::test
