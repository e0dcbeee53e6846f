// SPDX-License-Identifier: Apache-2.0
// float32 arrays as NumPy reads them (format 1.0).
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "griffin/core/error.h"
#include "support/output_path.h"

namespace griffin::examples {

/// Writes an array of known shape piece by piece, in C order, under a temporary name; commit()
/// gives it its own. Without a commit nothing is left behind. Throws Error(io).
class NpyWriter {
 public:
  NpyWriter(std::filesystem::path path, const std::vector<std::int64_t>& shape)
      : path_(std::move(path)), temporary_(path_.string() + ".part" + std::to_string(getpid())) {
    check_output_path(path_);
    file_ = std::fopen(temporary_.c_str(), "wbx");
    if (file_ == nullptr) fail();
    const std::string start = header(shape);
    write_bytes(start.data(), start.size());
  }
  ~NpyWriter() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::remove(temporary_.c_str());
  }
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  void write(std::span<const float> values) { write_bytes(values.data(), values.size_bytes()); }

  void commit() {
    if (std::fflush(file_) != 0) fail();
    if (std::fclose(std::exchange(file_, nullptr)) != 0 ||
        std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      const int error = errno;
      std::remove(temporary_.c_str());
      errno = error;
      fail();
    }
  }

 private:
  /// Magic, version 1.0, length and a Python dictionary, padded so that the data is aligned to 64.
  static std::string header(const std::vector<std::int64_t>& shape) {
    std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (std::size_t i = 0; i < shape.size(); ++i) {
      dict += (i == 0 ? "" : " ") + std::to_string(shape[i]);
      if (i + 1 < shape.size() || i == 0) dict += ',';  // a tuple of one keeps its comma
    }
    dict += "), }";
    constexpr std::size_t fixed = 10;
    dict.append(63 - (fixed + dict.size()) % 64, ' ');
    dict += '\n';
    const auto length = static_cast<unsigned>(dict.size());
    std::string bytes = std::string("\x93NUMPY\x01") + '\0';
    bytes += static_cast<char>(length & 0xFF);
    bytes += static_cast<char>(length >> 8);
    return bytes + dict;
  }

  void write_bytes(const void* data, std::size_t count) {
    // Nothing may come as a null pointer, which fwrite does not take.
    if (count > 0 && std::fwrite(data, 1, count, file_) != count) fail();
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, path_.string() + ": " + std::strerror(errno));
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace griffin::examples
