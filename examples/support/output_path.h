// SPDX-License-Identifier: Apache-2.0
// Where a file is to be written.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "griffin/core/error.h"

namespace griffin::examples {

/// Throws Error(io) where a file could not be made, or must not take the place of what is there: a
/// folder, a device.
inline void check_output_path(const std::filesystem::path& path) {
  std::error_code unknown;  // a name too long, a folder closed to us: access() says what it is
  const auto status = std::filesystem::status(path, unknown);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::io, path.string() + ": not a regular file, cannot be replaced");
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const bool too_long = unknown == std::errc::filename_too_long;
  if (!too_long && access(folder.c_str(), W_OK | X_OK) == 0) return;
  if (too_long) errno = ENAMETOOLONG;
  throw Error(ErrorCode::io, path.string() + ": cannot be written: " + std::strerror(errno));
}

}  // namespace griffin::examples
