// SPDX-License-Identifier: Apache-2.0
// From tokens to text, as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/generate/stop_strings.h"
#include "griffin/generate/tokenizer.h"

namespace GRIFFIN_API griffin {

/// Turns ids into text as they come. Held back is what may still become a whole code point or a
/// stop string. One per text, used by one thread at a time. Cost of an id: the bytes of its text,
/// however many stop strings there are.
class TextStream {
 public:
  /// The tokenizer must outlive the stream. Throws Error(invalid_argument) for a stop
  /// string that is empty or not UTF-8, and for more than StopStrings::most_bytes of them.
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
  bool stopped() const noexcept { return stop_strings_.found() != nullptr; }
  /// That string; empty before.
  std::string_view stop_string() const noexcept {
    const std::string* stop = stop_strings_.found();
    return stop == nullptr ? std::string_view{} : *stop;
  }

 private:
  void take(std::string_view code_point);
  void release(std::string& text);

  const Tokenizer* tokenizer_;
  StopStrings stop_strings_;  // what came up stays: nothing is taken after it
  std::string bytes_;         // of an incomplete code point
  std::string held_;          // whole code points, not handed out yet
};

}  // namespace griffin
