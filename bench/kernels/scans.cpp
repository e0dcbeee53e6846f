// SPDX-License-Identifier: Apache-2.0
// The recurrences, from memory, beside what they could be at best and what others are.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <string>

#include "kernels/associative_scan.h"
#include "kernels/lab.h"
#include "kernels/rg_lru_libm.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::LinearScanArgs;
using kernels::RgLruArgs;
using kernels::Table;

/// Sequences that lie one after the other, each with a state of its own.
struct ScanShape {
  std::int64_t batch;
  std::int64_t rows;  // of a sequence
  std::int64_t width;

  std::int64_t sequence() const noexcept { return rows * width; }
  std::int64_t elements() const noexcept { return batch * sequence(); }
  bool of_paper() const noexcept { return batch > 1; }
};

constexpr ScanShape prompt[] = {{1, 2048, lru_width}};
constexpr ScanShape prompts[] = {{1, 256, lru_width},  {1, 512, lru_width},  {1, 1024, lru_width},
                                 {1, 2048, lru_width}, {1, 4096, lru_width}, {1, 8192, lru_width}};
/// Griffin, figure 8.
constexpr ScanShape paper[] = {
    {8, 1024, 1024}, {8, 2048, 1024}, {8, 4096, 1024}, {8, 8192, 1024}, {8, 16384, 1024}};

constexpr std::int64_t channels_grain = 16;  // a cache line

/// Shares out the channels of all sequences: calls run(sequence, begin, end, worker). Ranges begin
/// at multiples of the grain, which the width is one of.
template <class Run>
void for_channels(int threads, const ScanShape& shape, std::int64_t grain, const Run& run) {
  parallel_for(threads, shape.batch * shape.width, grain,
               [&](std::int64_t begin, std::int64_t end, int worker) {
                 while (begin < end) {
                   const std::int64_t sequence = begin / shape.width;
                   const std::int64_t first = sequence * shape.width;
                   const std::int64_t stop = std::min(end, first + shape.width);
                   run(sequence, begin - first, stop - first, worker);
                   begin = stop;
                 }
               });
}

/// Inputs of the linear scan, with a between -1 and 1.
class LinearScanCase {
 public:
  LinearScanCase(Lab& lab, const ScanShape& shape)
      : shape_(shape),
        arrays_(lab, shape.elements(), 3),
        h_(random_floats(shape.batch * shape.width)) {}

  /// All channels of a sequence.
  LinearScanArgs args(std::int64_t sequence) {
    const std::int64_t at = sequence * shape_.sequence();
    return {.a = arrays_[0] + at,
            .b = arrays_[1] + at,
            .stride = shape_.width,
            .h = floats(h_) + sequence * shape_.width,
            .y = arrays_[2] + at,
            .y_stride = shape_.width,
            .rows = shape_.rows,
            .begin = 0,
            .end = shape_.width};
  }

  /// Calls kernel(args, worker) for the channels of every thread.
  template <class Kernel>
  void run(int threads, std::int64_t grain, const Kernel& kernel) {
    for_channels(threads, shape_, grain,
                 [&](std::int64_t sequence, std::int64_t begin, std::int64_t end, int worker) {
                   LinearScanArgs part = args(sequence);
                   part.begin = begin;
                   part.end = end;
                   kernel(part, worker);
                 });
    arrays_.next();
  }

 private:
  ScanShape shape_;
  Streams arrays_;
  Buffer h_;
};

/// Two arrays in, one out, a multiply-add: every way to compute it is credited with the same work.
Work linear_scan_work(const Table* table, const ScanShape& shape) {
  const auto n = static_cast<double>(shape.elements());
  return {12 * n, 2 * n, Operand::f32, table, 2, n};
}

void run_linear_scan(Lab& lab, benchmark::State& state, const Table& table,
                     const ScanShape& shape) {
  LinearScanCase data(lab, shape);
  lab.measure(state, linear_scan_work(&table, shape), [&] {
    data.run(lab.threads(), channels_grain,
             [&](const LinearScanArgs& args, int) { table.linear_scan(args); });
  });
}

struct Associative {
  const Table* table;  // whose vectors it has
  const char* name;
  AssociativeScan run;
};

/// With the widest vectors that run here.
Associative best_associative() {
#ifdef GRIFFIN_X86
  if (const Table* table = kernels::find_table("avx512")) {
    return {table, "avx512", associative_scan_avx512};
  }
  if (const Table* table = kernels::find_table("avx2")) {
    return {table, "avx2", associative_scan_avx2};
  }
#endif
  return {kernels::find_table("scalar"), "portable", associative_scan_portable};
}

/// Throws unless it computes what the kernel computes.
void check(const LinearScanArgs& args, const Associative& scan, float* scratch) {
  const std::int64_t count = args.rows * args.y_stride;
  Buffer expected(static_cast<std::size_t>(count) * sizeof(float));
  Buffer h(static_cast<std::size_t>(args.end) * sizeof(float));
  std::copy_n(args.h, args.end, floats(h));
  LinearScanArgs reference = args;
  reference.h = floats(h);
  reference.y = floats(expected);
  kernels::find_table(nullptr)->linear_scan(reference);
  scan.run(args, scratch);
  float worst = 0.0F;
  for (std::int64_t i = 0; i < count; ++i) {
    const float error = std::abs(args.y[i] - reference.y[i]) / (1.0F + std::abs(reference.y[i]));
    worst = error <= worst ? worst : error;  // NaN, too, is worst
  }
  if (!(worst < 1e-4F)) {
    throw Error(ErrorCode::mismatch,
                "the associative scan is off by " + std::to_string(worst) + " of linear_scan");
  }
}

void run_associative(Lab& lab, benchmark::State& state, const Associative& scan,
                     const ScanShape& shape) {
  LinearScanCase data(lab, shape);
  const std::int64_t room = scan_scratch(shape.rows);
  Buffer scratch(static_cast<std::size_t>(room * lab.threads()) * sizeof(float), Fill::zeros);
  check(data.args(0), scan, floats(scratch));
  lab.measure(state, linear_scan_work(scan.table, shape), [&] {
    data.run(lab.threads(), scan_strip, [&](const LinearScanArgs& args, int worker) {
      scan.run(args, floats(scratch) + worker * room);
    });
  });
}

/// Inputs of the RG-LRU, with a between 1 / e and 1.
class RgLruCase {
 public:
  RgLruCase(Lab& lab, const ScanShape& shape)
      : shape_(shape),
        arrays_(lab, shape.elements(), 4),
        log_decay_(random_floats(shape.width)),
        h_(random_floats(shape.batch * shape.width)) {
    float* decay = floats(log_decay_);
    for (std::int64_t c = 0; c < shape.width; ++c) decay[c] = -0.5F * (decay[c] + 1.0F);
  }

  /// Calls kernel(args) for the channels of every thread.
  template <class Kernel>
  void run(int threads, const Kernel& kernel) {
    for_channels(threads, shape_, channels_grain,
                 [&](std::int64_t sequence, std::int64_t begin, std::int64_t end, int) {
                   const std::int64_t at = sequence * shape_.sequence();
                   kernel(RgLruArgs{.x = arrays_[0] + at,
                                    .x_stride = shape_.width,
                                    .input_gate = arrays_[1] + at,
                                    .recurrence_gate = arrays_[2] + at,
                                    .gate_stride = shape_.width,
                                    .log_decay = floats(log_decay_),
                                    .h = floats(h_) + sequence * shape_.width,
                                    .y = arrays_[3] + at,
                                    .y_stride = shape_.width,
                                    .position = position,
                                    .rows = shape_.rows,
                                    .begin = begin,
                                    .end = end});
                 });
    arrays_.next();
  }

 private:
  static constexpr std::int64_t position = 1;  // 0 is a special case

  ScanShape shape_;
  Streams arrays_;
  Buffer log_decay_;
  Buffer h_;
};

/// Three arrays in, one out. As arithmetic: two sigmoids of 3 operations, exp, expm1, sqrt and 7
/// more; a function counts as one.
Work rg_lru_work(const Table* table, const ScanShape& shape) {
  const auto n = static_cast<double>(shape.elements());
  return {16 * n, 16 * n, Operand::f32, table, 3, n};
}

double libm_seconds(const Lab& lab, RgLruCase& data) {
  data.run(lab.threads(), rg_lru_libm);
  const auto start = std::chrono::steady_clock::now();
  data.run(lab.threads(), rg_lru_libm);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// No libm/time with the paper's shapes: there libm has a benchmark for each, and CSV wants the
/// same counters of all.
void run_rg_lru(Lab& lab, benchmark::State& state, const Table& table, const ScanShape& shape) {
  RgLruCase data(lab, shape);
  const double libm = shape.of_paper() ? 0.0 : libm_seconds(lab, data);
  lab.measure(state, rg_lru_work(&table, shape), [&] { data.run(lab.threads(), table.rg_lru); });
  if (shape.of_paper()) return;
  const auto elements = static_cast<double>(shape.elements());
  state.counters["libm/time"] = 1e9 * libm / elements / state.counters["ns/element"];
}

void run_rg_lru_libm(Lab& lab, benchmark::State& state, const ScanShape& shape) {
  RgLruCase data(lab, shape);
  lab.measure(state, rg_lru_work(kernels::find_table("scalar"), shape),
              [&] { data.run(lab.threads(), rg_lru_libm); });
}

/// Registers run(state, shape) for every shape.
template <class Run>
void add_shapes(const std::string& kernel, const std::string& isa,
                std::span<const ScanShape> shapes, const Run& run) {
  for (const ScanShape& shape : shapes) {
    const std::string batch = "/batch:" + std::to_string(shape.batch);
    add_benchmark((shape.of_paper() ? "paper/" + kernel + batch : kernel) +
                      "/rows:" + std::to_string(shape.rows) +
                      "/width:" + std::to_string(shape.width) + "/" + isa,
                  [run, shape](benchmark::State& state) { run(state, shape); });
  }
}

void add_linear_scans(Lab& lab, std::span<const ScanShape> shapes) {
  for_each_table([&](const Table& table, const Table* below) {
    if (below != nullptr && below->linear_scan == table.linear_scan) return;
    add_shapes("linear_scan", table.name, shapes,
               [&lab, &table](benchmark::State& state, const ScanShape& shape) {
                 run_linear_scan(lab, state, table, shape);
               });
  });
}

void add_rg_lrus(Lab& lab, std::span<const ScanShape> shapes) {
  for_each_table([&](const Table& table, const Table* below) {
    if (below != nullptr && below->rg_lru == table.rg_lru) return;
    add_shapes("rg_lru", table.name, shapes,
               [&lab, &table](benchmark::State& state, const ScanShape& shape) {
                 run_rg_lru(lab, state, table, shape);
               });
  });
  add_shapes("rg_lru", "libm", shapes, [&lab](benchmark::State& state, const ScanShape& shape) {
    run_rg_lru_libm(lab, state, shape);
  });
}

void add_associative_scans(Lab& lab, std::span<const ScanShape> shapes) {
  const Associative scan = best_associative();
  add_shapes("associative_scan", scan.name, shapes,
             [&lab, scan](benchmark::State& state, const ScanShape& shape) {
               run_associative(lab, state, scan, shape);
             });
}

}  // namespace

void add_scans(Lab& lab) {
  add_linear_scans(lab, prompts);
  add_rg_lrus(lab, prompt);
  add_associative_scans(lab, prompts);
  add_linear_scans(lab, paper);
  add_rg_lrus(lab, paper);
  add_associative_scans(lab, paper);
}

}  // namespace griffin::bench
