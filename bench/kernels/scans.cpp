// SPDX-License-Identifier: Apache-2.0
// The recurrences, from memory, beside what they could be at best and what others are.
#include <algorithm>
#include <chrono>
#include <cmath>
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

constexpr std::int64_t rows_of_prompt = 2048;
constexpr std::int64_t lengths[] = {256, 512, 1024, 2048, 4096, 8192};

LinearScanArgs linear_scan_args(const Streams& arrays, Buffer& h, std::int64_t rows) {
  return {arrays[0], arrays[1], lru_width, floats(h), arrays[2], lru_width, rows, 0, lru_width};
}

/// Two arrays in, one out, a multiply-add: every way to compute it is credited with the same work.
Work linear_scan_work(const Table* table, std::int64_t rows) {
  const auto n = static_cast<double>(rows * lru_width);
  return {12 * n, 2 * n, Operand::f32, table, 2, n};
}

void run_linear_scan(Lab& lab, benchmark::State& state, const Table& table, std::int64_t rows) {
  Streams arrays(lab, rows * lru_width, 3);
  Buffer h = random_floats(lru_width);
  lab.measure(state, linear_scan_work(&table, rows), [&] {
    parallel_for(lab.threads(), lru_width, 16, [&](std::int64_t begin, std::int64_t end) {
      LinearScanArgs args = linear_scan_args(arrays, h, rows);
      args.begin = begin;
      args.end = end;
      table.linear_scan(args);
    });
    arrays.next();
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
  Buffer h(static_cast<std::size_t>(lru_width) * sizeof(float));
  std::copy_n(args.h, lru_width, floats(h));
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
                     std::int64_t rows) {
  Streams arrays(lab, rows * lru_width, 3);
  Buffer h = random_floats(lru_width);
  const std::int64_t room = scan_scratch(rows);
  Buffer scratch(static_cast<std::size_t>(room * lab.threads()) * sizeof(float), Fill::zeros);
  check(linear_scan_args(arrays, h, rows), scan, floats(scratch));
  lab.measure(state, linear_scan_work(scan.table, rows), [&] {
    parallel_for(lab.threads(), lru_width, scan_strip,
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   LinearScanArgs args = linear_scan_args(arrays, h, rows);
                   args.begin = begin;
                   args.end = end;
                   scan.run(args, floats(scratch) + worker * room);
                 });
    arrays.next();
  });
}

/// Inputs of the RG-LRU, with a between 1 / e and 1.
class RgLruCase {
 public:
  RgLruCase(Lab& lab, std::int64_t rows)
      : rows_(rows),
        arrays_(lab, rows * lru_width, 4),
        log_decay_(random_floats(lru_width)),
        h_(random_floats(lru_width)) {
    float* decay = floats(log_decay_);
    for (std::int64_t c = 0; c < lru_width; ++c) decay[c] = -0.5F * (decay[c] + 1.0F);
  }

  /// Calls kernel(args) for the channels of every thread.
  template <class Kernel>
  void run(int threads, const Kernel& kernel) {
    parallel_for(threads, lru_width, 16, [&](std::int64_t begin, std::int64_t end) {
      kernel(RgLruArgs{.x = arrays_[0],
                       .x_stride = lru_width,
                       .input_gate = arrays_[1],
                       .recurrence_gate = arrays_[2],
                       .gate_stride = lru_width,
                       .log_decay = floats(log_decay_),
                       .h = floats(h_),
                       .y = arrays_[3],
                       .y_stride = lru_width,
                       .position = position,
                       .rows = rows_,
                       .begin = begin,
                       .end = end});
    });
    arrays_.next();
  }

 private:
  static constexpr std::int64_t position = 1;  // 0 is a special case

  std::int64_t rows_;
  Streams arrays_;
  Buffer log_decay_;
  Buffer h_;
};

/// Three arrays in, one out. As arithmetic: two sigmoids of 3 operations, exp, expm1, sqrt and 7
/// more; a function counts as one.
Work rg_lru_work(const Table* table, std::int64_t rows) {
  const auto n = static_cast<double>(rows * lru_width);
  return {16 * n, 16 * n, Operand::f32, table, 3, n};
}

void run_rg_lru(Lab& lab, benchmark::State& state, const Table& table) {
  RgLruCase data(lab, rows_of_prompt);
  const auto run = [&](auto kernel) {
    const auto start = std::chrono::steady_clock::now();
    data.run(lab.threads(), kernel);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  run(rg_lru_libm);
  const double libm = run(rg_lru_libm);
  lab.measure(state, rg_lru_work(&table, rows_of_prompt),
              [&] { data.run(lab.threads(), table.rg_lru); });
  const auto elements = static_cast<double>(rows_of_prompt * lru_width);
  state.counters["libm/time"] = 1e9 * libm / elements / state.counters["ns/element"];
}

void run_rg_lru_libm(Lab& lab, benchmark::State& state) {
  RgLruCase data(lab, rows_of_prompt);
  lab.measure(state, rg_lru_work(kernels::find_table("scalar"), rows_of_prompt),
              [&] { data.run(lab.threads(), rg_lru_libm); });
}

std::string with_rows(const std::string& kernel, std::int64_t rows) {
  return kernel + "/rows:" + std::to_string(rows) + "/width:" + std::to_string(lru_width) + "/";
}

}  // namespace

void add_scans(Lab& lab) {
  for_each_table([&](const Table& table, const Table* below) {
    if (below == nullptr || below->linear_scan != table.linear_scan) {
      for (const std::int64_t rows : lengths) {
        add_benchmark(with_rows("linear_scan", rows) + table.name,
                      [&lab, &table, rows](benchmark::State& state) {
                        run_linear_scan(lab, state, table, rows);
                      });
      }
    }
    if (below == nullptr || below->rg_lru != table.rg_lru) {
      add_benchmark(with_rows("rg_lru", rows_of_prompt) + table.name,
                    [&](benchmark::State& state) { run_rg_lru(lab, state, table); });
    }
  });
  add_benchmark(with_rows("rg_lru", rows_of_prompt) + "libm",
                [&](benchmark::State& state) { run_rg_lru_libm(lab, state); });
  const Associative scan = best_associative();
  for (const std::int64_t rows : lengths) {
    add_benchmark(
        with_rows("associative_scan", rows) + scan.name,
        [&lab, scan, rows](benchmark::State& state) { run_associative(lab, state, scan, rows); });
  }
}

}  // namespace griffin::bench
