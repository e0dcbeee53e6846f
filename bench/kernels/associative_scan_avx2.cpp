// SPDX-License-Identifier: Apache-2.0
#include "kernels/associative_scan_impl.h"

namespace griffin::bench {

void associative_scan_avx2(const kernels::LinearScanArgs& args, float* scratch) {
  associative_scan(args, scratch);
}

}  // namespace griffin::bench
