// SPDX-License-Identifier: Apache-2.0
// The C API's options as the library's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "c/boundary.h"
#include "griffin/c/generate.h"
#include "griffin/core/weight.h"
#include "griffin/generate/draft.h"
#include "griffin/generate/request.h"
#include "griffin/model/model.h"
#include "griffin/state/layout.h"

namespace griffin::c {

std::optional<Dtype> dtype_of(griffin_dtype dtype, const char* name);
griffin_dtype dtype_of(Dtype dtype) noexcept;

int threads_of(std::int64_t threads, const char* name);

SequenceOptions sequence_options(const griffin_sequence_options* given);
GenerateOptions generate_options(const griffin_generate_options& given, const Model& model);
/// Of guesses `most` at once by a model, which may be NULL.
DraftOptions draft_options(const griffin_model* model, std::int64_t most);
Guessing guessing_of(std::int32_t always, const char* name);

}  // namespace griffin::c
