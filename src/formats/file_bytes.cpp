// SPDX-License-Identifier: Apache-2.0
#include "formats/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "griffin/core/error.h"

namespace griffin {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw Error(ErrorCode::io, path.string() + ": " + what);
}

/// Like strerror, but safe to call from any thread.
[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* action) {
  const int error = errno;
  fail(path, std::string("cannot ") + action + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  /// Does not wait for the other end, should the path be a pipe.
  explicit Descriptor(const std::filesystem::path& path)
      : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (value_ < 0) fail_with_errno(path, "open");
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int value() const noexcept { return value_; }

 private:
  int value_;
};

std::uint64_t size_of_file(const Descriptor& file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file.value(), &status) != 0) fail_with_errno(path, "ask for the size");
  if (S_ISDIR(status.st_mode)) fail(path, "expected a file, found a folder");
  if (!S_ISREG(status.st_mode)) fail(path, "expected a regular file, found another kind");
  return static_cast<std::uint64_t>(status.st_size);
}

const std::byte* map(const Descriptor& file, std::size_t size, const std::filesystem::path& path) {
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value(), 0);
  if (start == MAP_FAILED) fail_with_errno(path, "map");
  return static_cast<const std::byte*>(start);
}

Buffer allocate(std::size_t size, const std::filesystem::path& path) {
  try {
    return Buffer(size);
  } catch (const Error& error) {
    fail(path, error.what());
  }
}

Buffer read(const Descriptor& file, std::size_t size, const std::filesystem::path& path) {
  Buffer buffer = allocate(size, path);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(file.value(), buffer.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno(path, "read");
    if (count == 0) {
      fail(path, "expected " + std::to_string(size) + " bytes, found only " + std::to_string(done));
    }
    done += static_cast<std::size_t>(count);
  }
  return buffer;
}

}  // namespace

FileBytes::FileBytes(const std::filesystem::path& path, FileAccess access, std::uint64_t limit) {
  const Descriptor file(path);
  const std::uint64_t size = size_of_file(file, path);
  if (size > limit) {
    throw Error(ErrorCode::format, path.string() + ": expected at most " + std::to_string(limit) +
                                       " bytes, found " + std::to_string(size));
  }
  if (size > std::numeric_limits<std::size_t>::max()) fail(path, "too large for this machine");
  if (size == 0) return;  // nothing can be mapped
  if (access == FileAccess::read) {
    owned_ = read(file, static_cast<std::size_t>(size), path);
    bytes_ = {owned_.data(), owned_.size()};
  } else {
    bytes_ = {map(file, static_cast<std::size_t>(size), path), static_cast<std::size_t>(size)};
  }
}

FileBytes::~FileBytes() {
  if (owned_.size() == 0 && !bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

FileBytes::FileBytes(FileBytes&& other) noexcept {
  swap(other);
}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  FileBytes(std::move(other)).swap(*this);
  return *this;
}

void FileBytes::swap(FileBytes& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(owned_, other.owned_);
}

}  // namespace griffin
