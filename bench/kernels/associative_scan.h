// SPDX-License-Identifier: Apache-2.0
// What linear_scan computes, the way that parallel machines do it.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"

namespace griffin::bench {

/// Channels that go through the tree together: some cache lines of each row, but few, so that the
/// pairs of 1024 rows, 512 KB, stay in a second-level cache.
inline constexpr std::int64_t scan_strip = 64;

/// Floats of scratch for one thread.
constexpr std::int64_t scan_scratch(std::int64_t rows) noexcept {
  return 2 * rows * scan_strip;
}

/// y[t] = h = a[t] h + b[t] for channels [begin, end) by a work-efficient scan along time: pairs
/// (a, b), joined by (a1, b1) . (a2, b2) = (a1 a2, a2 b1 + b2), up a binary tree and down again, as
/// jax.lax.associative_scan does. Vectors run over channels. The argument is that of linear_scan.
using AssociativeScan = void (*)(const kernels::LinearScanArgs& args, float* scratch);

void associative_scan_portable(const kernels::LinearScanArgs& args, float* scratch);
#ifdef GRIFFIN_X86
void associative_scan_avx2(const kernels::LinearScanArgs& args, float* scratch);
void associative_scan_avx512(const kernels::LinearScanArgs& args, float* scratch);
#endif

}  // namespace griffin::bench
