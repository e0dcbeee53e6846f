// SPDX-License-Identifier: Apache-2.0
#include "support/runs.h"

#include <algorithm>

namespace griffin::test {
namespace {

void append(std::vector<std::byte>& to, const void* from, std::size_t bytes) {
  const auto* first = static_cast<const std::byte*>(from);
  to.insert(to.end(), first, first + bytes);
}

}  // namespace

std::vector<float> run_in_chunks(ForwardPass& pass, Sequence& sequence, Tokens tokens,
                                 std::span<const std::int64_t> lengths) {
  std::vector<float> all;
  for (std::size_t next = 0; !tokens.empty(); ++next) {
    const auto length = static_cast<std::size_t>(lengths[next % lengths.size()]);
    const std::size_t count = std::min(length, tokens.size());
    pass.add(sequence, tokens.first(count), Logits::all);
    const ConstMatrixView logits = pass.run();
    for (std::int64_t row = 0; row < logits.rows; ++row) {
      all.insert(all.end(), logits.row(row), logits.row(row) + logits.cols);
    }
    tokens = tokens.subspan(count);
  }
  return all;
}

std::vector<float> run_at_once(ForwardPass& pass, Sequence& sequence, Tokens tokens) {
  const auto length = static_cast<std::int64_t>(tokens.size());
  return run_in_chunks(pass, sequence, tokens, {&length, 1});
}

ForwardPass pass_for(const Model& model, const kernels::Table& table, std::int64_t max_rows,
                     int threads) {
  ForwardOptions options;
  options.threads = threads;
  options.work_per_thread = 1;  // share even the smallest work
  options.max_rows = max_rows;
  options.max_logits = max_rows;
  options.kernels = &table;
  return ForwardPass(model, options);
}

std::vector<std::int32_t> continue_greedily(ForwardPass& pass, Sequence& sequence, Tokens prompt,
                                            std::int64_t count) {
  std::vector<std::int32_t> tokens;
  pass.add(sequence, prompt);
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(pass.argmax(pass.run(), 0));
    if (i + 1 < count) pass.add(sequence, {&tokens.back(), 1});
  }
  return tokens;
}

std::vector<std::byte> state_of(Sequence& sequence) {
  std::vector<std::byte> bytes;
  for (std::size_t slot = 0; slot < sequence.layout().slots.size(); ++slot) {
    const StateShape& shape = sequence.layout().slots[slot];
    const LayerState state = sequence.state(static_cast<std::int64_t>(slot));
    append(bytes, state.held.data(), state.held.size_bytes());
    const std::int64_t oldest = sequence.position() - shape.used_rows(sequence.position());
    for (std::int64_t p = oldest; p < sequence.position() && shape.rings > 0; ++p) {
      const auto row = static_cast<std::size_t>(p % shape.ring_rows);
      for (std::int64_t ring = 0; ring < shape.rings; ++ring) {
        append(bytes, state.ring(ring) + row * shape.row_bytes(), shape.row_bytes());
      }
    }
  }
  return bytes;
}

}  // namespace griffin::test
