// SPDX-License-Identifier: Apache-2.0
// From a prompt to its continuation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "griffin/model/forward_pass.h"

namespace griffin {

struct GeneratorOptions {
  int threads = 0;                          // 0: all cores
  std::int64_t chunk = 512;                 // prompt tokens of one pass
  const kernels::Table* kernels = nullptr;  // null: kernels::default_table()
};

struct GenerateOptions {
  static constexpr std::int64_t unlimited = -1;

  std::int64_t max_new_tokens = 128;  // or unlimited
  /// Ids that end the text; neither counted, nor handed out. Model::stop_ids() for the model's own.
  std::vector<std::int32_t> stop_ids;
  /// Called with every new token as soon as it is chosen.
  std::function<Flow(std::int32_t)> on_token;
  /// Called after every chunk of the prompt with the tokens done and the tokens there are.
  std::function<Flow(std::int64_t, std::int64_t)> on_prefill;
};

enum class StopReason {
  stop_id,   // the model said one of stop_ids
  length,    // max_new_tokens
  capacity,  // the sequence has no room for another token
  callback,  // a callback answered Flow::stop
};

const char* name_of(StopReason reason) noexcept;

/// Seconds of wall-clock time.
struct Timings {
  double load = 0.0;         // of the model
  double prefill = 0.0;      // the prompt
  double decode = 0.0;       // the passes after it
  double first_token = 0.0;  // from the call to the first token handed out
};

struct Result {
  std::vector<std::int32_t> tokens;
  StopReason reason = StopReason::length;
  std::optional<std::int32_t> stop_id;  // the id that ended the text
  std::int64_t prompt_tokens = 0;       // that were run
  std::int64_t decode_passes = 0;       // tokens fed back, one a pass
  Timings timings;
};

/// Greedy generation. One per calling thread.
class Generator {
 public:
  explicit Generator(const Model& model, const GeneratorOptions& options = {});

  /// Feeds the prompt and then the most likely token, again and again. The sequence may be new or
  /// go on from an earlier call; afterwards it has consumed the prompt and the first
  /// Result::decode_passes of Result::tokens: all but the last, or all before a stop id. Throws
  /// Error(invalid_argument) for an empty prompt or an id outside the vocabulary and
  /// Error(capacity) for a prompt that the sequence has no room for, before anything is run.
  Result generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                  const GenerateOptions& options = {});

 private:
  std::optional<std::int32_t> prefill(Sequence& sequence, std::span<const std::int32_t> prompt,
                                      const GenerateOptions& options, Result& result);
  static bool accept(std::int32_t token, const GenerateOptions& options, Result& result);
  static bool deliver(std::int32_t token, const Sequence& sequence, const GenerateOptions& options,
                      Result& result);

  Model model_;
  ForwardPass pass_;
};

}  // namespace griffin
