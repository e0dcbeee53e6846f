// SPDX-License-Identifier: Apache-2.0
#include "support/unlisted_tables.h"

#include <algorithm>

namespace griffin::kernels {
void fill_avx512_bf16_fma(Table& table) noexcept;
}  // namespace griffin::kernels

namespace griffin::test {
namespace {

/// A row of kernels/isas.inc that runs wherever its base does, but is offered only where it is
/// worth it. Its kernels give the bits of the base.
struct Row {
  const char* name;
  const char* base;
  void (*fill)(kernels::Table& table) noexcept;
};

std::vector<Row> rows() {
#if defined(__x86_64__)
  return {{"avx512_bf16_fma", "avx512_bf16", kernels::fill_avx512_bf16_fma}};
#else
  return {};
#endif
}

std::vector<kernels::Table> build_tables() {
  std::vector<kernels::Table> tables;
  for (const Row& row : rows()) {
    const kernels::Table* base = kernels::find_table(row.base);
    if (base == nullptr || kernels::find_table(row.name) != nullptr) continue;
    kernels::Table& table = tables.emplace_back(*base);
    table.name = row.name;
    ++table.level;
    row.fill(table);
  }
  return tables;
}

}  // namespace

std::vector<const kernels::Table*> unlisted_tables() {
  static const std::vector<kernels::Table> tables = build_tables();
  std::vector<const kernels::Table*> pointers;
  for (const kernels::Table& table : tables) pointers.push_back(&table);
  return pointers;
}

std::string name_of_bits(const kernels::Table& table) {
  const std::vector<Row> all = rows();
  const auto row = std::find_if(all.begin(), all.end(),
                                [&](const Row& r) { return r.name == std::string(table.name); });
  return row == all.end() ? table.name : row->base;
}

}  // namespace griffin::test
