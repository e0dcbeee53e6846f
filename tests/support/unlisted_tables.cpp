// SPDX-License-Identifier: Apache-2.0
#include "support/unlisted_tables.h"

#include <string_view>

#include "support/tile_models/tile_models.h"

namespace griffin::test {
namespace {

/// `base`, with what `fill` puts in the place of its kernels.
kernels::Table extended(const kernels::Table& base, const char* name,
                        void (*fill)(kernels::Table&) noexcept) {
  kernels::Table table = base;
  table.name = name;
  fill(table);
  return table;
}

}  // namespace

std::vector<const kernels::Table*> unlisted_tables() {
  static const kernels::Table scalar = extended(*kernels::find_table("scalar"), "scalar_tile_model",
                                                kernels::fill_scalar_tile_model);
  std::vector<const kernels::Table*> tables = {&scalar};
#ifdef __x86_64__
  if (const kernels::Table* base = kernels::find_table("avx512_bf16")) {
    static const kernels::Table avx512 =
        extended(*base, "avx512_tile_model", kernels::fill_avx512_tile_model);
    tables.push_back(&avx512);
  }
#endif
  return tables;
}

bool attends_on_tiles(const kernels::Table& table) {
  return recorded_name(table) == "avx512_amx" ||
         std::string_view(table.name) == "scalar_tile_model";
}

std::string recorded_name(const kernels::Table& table) {
  if (std::string_view(table.name) == "avx512_tile_model") return "avx512_amx";
  return table.name;
}

}  // namespace griffin::test
