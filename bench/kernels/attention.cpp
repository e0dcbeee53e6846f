// SPDX-License-Identifier: Apache-2.0
// Local attention with a full window: one row of decoding, and a chunk of a prompt.
#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::Table;

/// Where the window has just been filled.
constexpr std::int64_t position = window;

/// Keys and values of the ring once, and a score and a value of every key for every row and head.
Work work_of(const Table& table, std::int64_t rows, std::int64_t row_bytes) {
  const std::int64_t seen = window + 1;
  return {static_cast<double>(2 * window * row_bytes),
          4.0 * static_cast<double>(rows * heads * seen * head_dim), Operand::f32, &table};
}

void run_attention(Lab& lab, benchmark::State& state, const Table& table, Dtype storage,
                   std::int64_t rows) {
  const std::int64_t row_bytes = head_dim * (storage == Dtype::f32 ? 4 : 2);
  const std::int64_t stride = heads * head_dim;
  Buffer q = random_floats(rows * stride);
  Buffer y(static_cast<std::size_t>(rows * stride) * sizeof(float));
  // the ring's keys and values, then the chunk's
  Cycle stored(lab, static_cast<std::size_t>(2 * (window + rows) * row_bytes));
  lab.measure(state, work_of(table, rows, row_bytes), [&] {
    const std::byte* ring = stored.next();
    const std::byte* fresh = ring + 2 * window * row_bytes;
    const auto part = [&](std::int64_t row_begin, std::int64_t row_end, std::int64_t head_begin,
                          std::int64_t head_end, int worker) {
      table.attention[static_cast<std::size_t>(storage)]({.q = floats(q),
                                                          .q_stride = stride,
                                                          .chunk_keys = fresh,
                                                          .chunk_values = fresh + rows * row_bytes,
                                                          .ring_keys = ring,
                                                          .ring_values = ring + window * row_bytes,
                                                          .kv_stride = head_dim,
                                                          .ring_rows = window,
                                                          .position = position,
                                                          .window = window,
                                                          .scale = 0.0625F,
                                                          .y = floats(y),
                                                          .y_stride = stride,
                                                          .head_dim = head_dim,
                                                          .group = heads,
                                                          .row_begin = row_begin,
                                                          .row_end = row_end,
                                                          .head_begin = head_begin,
                                                          .head_end = head_end,
                                                          .scratch = lab.scratch(worker)});
    };
    if (rows == 1) {
      parallel_for(lab.threads(), heads, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
        part(0, 1, begin, end, worker);
      });
    } else {
      parallel_for(lab.threads(), rows, 1, [&](std::int64_t begin, std::int64_t end, int worker) {
        part(begin, end, 0, heads, worker);
      });
    }
  });
}

}  // namespace

void add_attention(Lab& lab) {
  for_each_table([&](const Table& table, const Table* below) {
    for (int s = 0; s < kernels::float_dtypes; ++s) {
      if (below != nullptr && below->attention[s] == table.attention[s]) continue;
      for (const std::int64_t rows : {std::int64_t{1}, chunk}) {
        const auto storage = static_cast<Dtype>(s);
        add_benchmark(std::string("attention/") + name_of(storage) +
                          "/rows:" + std::to_string(rows) + "/window:" + std::to_string(window) +
                          "/heads:" + std::to_string(heads) + "/" + table.name,
                      [&lab, &table, storage, rows](benchmark::State& state) {
                        run_attention(lab, state, table, storage, rows);
                      });
      }
    }
  });
}

}  // namespace griffin::bench
