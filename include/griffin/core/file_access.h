// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// How the files of a checkpoint get into memory.
enum class FileAccess {
  map,   // mapped: shared between processes, read when first used. The files must not be cut or
         // rewritten in place while the model lives (the system answers that with SIGBUS).
  read,  // copied into memory of our own
};

}  // namespace griffin
