// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "griffin/model/model.h"
#include "models/checkpoint.h"
#include "weights/weight_source.h"

namespace griffin {

/// The tensors of a checkpoint. Throws Error(mismatch) for a tensor that is missing or of another
/// shape, Error(unsupported) for one of a type that weights cannot have, Error(cancelled) when
/// options.progress says so. `options` must outlive the source.
std::unique_ptr<WeightSource> checkpoint_source(Checkpoint checkpoint, const LoadOptions& options);

}  // namespace griffin
