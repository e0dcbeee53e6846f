// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace griffin::bench {
namespace {

using Fields = nlohmann::ordered_json;

/// One row for programs. The order is that of the csv columns.
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

std::string csv_value(const Fields& value) {
  if (!value.is_string()) return value.dump();
  const auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// Of a row among all.
enum class Place { first, later };

std::string csv(const Row& row, Place place) {
  std::string header;
  std::string line;
  const Fields all = fields(row);
  for (const auto& [name, value] : all.items()) {
    header += (header.empty() ? "" : ",") + name;
    line += (line.empty() ? "" : ",") + csv_value(value);
  }
  return (place == Place::first ? header + "\n" : "") + line + "\n";
}

struct Column {
  std::string title;
  std::string value;
  std::size_t width;
  bool left = false;
};

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// The last part of a folder's name; a preset's whole name.
std::string short_name(const std::string& model) {
  std::filesystem::path path(model);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

std::vector<Column> columns(const Row& row) {
  const std::string name = short_name(row.model);
  return {{"model", name, std::max<std::size_t>(name.size(), 5), true},
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

std::string md(const Row& row, Place place) {
  std::string header = "|";
  std::string rule = "|";
  std::string line = "|";
  for (const Column& column : columns(row)) {
    const auto cell = [&](const std::string& text) {
      const std::string space(column.width - std::min(column.width, text.size()), ' ');
      return " " + (column.left ? text + space : space + text) + " |";
    };
    header += cell(column.title);
    rule += std::string(column.width + 1, '-') + (column.left ? "-|" : ":|");
    line += cell(column.value);
  }
  return (place == Place::first ? header + "\n" + rule + "\n" : "") + line + "\n";
}

std::string json(const Row& row, Place place) {
  std::string object =
      Fields::array({fields(row)}).dump(2, ' ', false, Fields::error_handler_t::replace);
  // Without the brackets, which belong to all rows.
  object = object.substr(2, object.size() - 4);
  return (place == Place::first ? "[\n" : ",\n") + object;
}

}  // namespace

void Report::add(const Row& row) {
  const Place place = std::exchange(empty_, false) ? Place::first : Place::later;
  output_.write(format_ == Format::md    ? md(row, place)
                : format_ == Format::csv ? csv(row, place)
                                         : json(row, place));
  output_.require();
}

void Report::finish() {
  if (format_ == Format::json && !empty_) output_.write("\n]\n");
}

}  // namespace griffin::bench
