// SPDX-License-Identifier: Apache-2.0
// The one exception type of the library.
#pragma once

#include <stdexcept>
#include <string>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

enum class ErrorCode {
  invalid_argument,  // the caller asked for something that has no meaning
  io,                // a file could not be opened, read or written
  format,            // a file is not what its name says: damaged, hostile or of another kind
  mismatch,          // a file is well formed but disagrees with the config or with another file
  unsupported,       // well formed, but outside what this library implements
  capacity,          // more rows, tokens or logits than were reserved
  cancelled,         // a callback asked to stop
};

/// Thrown when an object is built or a pass is put together; ForwardPass::run never throws. The
/// message is one line naming file, tensor, expected and found, as far as they apply.
///
/// The library throws one thing beside it: std::bad_alloc, from anything that may take memory.
/// Where much is taken at once (weights, states, the memory of a pass) Error(capacity) says so
/// instead, and Error(io) where the system had none for a file. Objects and files stay whole, and
/// the token path takes none. Others do not survive a lack of memory: SentencePiece may crash
/// within Tokenizer::load and encode (not for a tokenizer.json, nor in decode), and glibc ends the
/// process where it has none for a thread that has work for helpers for the first time.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace griffin
