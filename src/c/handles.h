// SPDX-License-Identifier: Apache-2.0
// What the handles of the C API hold. Each keeps alive what it needs of others.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "griffin/c/model.h"
#include "griffin/c/pass.h"
#include "griffin/c/result.h"
#include "griffin/c/sequence.h"
#include "griffin/c/tokenizer.h"
#include "griffin/generate/request.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/model.h"
#include "griffin/state/sequence.h"

struct griffin_model {
  griffin::Model model;
};

struct griffin_tokenizer {
  std::shared_ptr<const griffin::Tokenizer> tokenizer;
};

struct griffin_sequence {
  griffin::Sequence sequence;
  std::vector<std::int32_t> unread;  // of the state that was restored last
};

struct griffin_snapshot {
  std::shared_ptr<const griffin::Snapshot> snapshot;
};

struct griffin_result {
  griffin::Result result;
};
