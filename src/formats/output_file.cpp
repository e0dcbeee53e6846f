// SPDX-License-Identifier: Apache-2.0
#include "formats/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
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

/// A candidate for the name to write to. One that leaves no room behind it is cut.
fs::path temporary_of(const fs::path& path, int attempt) {
  constexpr std::size_t longest_name = 255;  // as the system has it
  const std::string number = attempt == 0 ? "" : "-" + std::to_string(attempt);
  const std::string end = ".griffin" + number + ".part";
  const std::string name = path.filename().string().substr(0, longest_name - end.size());
  return path.parent_path() / (name + end);
}

/// Whether the name still leads to the open file.
bool is_at(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// Removes a file that no one is writing: writers hold a lock, which ends with their process.
/// Returns whether it is gone.
bool remove_abandoned(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return errno == ENOENT;
  struct stat status {};
  const bool abandoned = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                         ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && is_at(descriptor, path);
  const bool removed = abandoned && ::unlink(path.c_str()) == 0;
  ::close(descriptor);
  return removed;
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
  constexpr int most_attempts = 1000;  // so many may write to one path at once
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    temporary_ = temporary_of(path_, attempt);
    do {
      if (open_new()) return keep_mode();
      if (errno != EEXIST) fail("cannot be made");
    } while (remove_abandoned(temporary_));
  }
  errno = EEXIST;
  fail("cannot be made");
}

/// Makes the file and locks it. Returns false if there is one, or where it was taken for abandoned
/// before it was locked. Where there are no locks, no one takes it.
bool OutputFile::open_new() {
  const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return false;
  const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (!taken && is_at(descriptor, temporary_)) {
    file_.reset(::fdopen(descriptor, "wb"));
    if (file_ != nullptr) return true;
    ::unlink(temporary_.c_str());
  } else {
    errno = EEXIST;
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return false;
}

/// Of the file that will be replaced.
void OutputFile::keep_mode() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return;
  constexpr mode_t permissions = 0777;
  ::fchmod(::fileno(file_.get()), status.st_mode & permissions);
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
