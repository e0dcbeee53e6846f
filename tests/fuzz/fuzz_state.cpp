// SPDX-License-Identifier: Apache-2.0
// Any bytes as a saved state with checksums that are right: a sequence that is where it may be and
// is saved to the same bytes again, or griffin::Error. The input is what differs from a sound
// state (exclusive or), so that no input has to find the model's numbers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "formats/checksum.h"
#include "griffin/core/error.h"
#include "griffin/state/sequence.h"

namespace {

constexpr std::size_t header_bytes = 72;
constexpr std::size_t body_checksum_at = 56;
constexpr std::size_t header_checksum_at = 64;

griffin::StateLayout layout() {
  return {.slots = {{.held = 48, .tried = 16},
                    {.held = 16, .tried = 16},
                    {.rings = 2, .ring_rows = 4, .row_width = 8}},
          .model = 7};
}

std::string sound_state() {
  griffin::Sequence sequence(layout());
  sequence.advance(6);
  std::ostringstream out;
  sequence.save(out, std::vector<std::int32_t>{1, 2, 3});
  return out.str();
}

void put_checksum(std::string& state, std::size_t at, std::size_t begin, std::size_t end) {
  const auto all = std::as_bytes(std::span(state.data(), state.size()));
  const std::uint64_t sum = griffin::checksum(all.subspan(begin, end - begin));
  std::memcpy(&state[at], &sum, sizeof sum);
}

std::string forged(const std::uint8_t* data, std::size_t size) {
  std::string state = sound_state();
  state.resize(std::max(state.size(), size));
  for (std::size_t i = 0; i < size; ++i) state[i] = static_cast<char>(state[i] ^ data[i]);
  put_checksum(state, body_checksum_at, header_bytes, state.size());
  put_checksum(state, header_checksum_at, 0, header_checksum_at);
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string state = forged(data, size);
  griffin::Sequence sequence(layout());
  try {
    std::istringstream in(state);
    const auto unread = sequence.restore(in);
    if (sequence.position() < 0 || sequence.position() > griffin::furthest_position) std::abort();
    std::ostringstream out;
    sequence.save(out, unread);
    if (out.str() != state) std::abort();
  } catch (const griffin::Error&) {
    if (sequence.position() != 0) std::abort();
  }
  return 0;
}
