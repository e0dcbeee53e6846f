// SPDX-License-Identifier: Apache-2.0
// Any bytes as a saved state with checksums that are right, by every door: a sequence that is where
// it may be and is saved to the same bytes again, or griffin::Error and a sequence as it was. The
// input is what differs from a sound state (exclusive or), so that none has to find the model's
// numbers; its first byte says how much is cut off the end, its second of what layout the sequence
// is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "formats/checksum.h"
#include "fuzz/memory_file.h"
#include "fuzz/target.h"
#include "griffin/state/sequence.h"

namespace griffin::fuzz {
namespace {

constexpr std::size_t unread_at = 40;
constexpr std::size_t state_bytes_at = 48;
constexpr std::size_t body_checksum_at = 56;
constexpr std::size_t header_checksum_at = 64;
constexpr std::size_t header_bytes = 72;

StateLayout layout(unsigned kind) {
  const Dtype kv = kind / 2 % 2 == 0 ? Dtype::f32 : Dtype::bf16;
  return {.slots = {{.held = 48, .tried = 16},
                    {.held = 16, .tried = 16},
                    {.rings = 2, .ring_rows = 4, .row_width = 8, .row_type = kv}},
          .capacity = kind % 2 == 0 ? unlimited_capacity : 8,
          .kv = kv,
          .model = 7};
}

std::string sound_state(const StateLayout& layout) {
  Sequence sequence(layout);
  sequence.advance(6);
  std::ostringstream out;
  sequence.save(out, std::vector<std::int32_t>{1, 2, 3});
  return out.str();
}

std::uint64_t number_at(const std::string& state, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, &state[at], sizeof number);
  return number;
}

void put_checksum(std::string& state, std::size_t at, std::size_t begin, std::size_t end) {
  const auto all = std::as_bytes(std::span(state.data(), state.size()));
  const std::uint64_t sum = checksum(all.subspan(begin, end - begin));
  std::memcpy(&state[at], &sum, sizeof sum);
}

std::string forged(std::string state, std::string_view difference, std::size_t cut) {
  state.resize(std::max(state.size(), difference.size()));
  for (std::size_t i = 0; i < difference.size(); ++i) {
    state[i] = static_cast<char>(state[i] ^ difference[i]);
  }
  state.resize(state.size() - std::min(cut, state.size()));
  if (state.size() < header_bytes) return state;
  const std::size_t left = state.size() - header_bytes;
  const std::uint64_t said = 4 * number_at(state, unread_at) + number_at(state, state_bytes_at);
  put_checksum(state, body_checksum_at, header_bytes,
               header_bytes + static_cast<std::size_t>(std::min<std::uint64_t>(said, left)));
  put_checksum(state, header_checksum_at, 0, header_checksum_at);
  return state;
}

/// Whether restore() took the state on.
template <class Restore>
bool restores(const StateLayout& layout, const std::string& state, const Restore& restore) {
  Sequence sequence(layout);
  std::vector<std::int32_t> unread;
  if (!accepts([&] { unread = restore(sequence); })) {
    require(sequence.position() == 0);
    return false;
  }
  require(sequence.position() >= 0 && sequence.position() <= layout.furthest());
  std::ostringstream out;
  sequence.save(out, unread);
  require(state.starts_with(out.str()));
  return true;
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const griffin::StateLayout layout = griffin::fuzz::layout(data[1]);
  const std::string state = forged(sound_state(layout), text_of(data, size).substr(2), data[0]);
  std::istringstream in(state);
  const bool streamed =
      restores(layout, state, [&](griffin::Sequence& sequence) { return sequence.restore(in); });
  static const MemoryFile file;
  file.put(state);
  const bool filed = restores(
      layout, state, [&](griffin::Sequence& sequence) { return sequence.restore(file.path()); });
  require(streamed || !filed);  // a file, unlike a stream, ends with the state
  const bool has_position = accepts([&] { griffin::Sequence::saved_position(file.path()); });
  require(has_position || !filed);
  return 0;
}
