// SPDX-License-Identifier: Apache-2.0
// The ways to read memory that the bandwidth probe chooses from.
#include "kernels/lab.h"

namespace griffin::bench {
namespace {

/// As large a share as of the best of them, before and after.
void run_read(Lab& lab, benchmark::State& state, const Reading& reading) {
  BandwidthProbe& probe = lab.bandwidth();
  const double before = probe.measure(lab.threads());
  double sum = 0.0;
  for (auto _ : state) sum += probe.measure(lab.threads(), reading);
  const double best = (before + probe.measure(lab.threads())) / 2;
  const double speed = sum / static_cast<double>(state.iterations());
  state.counters["bytes/s"] = speed;
  state.counters["share"] = speed / best;
  state.SetLabel("memory");
}

}  // namespace

void add_reads(Lab& lab) {
  for (const Reading& reading : all_readings()) {
    add_benchmark("read/" + reading.name(),
                  [&](benchmark::State& state) { run_read(lab, state, reading); });
  }
}

}  // namespace griffin::bench
