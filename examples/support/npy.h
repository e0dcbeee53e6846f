// SPDX-License-Identifier: Apache-2.0
// float32 arrays as NumPy reads them (format 1.0).
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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

/// A file to be written, under a name of its own until it is complete; without that nothing is left
/// behind. What a killed process left there, the next one writes over. Sets errno.
class PartFile {
 public:
  explicit PartFile(const std::filesystem::path& path) : path_(path.string() + ".griffin.part") {}
  ~PartFile() {
    if (file_ == nullptr) return;
    std::remove(path_.c_str());
    std::fclose(file_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  /// Returns false also where another process is at it, which holds a lock.
  bool open() {
    constexpr int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const int descriptor = ::open(path_.c_str(), flags, 0666);
    if (descriptor < 0) return false;
    const bool taken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && is_at(descriptor) && ftruncate(descriptor, 0) == 0) {
      file_ = fdopen(descriptor, "wb");
      if (file_ != nullptr) return true;
    }
    const int error = taken ? EBUSY : errno;
    close(descriptor);
    errno = error;
    return false;
  }

  std::FILE* get() const noexcept { return file_; }

  /// On the disk, then by its name.
  bool commit(const std::filesystem::path& name) {
    if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) return false;
    if (std::rename(path_.c_str(), name.c_str()) != 0) return false;
    std::fclose(std::exchange(file_, nullptr));
    return true;
  }

 private:
  /// Whoever had the lock before may have renamed the file; and what has another name, too, or
  /// another owner, is nobody's to be written over.
  bool is_at(int descriptor) const {
    struct stat opened = {};
    struct stat named = {};
    if (fstat(descriptor, &opened) != 0 || lstat(path_.c_str(), &named) != 0) return false;
    if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino) {
      errno = EBUSY;
      return false;
    }
    const bool ours = S_ISREG(opened.st_mode) && opened.st_nlink == 1 && opened.st_uid == geteuid();
    if (!ours) errno = EEXIST;
    return ours;
  }

  std::string path_;
  std::FILE* file_ = nullptr;
};

/// Writes an array row by row, in C order, under a temporary name; commit() gives it its own, and
/// its number of rows. Without a commit nothing is left behind. Throws Error(io).
class NpyWriter {
 public:
  /// `row_shape`: that of a row; empty for an array of one dimension.
  NpyWriter(std::filesystem::path path, std::vector<std::int64_t> row_shape)
      : path_(std::move(path)), row_shape_(std::move(row_shape)), file_(path_) {
    check_output_path(path_);
    if (!file_.open()) fail();
    write_header();
  }

  void write(std::span<const float> values) {
    write_bytes(values.data(), values.size_bytes());
    values_ += std::ssize(values);
  }

  void commit() {
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) fail();
    write_header();
    if (!file_.commit(path_)) fail();
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
    if (count > 0 && std::fwrite(data, 1, count, file_.get()) != count) fail();
  }

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::io, path_.string() + ": " + std::strerror(errno));
  }

  std::filesystem::path path_;
  std::vector<std::int64_t> row_shape_;
  std::int64_t values_ = 0;
  PartFile file_;
};

}  // namespace griffin::examples
