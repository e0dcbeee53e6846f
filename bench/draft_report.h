// SPDX-License-Identifier: Apache-2.0
// What drafts are worth, as rows of a table.
#pragma once

#include <cstdint>
#include <string>

#include "draft_runs.h"
#include "table.h"

namespace griffin::bench {

/// Of a model or a draft.
struct WeightBytes {
  std::uint64_t all = 0;
  std::uint64_t pass = 0;  // that a pass reads
};

/// A test and what came of it. bench/README.md has the units.
struct DraftRow {
  std::string model;
  std::string dtype;
  std::string draft;  // a type or a folder
  std::string draft_dtype;
  std::string isa;
  std::string kv_dtype;
  DraftTest test = {};
  DraftRuns runs = {};
  WeightBytes weights = {};
  WeightBytes draft_weights = {};
};

/// Throws Error(io) if stdout did not take it.
void add(Table& table, const DraftRow& row);

}  // namespace griffin::bench
