// SPDX-License-Identifier: Apache-2.0
// Kernels that look something up: the largest logit, rows of the embedding table, angles.
#include <array>
#include <vector>

#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::Table;

/// By one thread, whatever --threads says: the kernel cannot be split.
void run_argmax(Lab& lab, benchmark::State& state, const Table& table) {
  Streams logits(lab, vocab, 1);
  const auto n = static_cast<double>(vocab);
  lab.measure(state, {4 * n, n, Operand::f32, &table, 0, n}, [&] {
    benchmark::DoNotOptimize(table.argmax({.x = logits[0], .count = vocab}));
    logits.next();
  });
}

/// In the caches: what limits it is sine and cosine in float64.
void run_rope_angles(Lab& lab, benchmark::State& state, const Table& table) {
  Buffer frequency = random_floats(rotated_pairs);
  Buffer cos_sin = random_floats(chunk * 2 * rotated_pairs);
  const auto n = static_cast<double>(chunk * 2 * rotated_pairs);
  lab.measure(state, {4 * n, 2 * n, Operand::f32, &table, 1, n}, [&] {
    parallel_for(lab.threads(), chunk, 1, [&](std::int64_t begin, std::int64_t end) {
      table.rope_angles({.position = window + begin,
                         .frequency = floats(frequency),
                         .cos_sin = floats(cos_sin) + begin * 2 * rotated_pairs,
                         .rows = end - begin,
                         .pairs = rotated_pairs});
    });
  });
}

std::int64_t table_bytes(Dtype storage) {
  const std::int64_t blocks = vocab / kernels::panel_rows * kernels::groups_of(width);
  static_assert(vocab % kernels::panel_rows == 0);
  const std::array<std::int64_t, kernels::dtypes> bytes = {
      vocab * width * 4, vocab * width * 2, vocab * width * 2, blocks * kernels::int8_block,
      blocks * kernels::int4_block};
  return bytes[static_cast<std::size_t>(storage)];
}

/// Other rows each time.
void run_embed(Lab& lab, benchmark::State& state, const Table& table, Dtype storage) {
  const std::int64_t bytes = table_bytes(storage);
  const std::byte* embedding = lab.weights(static_cast<std::size_t>(bytes));
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(chunk));
  Streams y(lab, chunk * width, 1);
  std::uint32_t token = 1;
  const auto n = static_cast<double>(chunk * width);
  const double read = static_cast<double>(bytes) / static_cast<double>(vocab * width);
  lab.measure(state, {(read + 4) * n, n, Operand::f32, &table, 1, n}, [&] {
    for (std::int32_t& t : tokens) {
      token = token * 1664525U + 1013904223U;
      t = static_cast<std::int32_t>((token >> 8U) % static_cast<std::uint32_t>(vocab));
    }
    parallel_for(lab.threads(), chunk, 1, [&](std::int64_t begin, std::int64_t end) {
      table.embed[static_cast<std::size_t>(storage)]({.table = embedding,
                                                      .tokens = tokens.data() + begin,
                                                      .y = y[0] + begin * width,
                                                      .y_stride = width,
                                                      .rows = end - begin,
                                                      .width = width,
                                                      .scale = 50.0F});
    });
    y.next();
  });
}

void add_embed(Lab& lab, const Table& table, const Table* below) {
  for (int s = 0; s < kernels::dtypes; ++s) {
    if (below != nullptr && below->embed[s] == table.embed[s]) continue;
    const auto storage = static_cast<Dtype>(s);
    add_benchmark(std::string("embed/") + name_of(storage) + "/rows:" + std::to_string(chunk) +
                      "/width:" + std::to_string(width) + "/" + table.name,
                  [&lab, &table, storage](benchmark::State& state) {
                    run_embed(lab, state, table, storage);
                  });
  }
}

}  // namespace

void add_lookups(Lab& lab) {
  for_each_table([&](const Table& table, const Table* below) {
    if (below == nullptr || below->argmax != table.argmax) {
      add_benchmark("argmax/count:" + std::to_string(vocab) + "/" + table.name,
                    [&](benchmark::State& state) { run_argmax(lab, state, table); });
    }
    if (below == nullptr || below->rope_angles != table.rope_angles) {
      add_benchmark("rope_angles/rows:" + std::to_string(chunk) +
                        "/pairs:" + std::to_string(rotated_pairs) + "/" + table.name,
                    [&](benchmark::State& state) { run_rope_angles(lab, state, table); });
    }
    add_embed(lab, table, below);
  });
}

}  // namespace griffin::bench
