// SPDX-License-Identifier: Apache-2.0
#include "formats/file_bytes.h"

#include <sys/mman.h>

#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "formats/input_file.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

/// Null where the file system maps no files.
const std::byte* map(const InputFile& file, std::size_t size) {
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (start != MAP_FAILED) return static_cast<const std::byte*>(start);
  if (errno != ENODEV && errno != EOPNOTSUPP) file.fail_with_errno("map");
  return nullptr;
}

Buffer allocate(std::size_t size, const std::filesystem::path& path) {
  try {
    return Buffer(size);
  } catch (const Error& error) {
    throw Error(error.code(), path.string() + ": " + error.what());
  }
}

Buffer read(InputFile& file, std::size_t size, const std::filesystem::path& path) {
  Buffer buffer = allocate(size, path);
  const std::size_t done = file.read(buffer.data(), size);
  if (done < size) {
    file.fail("expected " + std::to_string(size) + " bytes, found only " + std::to_string(done));
  }
  return buffer;
}

}  // namespace

FileBytes::FileBytes(const std::filesystem::path& path, FileAccess access, std::uint64_t limit) {
  InputFile file(path);
  if (file.size() > limit) {
    throw Error(ErrorCode::format, path.string() + ": expected at most " + std::to_string(limit) +
                                       " bytes, found " + std::to_string(file.size()));
  }
  if (file.size() > std::numeric_limits<std::size_t>::max())
    file.fail("too large for this machine");
  const auto size = static_cast<std::size_t>(file.size());
  if (size == 0) return;  // nothing can be mapped
  const std::byte* start = access == FileAccess::map ? map(file, size) : nullptr;
  if (start == nullptr) {
    owned_ = read(file, size, path);
    start = owned_.data();
  }
  bytes_ = {start, size};
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
