// SPDX-License-Identifier: Apache-2.0
// The measurements of the paper's figures: one function each, which writes the rows of a CSV file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ceilings.h"
#include "support/program.h"

namespace griffin::bench {

/// What the command line says; each figure looks at some of it.
struct FigureOptions {
  std::string size = "1.3b";
  std::vector<std::string> families;  // of one size
  std::vector<int> batches = {1, 16};
  std::vector<int> prompts = {0, 4096};
  std::vector<int> tokens = {128, 256, 512, 1024, 2048, 4096};
  std::vector<int> positions = {512, 1024, 16384, 131072};
  double memory_gib = 16.0;
  std::vector<double> budgets_gib = {4, 4.5, 5, 6, 8, 12, 16};  // of the second file
  std::string budgets_file;
  int read_tokens = 0;  // of a prompt that is read in full, beside the samples
  int threads = 0;      // for the measurements, at least 1
  int rounds = 3;
  int steps = 2;  // in a row
};

/// Fig. 4: the seconds to sample tokens, after a prompt or none.
void measure_latency(const FigureOptions& options);
/// Fig. 1b: the most tokens a second with as many sequences as fit into a budget of memory.
void measure_throughput(const FigureOptions& options);
/// The memory of a sequence that may reach a position.
void measure_state(const FigureOptions& options);
/// The seconds of a token at a position.
void measure_position(const FigureOptions& options);
/// The seconds to read a prompt.
void measure_prefill(const FigureOptions& options);
/// What a text took in full, beside what samples of its steps say.
void check_samples(const FigureOptions& options);

/// A CSV file on stdout, each row there as soon as it is measured.
class Csv {
 public:
  explicit Csv(const std::string& header) { line(header); }

  template <class... Cells>
  void row(const Cells&... cells) {
    std::string text;
    ((text += (text.empty() ? "" : ",") + cell(cells)), ...);
    line(text);
  }

 private:
  static std::string cell(const std::string& text) { return text; }
  static std::string cell(double value);
  static std::string cell(std::int64_t value) { return std::to_string(value); }
  static std::string cell(int value) { return std::to_string(value); }

  /// Throws Error(io) if stdout did not take it.
  void line(const std::string& text);

  examples::Output output_;
};

/// What the machine can do for models with weights, keys and values in bf16.
class Machine {
 public:
  explicit Machine(int threads);

  struct Speed {
    double bytes;            // a second
    double weight_flops;     // a second, by what multiplies weights fastest
    double attention_flops;  // a second, by what multiplies keys and values
  };
  Speed measure();
  /// The name of the latter.
  const char* attention_arithmetic() const { return attention_.name; }

 private:
  int threads_;
  BandwidthProbe bandwidth_;
  const Arithmetic& weights_;
  const Arithmetic& attention_;
};

/// The name of the CPU, without commas; "unknown" where Linux does not say.
std::string cpu_name();

}  // namespace griffin::bench
