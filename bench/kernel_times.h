// SPDX-License-Identifier: Apache-2.0
// Where the time of passes goes, kernel by kernel.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "griffin/kernels.h"

namespace griffin::bench {

struct KernelTime {
  std::string name;      // of the kernel, with the types that it is for
  double seconds = 0.0;  // of all threads together
  std::int64_t calls = 0;
};

/// The kernels of a table, each with a clock around it (50 to 150 ns a call). Sizes of operands and
/// scratch are asked for untimed. There is one such table in a program: throws
/// Error(invalid_argument) for another.
kernels::Table timed_table(const kernels::Table& table);

/// What was called since the last time, longest first, and starts again from nothing.
std::vector<KernelTime> take_kernel_times();

/// A table of them: each kernel's share of `thread_seconds`, all the time of all threads, and what
/// it took for each of `tokens` tokens. The rest is waiting, and what is no kernel.
void print_kernel_times(std::ostream& out, const std::string& title,
                        const std::vector<KernelTime>& times, double thread_seconds,
                        std::int64_t tokens);

}  // namespace griffin::bench
