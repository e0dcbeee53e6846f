// SPDX-License-Identifier: Apache-2.0
#include "output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "griffin/core/error.h"

namespace griffin {

OutputFile::OutputFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".part") {
  file_.reset(std::fopen(temporary_.c_str(), "wbx"));
  if (file_ == nullptr) fail("cannot be made");
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  file_.reset();
  std::error_code ignored;
  std::filesystem::remove(temporary_, ignored);
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
}

void OutputFile::fail(const char* what) const {
  const int error = errno;
  throw Error(ErrorCode::io, temporary_.string() + ": " + what + ": " + std::strerror(error));
}

}  // namespace griffin
