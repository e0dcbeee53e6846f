// SPDX-License-Identifier: Apache-2.0
// Every instruction set of this machine as a parameter of a test.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "griffin/kernels.h"
#include "support/unlisted_tables.h"

namespace griffin::test {

/// The tables that the library offers on this machine, best first.
inline std::vector<const kernels::Table*> listed_tables() {
  std::vector<const kernels::Table*> tables;
  for (int i = 0; i < kernels::table_count(); ++i) tables.push_back(&kernels::table_at(i));
  return tables;
}

/// All tables this machine can run: those, and then the ones it does not offer.
inline std::vector<const kernels::Table*> all_tables() {
  std::vector<const kernels::Table*> tables = listed_tables();
  for (const kernels::Table* table : unlisted_tables()) tables.push_back(table);
  return tables;
}

/// For INSTANTIATE_TEST_SUITE_P(Isa, Suite, ::testing::ValuesIn(all_tables()), table_name).
inline std::string table_name(const ::testing::TestParamInfo<const kernels::Table*>& info) {
  return info.param->name;
}

/// A test that runs once per instruction set.
class IsaTest : public ::testing::TestWithParam<const kernels::Table*> {
 protected:
  static const kernels::Table& table() { return *GetParam(); }
};

}  // namespace griffin::test

namespace griffin::kernels {

/// What gtest prints for a table.
inline void PrintTo(const Table* table, std::ostream* out) {
  *out << table->name;
}

}  // namespace griffin::kernels
