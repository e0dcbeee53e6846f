// SPDX-License-Identifier: Apache-2.0
// Where the time of passes goes, kernel by kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "griffin/kernels.h"

namespace griffin::bench {

struct KernelTime {
  std::string name;      // of the kernel, with the types that it is for
  double seconds = 0.0;  // of all threads together
  std::int64_t calls = 0;
};

/// The kernels of a table, each with a clock around it (some 40 ns a call). What is timed is shared
/// by all tables that are made so.
kernels::Table timed_table(const kernels::Table& table);

/// What was called since the last time, longest first, and starts again from nothing.
std::vector<KernelTime> take_kernel_times();

}  // namespace griffin::bench
