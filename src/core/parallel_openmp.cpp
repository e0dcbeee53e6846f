// SPDX-License-Identifier: Apache-2.0
// In place of parallel.cpp where the library is built with GRIFFIN_OPENMP: the only OpenMP in it.
#include <omp.h>

#include "core/shares.h"
#include "griffin/core/parallel.h"

namespace griffin {

void run_in_parallel(int threads, std::int64_t n, Grain grain, RangeBody call,
                     const void* body) noexcept {
  if (n <= 0) return;
  const Shares shares(threads, n, grain);
  if (shares.count <= 1 || omp_in_parallel() != 0) {
    call(body, 0, n, 0);
    return;
  }
  // As many iterations as shares: a runtime may give fewer threads.
#pragma omp parallel for num_threads(shares.count) schedule(static, 1)
  for (int share = 0; share < shares.count; ++share) shares.run(share, call, body);
}

}  // namespace griffin
