// SPDX-License-Identifier: Apache-2.0
#include "paper/figures.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace griffin::bench {

namespace {

/// What keys and values in bf16 are multiplied as.
Operand attention_operand() {
  const std::string_view table = kernels::default_table().name;
  return table == "avx512_amx" ? Operand::bf16 : Operand::f32;
}

}  // namespace

std::string Csv::cell(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

void Csv::line(const std::string& text) {
  output_.write(text + "\n");
  output_.require();
}

Machine::Machine(int threads)
    : threads_(threads),
      bandwidth_(std::size_t{1} << 30U),
      weights_(fastest_arithmetic(Operand::bf16, kernels::table_at(0))),
      attention_(fastest_arithmetic(attention_operand(), kernels::table_at(0))) {}

Machine::Speed Machine::measure() {
  return {.bytes = bandwidth_.measure(threads_),
          .weight_flops = probe_peak(weights_, threads_),
          .attention_flops = probe_peak(attention_, threads_)};
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    std::string name = line.substr(colon + 2);
    std::replace(name.begin(), name.end(), ',', ' ');
    return name;
  }
  return "unknown";
}

}  // namespace griffin::bench
