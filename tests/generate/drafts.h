// SPDX-License-Identifier: Apache-2.0
// Drafts that are watched while they guess.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "griffin/generate/draft.h"

namespace griffin::test {

/// The model itself is its draft, so that every guess has to be right, but that some are replaced
/// by others: after these the draft has to be back where the text is, to the bit, or its next guess
/// is wrong. For one text at a time, of which these are the tokens.
class SpoiledDraft {
 public:
  explicit SpoiledDraft(std::vector<std::int32_t> tokens, std::int32_t vocab)
      : expected_(std::move(tokens)), vocab_(vocab) {}

  std::int32_t operator()(std::int64_t index, std::int32_t guess) {
    if (index <= last_) spoiled_ = false;  // another pass
    last_ = index;
    if (!spoiled_ && static_cast<std::size_t>(index) < expected_.size()) {
      ++checked_;
      EXPECT_EQ(guess, expected_[static_cast<std::size_t>(index)]) << "guess " << index;
    }
    if (++calls_ % 3 != 0) return guess;
    spoiled_ = true;
    return (guess + 1) % vocab_;
  }

  int checked() const { return checked_; }

 private:
  std::vector<std::int32_t> expected_;
  std::int32_t vocab_;
  std::int64_t last_ = INT64_MAX;
  bool spoiled_ = false;
  int calls_ = 0;
  int checked_ = 0;
};

}  // namespace griffin::test
