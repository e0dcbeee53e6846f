// SPDX-License-Identifier: Apache-2.0
#include "kernel_times.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iomanip>
#include <ostream>
#include <utility>

#include "griffin/core/error.h"

namespace griffin::bench {
namespace {

using kernels::Table;
using Clock = std::chrono::steady_clock;

struct Counter {
  std::string name;
  std::atomic<std::int64_t> nanoseconds = 0;
  std::atomic<std::int64_t> calls = 0;
};

/// One for each kernel of a table, and the kernel that it counts.
template <class Function>
struct Timed {
  Function kernel = nullptr;
  Counter counter;
};

/// Adds a call that began at `start`.
void count(Counter& counter, Clock::time_point start) {
  const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start);
  counter.nanoseconds.fetch_add(time.count(), std::memory_order_relaxed);
  counter.calls.fetch_add(1, std::memory_order_relaxed);
}

/// All counters that are in use.
std::vector<Counter*>& counters() {
  static std::vector<Counter*> all;
  return all;
}

/// A kernel's place in a table: a member, or a place in an array of them.
template <auto Member, std::size_t... At>
struct Place;

template <class Function, Function Table::*Member>
struct Place<Member> {
  static Function& in(Table& table) { return table.*Member; }
};
template <class Function, std::size_t N, Function (Table::*Member)[N], std::size_t I>
struct Place<Member, I> {
  static Function& in(Table& table) { return (table.*Member)[I]; }
};
template <class Function, std::size_t N, std::size_t M, Function (Table::*Member)[N][M],
          std::size_t I, std::size_t J>
struct Place<Member, I, J> {
  static Function& in(Table& table) { return (table.*Member)[I][J]; }
};

template <class P, class Result, class Args>
void wrap(Table& table, Result (*&kernel)(const Args&) noexcept, std::string name) {
  static Timed<Result (*)(const Args&) noexcept> timed;
  if (kernel == nullptr) return;
  counters().push_back(&timed.counter);
  timed.kernel = kernel;
  timed.counter.name = std::move(name);
  P::in(table) = [](const Args& args) noexcept -> Result {
    struct Counting {
      Clock::time_point start = Clock::now();
      ~Counting() { count(timed.counter, start); }
    } const counting;
    return timed.kernel(args);
  };
}

template <auto Member, std::size_t... At>
void wrap(Table& table, std::string name) {
  using P = Place<Member, At...>;
  wrap<P>(table, P::in(table), std::move(name));
}

constexpr std::array<const char*, kernels::dtypes> dtype_names = {"f32", "bf16", "f16", "int8",
                                                                  "int4"};
constexpr std::array<const char*, kernels::operands> operand_names = {"f32", "bf16", "int8"};

template <auto Member, std::size_t... I>
void wrap_by_dtype(Table& table, const std::string& name, std::index_sequence<I...>) {
  (wrap<Member, I>(table, name + " " + dtype_names[I]), ...);
}
template <auto Member, std::size_t... I>
void wrap_by_operand(Table& table, const std::string& name, std::index_sequence<I...>) {
  (wrap<Member, I>(table, name + " " + operand_names[I]), ...);
}
template <auto Member, std::size_t... I>
void wrap_products(Table& table, const std::string& name, std::index_sequence<I...>) {
  constexpr std::size_t n = kernels::operands;
  (wrap<Member, I / n, I % n>(table,
                              name + " " + dtype_names[I / n] + " by " + operand_names[I % n]),
   ...);
}

}  // namespace

Table timed_table(const Table& table) {
  // A pointer more or less in Table is one here, too: name, level, tiling, arithmetic, three sizes.
  static_assert(sizeof(Table) == 16 + sizeof(kernels::Tiling) + sizeof(Table::arithmetic) +
                                     3 * sizeof(void*) + sizeof(Table::pack) +
                                     sizeof(Table::matmul) + sizeof(Table::block_diagonal) +
                                     sizeof(Table::attention) + sizeof(Table::embed) +
                                     sizeof(Table::widen) + 10 * sizeof(void*));
  if (!counters().empty()) throw Error(ErrorCode::invalid_argument, "kernels are timed already");
  Table timed = table;
  constexpr std::make_index_sequence<kernels::dtypes * kernels::operands> products;
  constexpr std::make_index_sequence<kernels::dtypes> dtypes;
  constexpr std::make_index_sequence<kernels::float_dtypes> float_dtypes;
  constexpr std::make_index_sequence<kernels::operands> operands;
  wrap_by_operand<&Table::pack>(timed, "pack", operands);
  wrap_products<&Table::matmul>(timed, "matmul", products);
  wrap_products<&Table::block_diagonal>(timed, "block_diagonal", products);
  wrap<&Table::linear_scan>(timed, "linear_scan");
  wrap<&Table::rg_lru>(timed, "rg_lru");
  wrap<&Table::conv1d>(timed, "conv1d");
  wrap<&Table::rms_norm>(timed, "rms_norm");
  wrap<&Table::activation_gate>(timed, "activation_gate");
  wrap<&Table::rope_angles>(timed, "rope_angles");
  wrap<&Table::rope>(timed, "rope");
  wrap_by_dtype<&Table::attention>(timed, "attention", float_dtypes);
  wrap<&Table::soft_cap>(timed, "soft_cap");
  wrap_by_dtype<&Table::embed>(timed, "embed", dtypes);
  wrap_by_dtype<&Table::widen>(timed, "widen", float_dtypes);
  wrap<&Table::narrow_bf16>(timed, "narrow_bf16");
  wrap<&Table::argmax>(timed, "argmax");
  return timed;
}

std::vector<KernelTime> take_kernel_times() {
  std::vector<KernelTime> times;
  for (Counter* counter : counters()) {
    const std::int64_t calls = counter->calls.exchange(0);
    const std::int64_t nanoseconds = counter->nanoseconds.exchange(0);
    if (calls > 0) {
      times.push_back({counter->name, static_cast<double>(nanoseconds) * 1e-9, calls});
    }
  }
  std::sort(times.begin(), times.end(),
            [](const KernelTime& a, const KernelTime& b) { return a.seconds > b.seconds; });
  return times;
}

void print_kernel_times(std::ostream& out, const std::string& title,
                        const std::vector<KernelTime>& times, double thread_seconds,
                        std::int64_t tokens) {
  const auto line = [&](const std::string& name, double seconds, std::int64_t calls) {
    out << std::left << std::setw(32) << name << std::right << std::fixed << std::setprecision(1)
        << std::setw(6) << 100.0 * seconds / thread_seconds << " %" << std::setprecision(2)
        << std::setw(12) << 1e6 * seconds / static_cast<double>(tokens) << " us/token";
    if (calls > 0) out << std::setw(10) << calls << " calls";
    out << '\n';
  };
  out << title << '\n';
  double rest = thread_seconds;
  for (const KernelTime& time : times) {
    line(time.name, time.seconds, time.calls);
    rest -= time.seconds;
  }
  line("rest", rest, 0);
}

}  // namespace griffin::bench
