// SPDX-License-Identifier: Apache-2.0
// What a model is made of: for those who look into one, and for those who put one together.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "griffin/layers/attention_block.h"
#include "griffin/layers/embedding.h"
#include "griffin/layers/lm_head.h"
#include "griffin/layers/norm.h"
#include "griffin/layers/recurrent_block.h"
#include "griffin/model/block.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

class HeadScreen;  // the library's own: src/models/head_screen.h

/// The memory that views of weights look into, and what is known of it.
struct ModelWeights {
  std::uint64_t bytes = 0;        // in use, mapped or owned; the head's screen is among them
  std::uint64_t screen = 0;       // bytes of the head's screen
  std::uint64_t multiplied = 0;   // numbers that a row is multiplied with, an untied head included
  std::uint64_t fingerprint = 0;  // of the numbers and the arithmetic
  std::shared_ptr<const void> storage;
};

/// A whole model. Model::assemble() gives the blocks their slots, one after the other.
struct ModelParts {
  /// `vocab`, `width` and the ids count for every model; the rest is what the blocks of the
  /// families were made from, and may be left alone by others.
  ModelConfig config;
  Embedding embedding;        // [vocab, width]
  std::vector<Block> blocks;  // in the order in which they are run
  RmsNorm final_norm;
  LmHead lm_head;  // [vocab, width]
  /// Of Model::with_greedy_head(), made of that head; else null.
  std::shared_ptr<const HeadScreen> head_screen = nullptr;
  std::vector<std::int32_t> stop_ids;
  bool texts_begin_with_bos = true;  // where the config has a BOS
  ModelWeights weights;
  double load_seconds = 0.0;
};

}  // namespace griffin
