// SPDX-License-Identifier: Apache-2.0
// What the ceilings are chosen from: ways to read memory, and instructions that multiply and add.
#include <algorithm>
#include <string>

#include "kernels/lab.h"

namespace griffin::bench {
namespace {

/// Times probe(), which says what was done in a second, and holds the mean against the mean of
/// best() before and after.
template <class Probe, class Best>
void measure(benchmark::State& state, const char* counter, const Probe& probe, const Best& best) {
  const double before = best();
  double sum = 0.0;
  for (auto _ : state) sum += probe();
  const double speed = sum / static_cast<double>(state.iterations());
  state.counters[counter] = speed;
  state.counters["share"] = speed / ((before + best()) / 2);
}

/// A share of the best way.
void run_read(Lab& lab, benchmark::State& state, const Reading& reading) {
  BandwidthProbe& probe = lab.bandwidth();
  measure(
      state, "bytes/s", [&] { return probe.measure(lab.threads(), reading); },
      [&] { return probe.measure(lab.threads()); });
  state.SetLabel("memory");
}

/// A share of the fastest arithmetic for the same operands.
void run_peak(Lab& lab, benchmark::State& state, const Arithmetic& arithmetic) {
  const Arithmetic& fastest = fastest_arithmetic(arithmetic.operand, kernels::table_at(0));
  measure(
      state, "flop/s", [&] { return probe_peak(arithmetic, lab.threads()); },
      [&] { return probe_peak(fastest, lab.threads()); });
  state.SetLabel(fastest.name);
}

std::string name_of(const Arithmetic& arithmetic) {
  std::string name = arithmetic.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name + "/" + arithmetic.table;
}

}  // namespace

void add_machine(Lab& lab) {
  for (const Reading& reading : all_readings()) {
    add_benchmark("read/" + reading.name(),
                  [&lab, &reading](benchmark::State& state) { run_read(lab, state, reading); });
  }
  for (const Arithmetic* arithmetic : all_arithmetic()) {
    add_benchmark("peak/" + name_of(*arithmetic), [&lab, arithmetic](benchmark::State& state) {
      run_peak(lab, state, *arithmetic);
    });
  }
}

}  // namespace griffin::bench
