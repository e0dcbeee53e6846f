// SPDX-License-Identifier: Apache-2.0
// Rows on stdout: a table for people (md), for spreadsheets (csv) and for programs (json).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/program.h"

namespace griffin::bench {

enum class Format { md, csv, json };

/// One row for programs, in the order of the csv columns.
using Fields = nlohmann::ordered_json;

/// One cell for people. Every row of a table has the same titles and widths.
struct Column {
  std::string title;
  std::string value;
  std::size_t width;
  bool left = false;
};

std::string number(const char* format, double value);
/// Of a model: its name, which may be long.
Column model_column(const std::string& model);
/// The last part of a folder's name; a preset's whole name.
std::string short_name(const std::string& model);

/// Writes rows, each as soon as it is there.
class Table {
 public:
  explicit Table(Format format) : format_(format) {}

  /// Throws Error(io) if stdout did not take it.
  void add(const Fields& fields, const std::vector<Column>& columns);

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
