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

/// Writes an array row by row, in C order, under a temporary name; commit() gives it its own, and
/// its number of rows. Without a commit nothing is left behind. Throws Error(io).
class NpyWriter {
 public:
  /// `row_shape`: that of a row; empty for an array of one dimension.
  NpyWriter(std::filesystem::path path, std::vector<std::int64_t> row_shape)
      : path_(std::move(path)),
        temporary_(path_.string() + ".part" + std::to_string(getpid())),
        row_shape_(std::move(row_shape)) {
    check_output_path(path_);
    file_ = std::fopen(temporary_.c_str(), "wbx");
    if (file_ == nullptr) fail();
    write_header();
  }
  ~NpyWriter() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::remove(temporary_.c_str());
  }
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  void write(std::span<const float> values) {
    write_bytes(values.data(), values.size_bytes());
    values_ += std::ssize(values);
  }

  void commit() {
    if (std::fseek(file_, 0, SEEK_SET) != 0) fail();
    write_header();
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
  /// Magic, version 1.0, length and a Python dictionary, padded to the same size whatever the
  /// number of rows, so that the data is aligned to 64.
  void write_header() {
    std::int64_t row = 1;
    for (const std::int64_t n : row_shape_) row *= n;
    std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    dict += std::to_string(values_ / row) + ',';  // a tuple of one keeps its comma
    for (std::size_t i = 0; i < row_shape_.size(); ++i) {
      dict += (i == 0 ? " " : ", ") + std::to_string(row_shape_[i]);
    }
    dict += "), }";
    constexpr std::size_t fixed = 10;
    constexpr std::size_t length = 128 - fixed;
    dict.resize(length - 1, ' ');
    const std::string magic =
        std::string("\x93NUMPY\x01") + '\0' + static_cast<char>(length) + '\0';
    const std::string header = magic + dict + '\n';
    write_bytes(header.data(), header.size());
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
  std::vector<std::int64_t> row_shape_;
  std::int64_t values_ = 0;
  std::FILE* file_ = nullptr;
};

}  // namespace griffin::examples
