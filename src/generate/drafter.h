// SPDX-License-Identifier: Apache-2.0
// The draft model: reads texts along, and guesses what they go on with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "generate/guess_pace.h"
#include "griffin/generate/draft.h"
#include "griffin/generate/sampler.h"
#include "griffin/model/forward_pass.h"
#include "griffin/state/pool.h"
#include "griffin/state/rewind.h"

namespace griffin {

class Text;

/// What the draft model knows of a text: the first `read` tokens of its history, and for as long as
/// a pass tries them some of the guesses.
class Draft {
 public:
  Draft(SequencePool::Handle from, std::int64_t guesses)
      : sequence_(std::move(from)), steps_(sequence_->layout(), guesses) {}

  Sequence& sequence() noexcept { return *sequence_; }
  std::int64_t read() const noexcept { return read_; }
  /// What it knows, if that is all of the first so many tokens or a part of them: else null.
  const Sequence* known_of(std::int64_t tokens) const noexcept {
    return tried_ == 0 && sequence_->position() <= tokens ? sequence_.get() : nullptr;
  }

  /// `count` tokens of the history are in a pass.
  void note_read(std::int64_t count) noexcept { read_ += count; }
  /// The sequence is to consume a guess.
  void note_step() {
    steps_.note(*sequence_);
    ++tried_;
  }
  /// `right` guesses became part of the text: forgets the others.
  void keep(std::int64_t right);

  /// As the draft of a text that goes on as that one's does.
  void copy_from(const Draft& other);
  /// Starts over, from what was kept of it, or from nothing.
  void begin(const Snapshot* from);
  /// What comes now is another history.
  void follow() noexcept { read_ = 0; }

 private:
  SequencePool::Handle sequence_;
  Rewind steps_;
  std::int64_t read_ = 0;
  std::int64_t tried_ = 0;
};

class Drafter {
 public:
  /// What one text is to get in the passes at hand.
  struct Turn {
    Text* text;
    std::int64_t guesses;
  };

  /// For passes of up to `forward.max_rows` rows; their times go to `pace`. Throws what ForwardPass
  /// does.
  Drafter(const DraftOptions& options, const ForwardOptions& forward, std::int64_t texts,
          GuessPace& pace);

  /// Makes room for texts in sequences of such a layout, once; those of another must be gone.
  /// Throws what SequencePool and Model::state_layout do, and has then room for none.
  void make_room(const StateLayout& layout);

  /// For a text that begins, in that room. Throws Error(capacity) where there is not enough memory.
  std::unique_ptr<Draft> new_draft();

  /// Guesses that there is room for once so many more tokens are read.
  std::int64_t room(Draft& draft, std::int64_t unread) const noexcept;

  /// Reads what is unread of texts that are to have guesses, and of others what the pace allows,
  /// and guesses. What on_guess throws ends its text.
  void run(std::span<const Turn> turns);

  std::uint64_t passes() const noexcept { return passes_; }
  std::uint64_t rows() const noexcept { return passed_rows_; }

 private:
  void read(std::span<const Turn> turns);
  std::int64_t read(Text& text, std::int64_t most, Logits at_end);
  bool guess_on(std::span<const Turn> turns);
  void run_pass(std::int64_t unasked);
  std::int32_t guess_of(const Text& text, std::span<float> logits);

  Model model_;
  std::int64_t most_;
  std::function<std::int32_t(std::int64_t, std::int32_t)> on_guess_;
  std::int64_t texts_;
  GuessPace& pace_;
  ForwardPass pass_;
  SamplerScratch scratch_;
  std::optional<StateLayout> layout_;  // of the model's sequences that there is room for
  std::optional<SequencePool> pool_;
  std::vector<Text*> guessing_;  // in the order of their logits
  std::uint64_t passes_ = 0;
  std::uint64_t passed_rows_ = 0;
};

}  // namespace griffin
