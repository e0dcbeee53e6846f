// SPDX-License-Identifier: Apache-2.0
// Where the model is that programs use without --model.
#pragma once

#include <filesystem>
#include <system_error>

namespace griffin::examples {

/// Found from the program's own place, so that an installation may be moved; the build tree has a
/// link in the place that it has there. GRIFFIN_MODELS is the way from the folder of the program.
inline std::filesystem::path embedded_model() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path folder = (program.parent_path() / GRIFFIN_MODELS / "griffin").lexically_normal();
  const fs::path resolved = fs::canonical(folder, error);
  return error ? folder : resolved;
}

}  // namespace griffin::examples
