// SPDX-License-Identifier: Apache-2.0
// Where a file is to be written.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "griffin/core/error.h"

namespace griffin::examples {

/// Throws Error(io) where a file could not be made, or must not take the place of what is there: a
/// folder, a device.
inline void check_output_path(const std::filesystem::path& path) {
  const auto status = std::filesystem::status(path);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::io, path.string() + ": not a regular file, cannot be replaced");
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (access(folder.c_str(), W_OK | X_OK) == 0) return;
  throw Error(ErrorCode::io, path.string() + ": cannot be written: " + std::strerror(errno));
}

}  // namespace griffin::examples
