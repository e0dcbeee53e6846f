// SPDX-License-Identifier: Apache-2.0
// What was measured, as a table for people (md), for spreadsheets (csv) and for programs (json).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ceilings.h"
#include "runs.h"
#include "support/program.h"

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

enum class Format { md, csv, json };

/// Writes rows on stdout, each as soon as it is there.
class Report {
 public:
  explicit Report(Format format) : format_(format) {}

  /// Throws Error(io) if stdout did not take it.
  void add(const Row& row);

  /// Writes what belongs below the rows, if there are any. Also after an error: what was measured
  /// is then well-formed.
  void finish();

  /// Throws Error(io) if stdout did not take everything.
  void require() const { output_.require(); }

 private:
  Format format_;
  examples::Output output_;
  bool empty_ = true;
};

}  // namespace griffin::bench
