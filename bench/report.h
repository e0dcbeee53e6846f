// SPDX-License-Identifier: Apache-2.0
// Prefill and decode as rows of a table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ceilings.h"
#include "runs.h"
#include "table.h"

namespace griffin::bench {

/// A test and what came of it. bench/README.md has the units.
struct Row {
  std::string model;
  std::string dtype;
  std::string isa;
  std::string kv_dtype;
  Test test;
  std::vector<double> rates = {};   // tokens/s of every repetition
  std::vector<double> shares = {};  // of its own ceiling that every repetition reached
  Ceiling ceiling = {};             // of the median speeds
  Work work = {};                   // of one repetition
  Speeds speeds = {};
  std::string arithmetic;  // of the compute ceiling
  std::uint64_t peak_rss_bytes = 0;
  std::uint64_t weight_bytes = 0;
  std::uint64_t state_bytes = 0;  // of one sequence
  double load_seconds = 0.0;
};

/// Throws Error(io) if stdout did not take it.
void add(Table& table, const Row& row);

}  // namespace griffin::bench
