// SPDX-License-Identifier: Apache-2.0
// The draft model: reads texts along, and guesses what they go on with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generate/pass_times.h"
#include "griffin/generate/draft.h"
#include "griffin/generate/sampler.h"
#include "griffin/model/forward_pass.h"
#include "griffin/state/pool.h"
#include "griffin/state/rewind.h"

namespace griffin {

class Text;

/// What the draft model knows of a text: the first `read` tokens of its history, and for as long as
/// a pass tries them `tried` of the guesses.
class Draft {
 public:
  Draft(SequencePool::Handle from, std::int64_t guesses)
      : sequence(std::move(from)), steps_(sequence->layout(), guesses) {}

  /// The sequence is to consume a guess.
  void note_step() {
    steps_.note(*sequence);
    ++tried;
  }
  /// `right` guesses became part of the text: forgets the others.
  void keep(std::int64_t right);
  /// As the draft of a text that goes on as that one's does.
  void copy_from(const Draft& other);
  /// Starts over, from what was kept of it, or from nothing.
  void begin(const Snapshot* from);

  SequencePool::Handle sequence;
  std::int64_t read = 0;
  std::int64_t tried = 0;

 private:
  Rewind steps_;
};

class Drafter {
 public:
  /// What one text is to get in the passes at hand.
  struct Turn {
    Text* text;
    std::int64_t guesses;
  };

  /// For passes of up to `forward.max_rows` rows and texts in sequences of such a layout. Throws
  /// what ForwardPass, SequencePool and Model::state_layout do.
  Drafter(const StateLayout& layout, const DraftOptions& options, const ForwardOptions& forward,
          std::int64_t texts);

  /// For a text that begins. Throws Error(capacity) where there is not enough memory.
  std::unique_ptr<Draft> new_draft();

  /// Whether a text may be guessed from now: whether what is unread, and `guesses`, fit.
  std::int64_t room(const Draft& draft, std::int64_t unread) const noexcept;

  /// Reads what is unread of texts that are to have guesses, and of others where it is worth a
  /// pass, and guesses. What on_guess throws ends its text.
  void run(std::span<const Turn> turns);

  const PassTimes& times() const noexcept { return times_; }
  std::uint64_t passes() const noexcept { return passes_; }
  std::uint64_t rows() const noexcept { return passed_rows_; }
  PoolStatistics pool() const { return pool_.statistics(); }

 private:
  void read(std::span<const Turn> turns);
  bool guess_on(std::span<const Turn> turns);
  void run_pass();
  std::int32_t guess_of(const Text& text, std::span<float> logits) const;

  Model model_;
  std::int64_t most_;
  std::function<std::int32_t(std::int64_t, std::int32_t)> on_guess_;
  SequencePool pool_;
  ForwardPass pass_;
  mutable SamplerScratch scratch_;
  PassTimes times_;
  std::vector<Text*> guessing_;  // in the order of their logits
  std::uint64_t passes_ = 0;
  std::uint64_t passed_rows_ = 0;
};

}  // namespace griffin
