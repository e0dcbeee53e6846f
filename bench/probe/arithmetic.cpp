// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "probe/isa_files.h"
#include "probe/probes.h"
#include "probe/rate.h"

namespace griffin::bench {
namespace {

using kernels::index_of;
using kernels::Table;

constexpr std::chrono::milliseconds window{10};
constexpr int windows = 3;                // the best counts: whatever disturbs makes one slower
constexpr int trials = 2;                 // of each in turn: the first may find the clock at rest
constexpr std::int64_t rounds = 1 << 15;  // between two looks at the clock, 50 to 800 us

/// What every table brings, for the operands of Table::arithmetic.
constexpr Arithmetic known_arithmetic[] = {
    {"f32 fma", "scalar", Operand::f32, isa::f32_portable},
#ifdef GRIFFIN_NEON
    {"f32 fma", "neon", Operand::f32, isa::f32_portable},
    {"int8 dot", "neon_dotprod", Operand::int8, isa::int8_dotprod},
    {"int8 dot", "neon_i8mm", Operand::int8, isa::int8_i8mm},
#endif
#ifdef GRIFFIN_X86
    {"f32 fma", "avx2", Operand::f32, isa::f32_avx2},
    {"int8 dot", "avx2", Operand::int8, isa::int8_avx2},
    {"f32 fma", "avx512", Operand::f32, isa::f32_avx512},
    {"int8 dot", "avx512_vnni", Operand::int8, isa::int8_avx512},
    {"bf16 dot", "avx512_bf16", Operand::bf16, isa::bf16_avx512},
    {"bf16 amx", "avx512_amx", Operand::bf16, isa::bf16_amx},
    {"int8 amx", "avx512_amx", Operand::int8, isa::int8_amx},
#endif
};

/// Throws Error(unsupported) for a table whose instructions for such operands are not above.
void require_known(Operand operand, const Table& table) {
  const char* brought_by = table.arithmetic[index_of(operand)];
  if (brought_by == nullptr) return;  // they are widened
  for (const Arithmetic& known : known_arithmetic) {
    if (std::string_view(known.table) == brought_by && known.operand == operand) return;
  }
  constexpr const char* names[] = {"f32", "bf16", "int8"};
  throw Error(ErrorCode::unsupported, std::string("bench/probe knows no peak of ") +
                                          names[index_of(operand)] + " of " + brought_by);
}

double peak_of(const Arithmetic& arithmetic, int threads) {
  const isa::MultiplyAdd& probe = arithmetic.probe;
  return rate(threads, window, [&](std::int64_t, std::int64_t) {
    sink.fetch_xor(static_cast<std::uint64_t>(probe.run(rounds)), std::memory_order_relaxed);
    return rounds * probe.flops_per_round;
  });
}

}  // namespace

std::vector<const Arithmetic*> all_arithmetic() {
  std::vector<const Arithmetic*> found;
  for (const Arithmetic& known : known_arithmetic) {
    if (kernels::find_table(known.table) != nullptr) found.push_back(&known);
  }
  return found;
}

std::vector<const Arithmetic*> arithmetic_for(Operand operand, const Table& table) {
  std::vector<const Arithmetic*> found;
  for (const Arithmetic* arithmetic : all_arithmetic()) {
    const bool may_be_used = arithmetic->operand <= operand;
    const int level = kernels::find_table(arithmetic->table)->level;
    if (may_be_used && level <= table.level) found.push_back(arithmetic);
  }
  for (const Operand wider : {Operand::f32, Operand::bf16, Operand::int8}) {
    if (wider <= operand) require_known(wider, table);
  }
  return found;
}

const Arithmetic& fastest_of(std::span<const Arithmetic* const> candidates,
                             const std::function<double(const Arithmetic&)>& peak) {
  const Arithmetic* fastest = candidates.front();
  double best = 0.0;
  for (int trial = 0; trial < trials; ++trial) {
    for (const Arithmetic* candidate : candidates) {
      const double found = peak(*candidate);
      if (found > best) {
        best = found;
        fastest = candidate;
      }
    }
  }
  return *fastest;
}

const Arithmetic& fastest_arithmetic(Operand operand, const Table& table) {
  static std::map<std::pair<int, Operand>, const Arithmetic*> known;
  const Arithmetic*& fastest = known[{table.level, operand}];
  if (fastest == nullptr) {
    fastest = &fastest_of(arithmetic_for(operand, table),
                          [](const Arithmetic& candidate) { return peak_of(candidate, 1); });
  }
  return *fastest;
}

double probe_peak(const Arithmetic& arithmetic, int threads) {
  double best = 0.0;
  for (int i = 0; i < windows; ++i) best = std::max(best, peak_of(arithmetic, threads));
  return best;
}

}  // namespace griffin::bench
