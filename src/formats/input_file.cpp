// SPDX-License-Identifier: Apache-2.0
#include "formats/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "griffin/core/error.h"

namespace griffin {

InputFile::InputFile(const std::filesystem::path& path) : path_(path) {
  open();
  try {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail_with_errno("ask for the size");
    if (S_ISDIR(status.st_mode)) fail("expected a file, found a folder");
    if (!S_ISREG(status.st_mode)) fail("expected a regular file, found another kind");
    size_ = static_cast<std::uint64_t>(status.st_size);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

/// Does not wait for the other end, should the path be a pipe.
void InputFile::open() {
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ >= 0) return;
  const int error = errno;
  std::error_code no_link;
  const std::filesystem::path target = std::filesystem::read_symlink(path_, no_link);
  if (error == ENOENT && !no_link) {
    fail("a symbolic link to " + target.string() +
         ", which is not there; download the file again (in a Hugging Face cache its blob is "
         "missing)");
  }
  errno = error;
  fail_with_errno("open");
}

std::size_t InputFile::read(void* to, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count = ::read(descriptor_, static_cast<std::byte*>(to) + done, bytes - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno("read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void InputFile::fail(const std::string& what) const {
  throw Error(ErrorCode::io, path_.string() + ": " + what);
}

/// Like strerror, but safe to call from any thread.
void InputFile::fail_with_errno(const char* action) const {
  const int error = errno;
  fail(std::string("cannot ") + action + ": " + std::generic_category().message(error));
}

}  // namespace griffin
