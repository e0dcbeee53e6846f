// SPDX-License-Identifier: Apache-2.0
// From tokens to text, as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/generate/tokenizer.h"

namespace GRIFFIN_API griffin {

/// Turns ids into text as they come. Held back is what may still become a whole code point or a
/// stop string. One per text, used by one thread at a time. Cost of an id: the bytes of its text,
/// for each a look at every stop string, and once the lengths of the stop strings.
class TextStream {
 public:
  /// The tokenizer must outlive the stream. Throws Error(invalid_argument) for a stop
  /// string that is empty or not UTF-8.
  explicit TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings = {});

  /// The text that `id` completes. The second form appends it, and allocates nothing where `text`
  /// has room.
  std::string push(std::int32_t id);
  void push(std::int32_t id, std::string& text);

  /// What is still held back, with U+FFFD for bytes that belong to no code point, as many as
  /// Tokenizer::decode gives.
  std::string finish();
  void finish(std::string& text);

  /// Whether a stop string came up: the text ends before it, and nothing is handed out any more.
  /// Of several, it is the one that was complete first, whatever the tokens were; of those complete
  /// with the same code point, the longest.
  bool stopped() const noexcept { return stop_ >= 0; }
  /// That string; empty before.
  std::string_view stop_string() const noexcept {
    return stopped() ? stop_strings_[static_cast<std::size_t>(stop_)] : std::string_view{};
  }

 private:
  void take(std::string_view code_point);
  void release(std::string& text);
  std::size_t may_become_a_stop() const noexcept;

  const Tokenizer* tokenizer_;
  std::vector<std::string> stop_strings_;  // longest first
  std::ptrdiff_t stop_ = -1;               // the one that came up
  std::string bytes_;                      // of an incomplete code point
  std::string held_;                       // whole code points, not handed out yet
};

}  // namespace griffin
