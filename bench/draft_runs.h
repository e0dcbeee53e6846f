// SPDX-License-Identifier: Apache-2.0
// Decoding with a draft model and without one, in turns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "griffin/generate/draft.h"
#include "griffin/model/model.h"
#include "runs.h"

namespace griffin::bench {

/// One row of the report.
struct DraftTest {
  Test test = {};                     // Kind::decode; `chunk` rows of a pass at most
  std::int64_t most = 8;              // guesses of a pass
  std::optional<double> accept = {};  // the chance that a guess is right; none: it is real
  Guessing guessing = Guessing::adapted;
};

/// Sums over texts: a pass of several counts for each of them.
struct Counts {
  std::int64_t decoded = 0;  // tokens
  std::int64_t passes = 0;   // of the model, after the prompt
  std::int64_t draft_passes = 0;
  std::int64_t guessed = 0;
  std::int64_t accepted = 0;

  Counts& operator+=(const Counts& other) noexcept;
};

/// What came of a test.
struct DraftRuns {
  std::vector<double> plain = {};    // tokens/s of every repetition
  std::vector<double> drafted = {};  // the same
  std::vector<double> ratios = {};   // drafted / plain
  Counts counts = {};                // of all drafted repetitions

  double accepted_share() const noexcept { return share(counts.accepted, counts.guessed); }
  double guesses_a_pass() const noexcept { return share(counts.guessed, counts.passes); }
  double tokens_a_pass() const noexcept { return share(counts.decoded, counts.passes); }
  double draft_passes_a_pass() const noexcept { return share(counts.draft_passes, counts.passes); }
  /// What the ratio would be if a pass took as long as reading its weights, so many bytes.
  double ratio_by_bytes(double model, double draft) const noexcept {
    return tokens_a_pass() / (1.0 + draft_passes_a_pass() * draft / model);
  }

 private:
  static double share(std::int64_t a, std::int64_t b) noexcept {
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
  }
};

/// Throws Error(mismatch) where a text is not the plain one: then what was measured is wrong.
void require_same_text(std::span<const std::int32_t> plain, std::span<const std::int32_t> found,
                       const std::string& what);

/// Texts are greedy continuations of one prompt, with sequences made with `options`, and end after
/// so many tokens as the test says, whatever they are. One text is a Generator's, several are a
/// Scheduler's; the same one tells all repetitions, after one text that does not count. Throws what
/// these do, Error(cancelled) on Ctrl-C, and as require_same_text() does.
DraftRuns measure_drafts(const Model& model, const Model& draft, const SequenceOptions& options,
                         const DraftTest& test, int repetitions);

}  // namespace griffin::bench
