// SPDX-License-Identifier: Apache-2.0
// How long a step, or a chunk of a prompt, takes at a position: measured where it is asked for, and
// summed up for the positions between.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ceilings.h"
#include "griffin/model/forward_pass.h"

namespace griffin::bench {

/// Sequences that are decoded together: a step is one pass with a token of each, and the choice of
/// the next ones, each the most likely.
class DecodeClock {
 public:
  /// Sequences with room for `tokens` where the model needs to be told. `kernels`, which may be
  /// timed, must live on.
  DecodeClock(const Model& model, int threads, int batch, std::int64_t tokens,
              const kernels::Table& kernels);

  /// To a position with a made-up state, and takes a step, untimed, for caches and threads.
  void go_to(std::int64_t position);
  /// The seconds of a step.
  double step();

  const Model& model() const noexcept { return model_; }
  int batch() const noexcept { return static_cast<int>(sequences_.size()); }
  const StateLayout& layout() const noexcept { return sequences_.front().layout(); }

 private:
  Model model_;
  ForwardPass pass_;
  std::vector<Sequence> sequences_;
  std::vector<std::int32_t> next_;
};

/// One sequence that reads a prompt in passes of 512 tokens, or in one if it is shorter.
class PromptClock {
 public:
  static constexpr std::int64_t most_chunk = 512;

  /// Throws Error(invalid_argument) where passes of 512 do not add up to `tokens`.
  PromptClock(const Model& model, int threads, std::int64_t tokens);

  std::int64_t chunk() const noexcept { return static_cast<std::int64_t>(ids_.size()); }

  /// The seconds of one pass, after `position` tokens of a made-up state.
  double pass_at(std::int64_t position);
  /// Reads `tokens` tokens from the start: the seconds after each pass.
  std::vector<double> read(std::int64_t tokens);

 private:
  double pass();

  Model model_;
  ForwardPass pass_;
  Sequence sequence_;
  std::vector<std::int32_t> ids_;
};

/// Seconds measured at some positions, in several rounds; medians count.
class Samples {
 public:
  void add(std::int64_t position, double seconds) { seconds_[position].push_back(seconds); }

  /// At a position between the first and the last that were measured: on the straight line between
  /// its neighbours.
  double at(std::int64_t position) const;
  /// The sum over positions first, first + step, ... below end.
  double sum(std::int64_t first, std::int64_t end, std::int64_t step = 1) const;

 private:
  std::map<std::int64_t, std::vector<double>> seconds_;
};

/// Where the windows of local attention are filled, if there are any: from there on, a step takes
/// no longer.
std::vector<std::int64_t> filled_windows(const Model& model);

/// What attention has to read and to multiply in a step of `batch` sequences, each after `position`
/// tokens: the rings once, and a score and a value of every key for every head.
Work attention_work(const Model& model, const StateLayout& layout, std::int64_t position,
                    std::int64_t batch);

}  // namespace griffin::bench
