// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "griffin/core/error.h"
#include "griffin/model/block.h"

namespace griffin {

/// What the stateful layers of a stack keep. Throws Error(invalid_argument) as
/// Model::state_layout() says.
inline StateLayout layout_of(std::span<const Block> blocks, const SequenceOptions& options) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "sequence: " + what);
  };
  if (options.capacity < 0) {
    refuse("expected a capacity >= 0, found " + std::to_string(options.capacity));
  }
  if (options.kv > Dtype::bf16) {
    refuse(std::string("keys and values are stored as f32 or bf16, found ") + name_of(options.kv));
  }
  StateLayout layout;
  layout.capacity = options.positions();
  layout.kv = options.kv;
  for (const Block& block : blocks) block.append_shapes(options, layout.slots);
  return layout;
}

}  // namespace griffin
