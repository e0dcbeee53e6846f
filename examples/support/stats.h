// SPDX-License-Identifier: Apache-2.0
// What --stats prints on stderr.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "griffin/generate/request.h"
#include "griffin/kernels.h"
#include "griffin/model/model.h"
#include "support/model_options.h"
#include "support/program.h"

namespace griffin::examples {

struct StatLine {
  void operator()(const char* name, const std::string& value) const {
    std::fprintf(stderr, "%-12s %s\n", name, value.c_str());
  }
};

inline std::string per_second(std::int64_t tokens, double seconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%lld tokens, %.3f s, %.1f tokens/s",
                static_cast<long long>(tokens), seconds,
                seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0);
  return text;
}

inline std::string megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

inline std::string milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", seconds * 1e3);
  return text;
}

/// Which model, and what runs it.
inline void print_model(const ModelOptions& options, const Model& model) {
  const StatLine line;
  line("model", on_one_line(options.model_name()));
  line("weights", megabytes(model.weight_bytes()) + ", " + options.dtype(model));
  const int threads = options.threads();
  line("kernels",
       std::string(kernels::default_table().name) +
           (threads == 1 ? ", 1 thread" : ", up to " + std::to_string(threads) + " threads"));
}

/// What a draft model takes beside a model with states of such a layout.
inline std::string draft_memory(const Model& draft, const StateLayout& layout) {
  const std::int64_t capacity = layout.capacity == unlimited_capacity ? 0 : layout.capacity;
  const StateLayout own = draft.state_layout({.capacity = capacity, .kv = layout.kv});
  return megabytes(draft.weight_bytes()) + " of weights, " + name_of(draft.dtype()) + "; " +
         megabytes(own.bytes()) + " a state";
}

/// How many tokens were guessed, and what came of it.
inline std::string guess_rates(const Result& all) {
  const auto share = [](std::int64_t a, std::int64_t b) {
    return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0.0;
  };
  char text[160];
  std::snprintf(text, sizeof text,
                "%lld guessed, %lld accepted (%.1f %%), %lld passes, %.2f tokens a pass, "
                "%lld draft passes",
                static_cast<long long>(all.guessed), static_cast<long long>(all.accepted),
                100 * share(all.accepted, all.guessed), static_cast<long long>(all.decode_passes),
                share(all.fed_back, all.decode_passes), static_cast<long long>(all.draft_passes));
  return text;
}

}  // namespace griffin::examples
