// SPDX-License-Identifier: Apache-2.0
#include "formats/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include "griffin/core/error.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

/// Where a path leads in the end, whether or not there is something.
fs::path without_links(fs::path path) {
  constexpr int most_links = 40;  // as the system has it
  std::error_code error;
  for (int i = 0; i < most_links && fs::is_symlink(path, error); ++i) {
    const fs::path target = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / target;
  }
  return path;
}

/// No other process and no other file of this one takes the same name, unless it was left behind
/// by a process that was killed.
fs::path temporary_in(const fs::path& folder) {
  static std::atomic<std::uint64_t> count = 0;
  return folder /
         ("griffin-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".part");
}

}  // namespace

OutputFile::OutputFile(const fs::path& path) : path_(without_links(path)) {
  std::error_code error;
  const fs::file_type found = fs::status(path_, error).type();
  if (found != fs::file_type::regular && found != fs::file_type::not_found) {
    throw Error(ErrorCode::io, path_.string() + ": cannot be replaced: " +
                                   (error ? error.message() : "it is no regular file"));
  }
  open();
}

void OutputFile::open() {
  do {
    temporary_ = temporary_in(path_.parent_path());
    file_.reset(std::fopen(temporary_.c_str(), "wbx"));
  } while (file_ == nullptr && errno == EEXIST);
  if (file_ == nullptr) fail("cannot be made");
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  file_.reset();
  std::error_code ignored;
  fs::remove(temporary_, ignored);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    fail("cannot be written");
  }
}

void OutputFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void OutputFile::commit() {
  if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) {
    fail("cannot be written");
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be renamed");
  file_.reset();
  sync_folder();
}

/// Until its folder is on the disk too, a power cut may bring the old name back, or none.
void OutputFile::sync_folder() const {
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == EACCES) return;  // a folder may be written to that must not be read
    fail("is written, but its folder cannot be opened to be synchronised");
  }
  const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL;  // not every file system can
  const int error = errno;
  ::close(descriptor);
  errno = error;
  if (!synced) fail("is written, but its folder cannot be synchronised");
}

void OutputFile::fail(const char* what) const {
  const int error = errno;
  throw Error(ErrorCode::io,
              path_.string() + ": " + what + ": " + std::generic_category().message(error));
}

}  // namespace griffin
