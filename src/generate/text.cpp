// SPDX-License-Identifier: Apache-2.0
#include "generate/text.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/generate/prompt_lookup.h"
#include "griffin/state/journal.h"

namespace griffin {

void require_lookup(std::int64_t lookup, const char* whose) {
  constexpr std::int64_t most = 64;
  if (lookup >= 0 && lookup <= most) return;
  throw Error(ErrorCode::invalid_argument, std::string(whose) + ": lookup: expected 0 to " +
                                               std::to_string(most) + ", found " +
                                               std::to_string(lookup));
}

void Text::begin(std::span<const std::int32_t> prompt, Sequence& sequence, std::int64_t lookup) {
  prompt_ = prompt;
  sequence_ = &sequence;
  generation.begin(prompt);
  rows_.reserve(static_cast<std::size_t>(1 + lookup));
  if (lookup == 0) return;
  journal_ = std::make_unique<Journal>(sequence.layout(), 1 + lookup);
  history_.reserve(prompt.size() + generation.tokens().capacity());
  history_.assign(prompt.begin(), prompt.end());
}

void Text::add_to(ForwardPass& pass, std::int64_t most) {
  const std::int64_t left = generation.prompt_left();
  if (left > 0) {
    reading_ = std::min(most, left);
    logit_rows_ = reading_ == left ? 1 : 0;
    pass.add(*sequence_,
             prompt_.subspan(static_cast<std::size_t>(generation.prompt_done()),
                             static_cast<std::size_t>(reading_)),
             logit_rows_ == 1 ? Logits::last : Logits::none);
    return;
  }
  guess(most);
  logit_rows_ = std::ssize(rows_);
  if (logit_rows_ == 1) {
    pass.add(*sequence_, rows_);
  } else {
    pass.try_out(*sequence_, rows_, *journal_);
  }
}

/// The token to be fed, and guesses: as many as the text, its sequence and the pass have room for.
void Text::guess(std::int64_t most) {
  const auto& tokens = generation.tokens();
  rows_.assign(1, tokens.back());
  if (journal_ == nullptr) return;
  const auto known = static_cast<std::int64_t>(history_.size() - prompt_.size());
  try {
    history_.insert(history_.end(), tokens.begin() + known, tokens.end());
  } catch (const std::bad_alloc&) {
    return;  // a text of more than 65536 tokens, and no memory: it goes on without guesses
  }
  most = std::min({most, journal_->max_rows(), generation.room(),
                   sequence_->layout().furthest() - sequence_->position()});
  rows_.resize(static_cast<std::size_t>(std::max<std::int64_t>(most, 1)));
  const std::int64_t count = guess_by_lookup(history_, std::span(rows_).subspan(1));
  rows_.resize(static_cast<std::size_t>(1 + count));
}

bool Text::was_read() noexcept {
  const std::int64_t count = std::exchange(reading_, 0);
  return count == 0 || goes_on([&] { return generation.prompt_was_fed(count); });
}

bool Text::choose(MatrixView logits, SamplerScratch& scratch) noexcept {
  const std::int64_t before = generation.fed_back();
  const bool chosen = goes_on([&] { return choose_by_row(logits, scratch); });
  if (rows_.size() <= 1) return chosen;
  const std::int64_t right = generation.fed_back() - before;
  const bool committed = goes_on([&] { return journal_->commit(*sequence_, right), true; });
  return chosen && committed;
}

bool Text::choose_by_row(MatrixView logits, SamplerScratch& scratch) {
  Result& result = generation.result();
  const auto choose = [&](std::int64_t row) {
    return generation.choose({logits.row(row), static_cast<std::size_t>(logits.cols)}, scratch);
  };
  if (rows_.empty()) return choose(0);  // the prompt's last
  ++result.decode_passes;
  result.guessed += logits.rows - 1;
  for (std::int64_t row = 0;; ++row, ++result.accepted) {
    ++result.fed_back;
    if (!choose(row)) return false;
    const auto next = static_cast<std::size_t>(row + 1);
    if (next == rows_.size() || rows_[next] != generation.next()) return true;
  }
}

}  // namespace griffin
