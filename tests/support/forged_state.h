// SPDX-License-Identifier: Apache-2.0
// Saved states made by somebody who knows the checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <sstream>
#include <string>

#include "formats/checksum.h"
#include "griffin/state/sequence.h"

namespace griffin::test {

/// Offsets of the header's fields.
namespace state_header {
constexpr std::size_t version_at = 8;
constexpr std::size_t kv_at = 12;
constexpr std::size_t slots_at = 24;
constexpr std::size_t position_at = 32;
constexpr std::size_t unread_at = 40;
constexpr std::size_t state_bytes_at = 48;
constexpr std::size_t checksums_at = 56;  // of the body, of the header
constexpr std::size_t bytes = 72;
}  // namespace state_header

/// A saved state with another number somewhere and checksums that are right.
template <class Number>
std::string forged(std::string saved, std::size_t at, Number number) {
  const auto put = [&](std::size_t where, auto value) {
    std::memcpy(&saved[where], &value, sizeof value);
  };
  put(at, number);
  const auto all = std::as_bytes(std::span(saved.data(), saved.size()));
  put(state_header::checksums_at, checksum(all.subspan(state_header::bytes)));
  put(state_header::checksums_at + 8, checksum(all.first(state_header::bytes - 8)));
  return saved;
}

/// Puts a sequence to another position, as a forged file would. It must be past its windows.
inline void forge_position(Sequence& sequence, std::int64_t position) {
  std::ostringstream out;
  sequence.save(out);
  std::istringstream in(forged(out.str(), state_header::position_at, position));
  sequence.restore(in);
}

}  // namespace griffin::test
