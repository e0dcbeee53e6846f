// SPDX-License-Identifier: Apache-2.0
// Kernels that stream over rows: all arrays from memory, 512 rows of them.
#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::Table;

/// What an element of a kernel costs: bytes of all arrays, and operations, where exp, tanh and the
/// like count as one.
struct PerElement {
  double bytes;
  double flops;
  int arrays_read;
};

Work work_of(const Table& table, std::int64_t elements, const PerElement& one) {
  const auto n = static_cast<double>(elements);
  return {one.bytes * n, one.flops * n, Operand::f32, &table, one.arrays_read, n};
}

void run_conv1d(Lab& lab, benchmark::State& state, const Table& table) {
  Streams arrays(lab, chunk * lru_width, 2);
  Buffer weight = random_floats((taps + 1) * lru_width);
  Buffer past = random_floats((taps - 1) * lru_width);
  lab.measure(state, work_of(table, chunk * lru_width, {8, 2.0 * taps, 1}), [&] {
    parallel_for(lab.threads(), lru_width, 16, [&](std::int64_t begin, std::int64_t end) {
      table.conv1d({.x = arrays[0],
                    .x_stride = lru_width,
                    .weight = floats(weight),
                    .bias = floats(weight) + taps * lru_width,
                    .state = floats(past),
                    .width = lru_width,
                    .y = arrays[1],
                    .y_stride = lru_width,
                    .position = chunk,
                    .rows = chunk,
                    .taps = taps,
                    .begin = begin,
                    .end = end});
    });
    arrays.next();
  });
}

void run_rms_norm(Lab& lab, benchmark::State& state, const Table& table) {
  Streams arrays(lab, chunk * width, 2);
  Buffer weight = random_floats(width);
  lab.measure(state, work_of(table, chunk * width, {8, 4, 1}), [&] {
    parallel_for(lab.threads(), chunk, 1, [&](std::int64_t begin, std::int64_t end) {
      table.rms_norm({.x = arrays[0] + begin * width,
                      .x_stride = width,
                      .weight = floats(weight),
                      .y = arrays[1] + begin * width,
                      .y_stride = width,
                      .rows = end - begin,
                      .width = width,
                      .eps = 1e-6F});
    });
    arrays.next();
  });
}

template <Activation activation>
void run_gate(Lab& lab, benchmark::State& state, const Table& table) {
  const std::int64_t count = chunk * mlp_width;
  Streams arrays(lab, count, 3);
  lab.measure(state, work_of(table, count, {12, 8, 2}), [&] {
    parallel_for(lab.threads(), count, 16, [&](std::int64_t begin, std::int64_t end) {
      table.activation_gate({.activation = activation,
                             .gate = arrays[0] + begin,
                             .gate_stride = 0,
                             .value = arrays[1] + begin,
                             .value_stride = 0,
                             .y = arrays[2] + begin,
                             .y_stride = 0,
                             .rows = 1,
                             .width = end - begin});
    });
    arrays.next();
  });
}

void run_rope(Lab& lab, benchmark::State& state, const Table& table) {
  const std::int64_t row = heads * head_dim;
  Streams arrays(lab, chunk * row, 1);
  Buffer frequency = random_floats(rotated_pairs);
  Buffer cos_sin = random_floats(chunk * 2 * rotated_pairs);
  table.rope_angles({.position = 0,
                     .frequency = floats(frequency),
                     .cos_sin = floats(cos_sin),
                     .rows = chunk,
                     .pairs = rotated_pairs});
  // the other half of a head is not touched
  const std::int64_t rotated = chunk * heads * 2 * rotated_pairs;
  lab.measure(state, work_of(table, rotated, {8, 3, 1}), [&] {
    parallel_for(lab.threads(), chunk, 1, [&](std::int64_t begin, std::int64_t end) {
      table.rope({.x = arrays[0] + begin * row,
                  .x_stride = row,
                  .cos_sin = floats(cos_sin) + begin * 2 * rotated_pairs,
                  .rows = end - begin,
                  .heads = heads,
                  .head_dim = head_dim,
                  .pairs = rotated_pairs});
    });
    arrays.next();
  });
}

void run_soft_cap(Lab& lab, benchmark::State& state, const Table& table) {
  Streams arrays(lab, vocab, 1);
  lab.measure(state, work_of(table, vocab, {8, 3, 1}), [&] {
    parallel_for(lab.threads(), vocab, 16, [&](std::int64_t begin, std::int64_t end) {
      table.soft_cap({.x = arrays[0] + begin, .count = end - begin, .cap = 30.0F});
    });
    arrays.next();
  });
}

void run_widen(Lab& lab, benchmark::State& state, const Table& table, Dtype storage) {
  const std::int64_t count = chunk * width;
  const std::int64_t size = storage == Dtype::f32 ? 4 : 2;
  Cycle from(lab, static_cast<std::size_t>(count * size));
  Streams to(lab, count, 1);
  const PerElement one = {static_cast<double>(size + 4), 0, 1};
  lab.measure(state, work_of(table, count, one), [&] {
    const std::byte* source = from.next();
    parallel_for(lab.threads(), count, 16, [&](std::int64_t begin, std::int64_t end) {
      table.widen[static_cast<std::size_t>(storage)](
          {.from = source + begin * size, .to = to[0] + begin, .count = end - begin});
    });
    to.next();
  });
}

void run_narrow_bf16(Lab& lab, benchmark::State& state, const Table& table) {
  const std::int64_t count = chunk * width;
  Streams arrays(lab, count, 2);
  lab.measure(state, work_of(table, count, {6, 0, 1}), [&] {
    auto* to = reinterpret_cast<std::byte*>(arrays[1]);
    parallel_for(lab.threads(), count, 32, [&](std::int64_t begin, std::int64_t end) {
      table.narrow_bf16({.from = arrays[0] + begin, .to = to + 2 * begin, .count = end - begin});
    });
    arrays.next();
  });
}

using Run = void (*)(Lab&, benchmark::State&, const Table&);

/// Unless it is the kernel of the table below.
void add(Lab& lab, const std::string& name, Run run, const Table& table, bool same) {
  if (same) return;
  add_benchmark(name + "/" + table.name,
                [&lab, run, &table](benchmark::State& state) { run(lab, state, table); });
}

void add_widen(Lab& lab, const Table& table, const Table* below) {
  for (int s = 0; s < kernels::float_dtypes; ++s) {
    if (below != nullptr && below->widen[s] == table.widen[s]) continue;
    const auto storage = static_cast<Dtype>(s);
    add_benchmark(std::string("widen/") + name_of(storage) + "/rows:512/width:2560/" + table.name,
                  [&lab, &table, storage](benchmark::State& state) {
                    run_widen(lab, state, table, storage);
                  });
  }
}

}  // namespace

void add_elementwise(Lab& lab) {
  static_assert(chunk == 512 && width == 2560 && lru_width == 2560 && mlp_width == 7680);
  static_assert(vocab == 256000 && heads == 10);
  for_each_table([&](const Table& table, const Table* below) {
    const auto same = [&](auto kernel) {
      return below != nullptr && below->*kernel == table.*kernel;
    };
    add(lab, "conv1d/rows:512/width:2560", run_conv1d, table, same(&Table::conv1d));
    add(lab, "rms_norm/rows:512/width:2560", run_rms_norm, table, same(&Table::rms_norm));
    const bool gates_alike = same(&Table::activation_gate);
    add(lab, "gelu_gate/rows:512/width:7680", run_gate<Activation::gelu_tanh>, table, gates_alike);
    add(lab, "gelu_erf_gate/rows:512/width:7680", run_gate<Activation::gelu_erf>, table,
        gates_alike);
    add(lab, "silu_gate/rows:512/width:7680", run_gate<Activation::silu>, table, gates_alike);
    add(lab, "rope/rows:512/heads:10", run_rope, table, same(&Table::rope));
    add(lab, "soft_cap/count:256000", run_soft_cap, table, same(&Table::soft_cap));
    add(lab, "narrow_bf16/rows:512/width:2560", run_narrow_bf16, table, same(&Table::narrow_bf16));
    add_widen(lab, table, below);
  });
}

}  // namespace griffin::bench
