// SPDX-License-Identifier: Apache-2.0
#include "report.h"

namespace griffin::bench {
namespace {

Fields fields(const Row& row) {
  return {
      {"model", row.model},
      {"dtype", row.dtype},
      {"isa", row.isa},
      {"kv_dtype", row.kv_dtype},
      {"threads", row.test.threads},
      {"batch", row.test.batch},
      {"depth", row.test.depth},
      {"chunk", row.test.chunk},
      {"test", row.test.name()},
      {"repetitions", row.rates.size()},
      {"avg_ts", mean(row.rates)},
      {"stddev_ts", standard_deviation(row.rates)},
      {"median_ts", median(row.rates)},
      {"ceiling", row.ceiling.tokens_per_second},
      {"share", median(row.shares)},
      {"bound", name_of(row.ceiling.bound)},
      {"peak", row.arithmetic},
      {"bandwidth_gbs", row.speeds.bytes_per_second / 1e9},
      {"peak_gops", row.speeds.flops_per_second / 1e9},
      {"work_bytes", static_cast<std::uint64_t>(row.work.bytes)},
      {"work_flops", static_cast<std::uint64_t>(row.work.flops)},
      {"weight_bytes", row.weight_bytes},
      {"state_bytes", row.state_bytes},
      {"peak_rss_bytes", row.peak_rss_bytes},
      {"load_seconds", row.load_seconds},
  };
}

std::vector<Column> columns(const Row& row) {
  return {model_column(row.model),
          {"dtype", row.dtype, 5, true},
          {"threads", std::to_string(row.test.threads), 7},
          {"batch", std::to_string(row.test.batch), 5},
          {"test", row.test.name(), 14, true},
          {"tokens/s", number("%.2f", mean(row.rates)), 9},
          {"+-", number("%.2f", standard_deviation(row.rates)), 8},
          {"median", number("%.2f", median(row.rates)), 9},
          {"ceiling", number("%.2f", row.ceiling.tokens_per_second), 9},
          {"share", number("%.3f", median(row.shares)), 5},
          {"bound", name_of(row.ceiling.bound), 7, true}};
}

}  // namespace

void add(Table& table, const Row& row) {
  table.add(fields(row), columns(row));
}

}  // namespace griffin::bench
