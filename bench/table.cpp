// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace griffin::bench {
namespace {

std::string csv_value(const Fields& value) {
  if (!value.is_string()) return value.dump();
  auto text = value.get<std::string>();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// Of a row among all.
enum class Place { first, later };

std::string csv(const Fields& fields, Place place) {
  std::string header;
  std::string line;
  for (const auto& [name, value] : fields.items()) {
    header += (header.empty() ? "" : ",") + name;
    line += (line.empty() ? "" : ",") + csv_value(value);
  }
  return (place == Place::first ? header + "\n" : "") + line + "\n";
}

std::string md(const std::vector<Column>& columns, Place place) {
  std::string header = "|";
  std::string rule = "|";
  std::string line = "|";
  for (const Column& column : columns) {
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

std::string json(const Fields& fields, Place place) {
  std::string object =
      Fields::array({fields}).dump(2, ' ', false, Fields::error_handler_t::replace);
  // Without the brackets, which belong to all rows.
  object = object.substr(2, object.size() - 4);
  return (place == Place::first ? "[\n" : ",\n") + object;
}

}  // namespace

std::string number(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string short_name(const std::string& model) {
  std::filesystem::path path(model);
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

Column model_column(const std::string& model) {
  const std::string name = short_name(model);
  return {"model", name, std::max<std::size_t>(name.size(), 5), true};
}

void Table::add(const Fields& fields, const std::vector<Column>& columns) {
  const Place place = std::exchange(empty_, false) ? Place::first : Place::later;
  output_.write(format_ == Format::md    ? md(columns, place)
                : format_ == Format::csv ? csv(fields, place)
                                         : json(fields, place));
  output_.require();
}

void Table::finish() {
  if (format_ == Format::json && !empty_) output_.write("\n]\n");
}

}  // namespace griffin::bench
