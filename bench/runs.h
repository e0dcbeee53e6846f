// SPDX-License-Identifier: Apache-2.0
// The timed runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ceilings.h"
#include "griffin/model/forward_pass.h"
#include "griffin/model/parts.h"

namespace griffin::bench {

enum class Kind { prefill, decode };

/// One row of the report.
struct Test {
  Kind kind = Kind::prefill;
  int tokens = 0;  // of each sequence
  int depth = 0;   // tokens in the state before
  int batch = 1;   // sequences decoded at once; one is prefilled
  int threads = 1;
  int chunk = 512;  // tokens of a prefill pass

  /// As llama-bench calls it: pp512, tg128, pp512 @ d1024.
  std::string name() const;
  std::int64_t all_tokens() const { return std::int64_t{batch} * tokens; }
  /// The passes of one repetition.
  std::vector<Work> work(const ModelWork& model) const;
};

/// The `count` tokens of a sequence from a position on: the same every time.
std::vector<std::int32_t> pseudo_random_tokens(std::int64_t vocab, std::int64_t position,
                                               std::int64_t count, std::int64_t sequence = 0);

/// Runs tests on one model. Tokens are pseudo-random and the same every time.
class Runner {
 public:
  /// Sequences are made with these options, and passes run on these kernels, which must live on;
  /// null: the best. Of the last token of each sequence the logits are wanted, or of a model with a
  /// greedy head no more than the best token.
  Runner(const Model& model, const SequenceOptions& options, const kernels::Table* kernels)
      : model_(model),
        options_(options),
        kernels_(kernels),
        wanted_(model.parts().head_screen != nullptr ? Logits::best_of_last : Logits::last) {}

  using BetweenRuns = std::function<void()>;

  /// What ForwardPass::run took in each repetition, in seconds. `probe` is called right before and
  /// right after every one of them. Throws Error(cancelled) on Ctrl-C.
  std::vector<double> time(const Test& test, int repetitions, const BetweenRuns& probe);

  /// The state of one sequence.
  std::uint64_t state_bytes() const;

 private:
  /// A sequence of `depth` tokens. All are kept: tests may return to a depth, and what is deeper
  /// goes on from the deepest before it.
  const Sequence& warmed(const Test& test);
  /// On to the depth of the test.
  void read(Sequence& sequence, const Test& test);
  double repeat(const Test& test, ForwardPass& pass, std::vector<Sequence>& sequences);

  Model model_;
  SequenceOptions options_;
  const kernels::Table* kernels_;
  Logits wanted_;
  std::map<std::int64_t, Sequence> warmed_;  // by depth
};

}  // namespace griffin::bench
