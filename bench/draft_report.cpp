// SPDX-License-Identifier: Apache-2.0
#include "draft_report.h"

#include <algorithm>
#include <vector>

#include "ceilings.h"

namespace griffin::bench {
namespace {

std::string acceptance(const DraftTest& test) {
  return test.accept ? number("forced %.2f", *test.accept) : "real";
}

double ratio_by_bytes(const DraftRow& row) {
  return row.runs.ratio_by_bytes(static_cast<double>(row.weights.pass),
                                 static_cast<double>(row.draft_weights.pass));
}

Fields fields(const DraftRow& row) {
  const DraftTest& draft = row.test;
  const DraftRuns& runs = row.runs;
  return {
      {"model", row.model},
      {"dtype", row.dtype},
      {"draft", row.draft},
      {"draft_dtype", row.draft_dtype},
      {"isa", row.isa},
      {"kv_dtype", row.kv_dtype},
      {"threads", draft.test.threads},
      {"batch", draft.test.batch},
      {"depth", draft.test.depth},
      {"chunk", draft.test.chunk},
      {"test", draft.test.name()},
      {"draft_max", draft.most},
      {"guessing", draft.guessing == Guessing::always ? "always" : "adapted"},
      {"accept", acceptance(draft)},
      {"repetitions", runs.ratios.size()},
      {"decoded", runs.counts.decoded},
      {"passes", runs.counts.passes},
      {"draft_passes", runs.counts.draft_passes},
      {"guessed", runs.counts.guessed},
      {"accepted", runs.counts.accepted},
      {"accepted_share", runs.accepted_share()},
      {"guesses_per_pass", runs.guesses_a_pass()},
      {"tokens_per_pass", runs.tokens_a_pass()},
      {"draft_passes_per_pass", runs.draft_passes_a_pass()},
      {"plain_ts", median(runs.plain)},
      {"draft_ts", median(runs.drafted)},
      {"ratio", median(runs.ratios)},
      {"stddev_ratio", standard_deviation(runs.ratios)},
      {"ratio_by_bytes", ratio_by_bytes(row)},
      {"weight_bytes", row.weights.all},
      {"draft_weight_bytes", row.draft_weights.all},
      {"pass_bytes", row.weights.pass},
      {"draft_pass_bytes", row.draft_weights.pass},
  };
}

std::vector<Column> columns(const DraftRow& row) {
  const Test& test = row.test.test;
  const DraftRuns& runs = row.runs;
  const std::string draft = short_name(row.draft);
  return {model_column(row.model),
          {"dtype", row.dtype, 5, true},
          {"draft", draft, std::max<std::size_t>(draft.size(), 5), true},
          {"threads", std::to_string(test.threads), 7},
          {"batch", std::to_string(test.batch), 5},
          {"test", test.name(), 14, true},
          {"accept", acceptance(row.test), 11, true},
          {"accepted", number("%.3f", runs.accepted_share()), 8},
          {"guesses", number("%.2f", runs.guesses_a_pass()), 7},
          {"tokens", number("%.2f", runs.tokens_a_pass()), 6},
          {"drafts", number("%.2f", runs.draft_passes_a_pass()), 6},
          {"plain", number("%.2f", median(runs.plain)), 9},
          {"drafted", number("%.2f", median(runs.drafted)), 9},
          {"ratio", number("%.3f", median(runs.ratios)), 6}};
}

}  // namespace

void add(Table& table, const DraftRow& row) {
  table.add(fields(row), columns(row));
}

}  // namespace griffin::bench
