// SPDX-License-Identifier: Apache-2.0
#include "support/unlisted_tables.h"

#include <algorithm>

#include "support/tile_models/tile_models.h"

#ifdef __x86_64__
namespace griffin::kernels {
void fill_avx512_bf16_fma(Table& table) noexcept;
}  // namespace griffin::kernels
#endif

namespace griffin::test {
namespace {

/// What would be a row of kernels/isas.inc, on machines where it is offered.
struct Row {
  const char* name;
  const char* base;
  const char* bits;  // the table whose bits it gives
  void (*fill)(kernels::Table& table) noexcept;
};

std::vector<Row> faster_elsewhere() {
#ifdef __x86_64__
  return {{"avx512_bf16_fma", "avx512_bf16", "avx512_bf16", kernels::fill_avx512_bf16_fma}};
#else
  return {};
#endif
}

std::vector<Row> models() {
#ifdef GRIFFIN_TEST_NO_TILE_MODELS  // their code is long to compile, and the same everywhere
  return {};
#else
  return {
      {"scalar_tile_model", "scalar", "scalar_tile_model", kernels::fill_scalar_tile_model},
#ifdef __x86_64__
      {"avx512_tile_model", "avx512_bf16", "avx512_amx", kernels::fill_avx512_tile_model},
#endif
  };
#endif
}

/// Those whose base runs here, and that are not offered.
std::vector<kernels::Table> build(const std::vector<Row>& rows) {
  std::vector<kernels::Table> tables;
  for (const Row& row : rows) {
    const kernels::Table* base = kernels::find_table(row.base);
    if (base == nullptr || kernels::find_table(row.name) != nullptr) continue;
    kernels::Table& table = tables.emplace_back(*base);
    table.name = row.name;
    ++table.level;
    row.fill(table);
  }
  return tables;
}

std::vector<const kernels::Table*> pointers(const std::vector<kernels::Table>& tables) {
  std::vector<const kernels::Table*> all;
  for (const kernels::Table& table : tables) all.push_back(&table);
  return all;
}

}  // namespace

std::vector<const kernels::Table*> tile_models() {
  static const std::vector<kernels::Table> tables = build(models());
  return pointers(tables);
}

std::vector<const kernels::Table*> unlisted_tables() {
  static const std::vector<kernels::Table> tables = build(faster_elsewhere());
  std::vector<const kernels::Table*> all = pointers(tables);
#ifdef __x86_64__  // no other has matrix units of this kind
  all.push_back(tile_models().back());
#endif
  return all;
}

std::string name_of_bits(const kernels::Table& table) {
  for (const std::vector<Row>& rows : {faster_elsewhere(), models()}) {
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const Row& r) { return r.name == std::string(table.name); });
    if (row != rows.end()) return row->bits;
  }
  return table.name;
}

bool attends_on_tiles(const kernels::Table& table) {
  const std::string bits = name_of_bits(table);
  return bits == "avx512_amx" || bits == "scalar_tile_model";
}

}  // namespace griffin::test
