// SPDX-License-Identifier: Apache-2.0
// Every instruction set of this machine as a parameter of a test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <iterator>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "griffin/core/weight.h"
#include "griffin/kernels.h"
#include "support/unlisted_tables.h"

namespace griffin::test {

/// The tables that the library offers on this machine, best first.
inline std::vector<const kernels::Table*> listed_tables() {
  std::vector<const kernels::Table*> tables;
  for (int i = 0; i < kernels::table_count(); ++i) tables.push_back(&kernels::table_at(i));
  return tables;
}

/// All tables this machine can run, those that extend others before them: the ones it does not
/// offer, and then the others, best first.
inline std::vector<const kernels::Table*> all_tables() {
  std::vector<const kernels::Table*> tables = unlisted_tables();
  for (const kernels::Table* table : listed_tables()) tables.push_back(table);
  return tables;
}

/// The tables whose `kernels(table)`, what a test calls, a lower table does not have, too: a set
/// inherits what it does not improve, and the same function would be tested once more.
template <class Kernels>
std::vector<const kernels::Table*> tables_with_own(const Kernels& kernels) {
  const std::vector<const kernels::Table*> all = all_tables();
  std::vector<const kernels::Table*> own;
  for (auto table = all.begin(); table != all.end(); ++table) {
    const bool inherited = std::any_of(table + 1, all.end(), [&](const kernels::Table* lower) {
      return std::invoke(kernels, *lower) == std::invoke(kernels, **table);
    });
    if (!inherited) own.push_back(*table);
  }
  return own;
}

/// For tables_with_own: the kernels of attention.
inline auto attention_of(const kernels::Table& table) {
  return std::pair(std::to_array(table.attention), table.attention_scratch);
}

/// The tables with an attention of their own, and both models of tiles.
inline std::vector<const kernels::Table*> attention_tables() {
  std::vector<const kernels::Table*> tables = tables_with_own(attention_of);
  for (const kernels::Table* model : tile_models()) {
    if (std::find(tables.begin(), tables.end(), model) == tables.end()) tables.push_back(model);
  }
  return tables;
}

/// For tables_with_own: the products of float32 activations, of Table::matmul or block_diagonal.
template <auto Products>
auto float_products_of(const kernels::Table& table) {
  const auto& products = table.*Products;
  std::array<std::decay_t<decltype(products[0][0])>, kernels::float_dtypes> of_f32;
  const unsigned f32 = kernels::index_of(Operand::f32);
  for (std::size_t d = 0; d < of_f32.size(); ++d) of_f32[d] = products[d][f32];
  return of_f32;
}

/// Whether a model with such weights is computed by the same kernels with both tables.
inline bool same_kernels(const kernels::Table& a, const kernels::Table& b, Dtype weights) {
  const auto called = [&](kernels::Table table) {
    std::fill(std::begin(table.arithmetic), std::end(table.arithmetic), nullptr);
    if (is_quantized(weights)) return table;
    const unsigned operand = kernels::index_of(Operand::int8);
    table.pack[operand] = nullptr;
    for (const unsigned d : {kernels::index_of(Dtype::int8), kernels::index_of(Dtype::int4)}) {
      table.matmul[d][operand] = nullptr;
      table.block_diagonal[d][operand] = nullptr;
      table.embed[d] = nullptr;
    }
    return table;
  };
  const kernels::Table of_a = called(a);
  const kernels::Table of_b = called(b);
  constexpr std::size_t begin = offsetof(kernels::Table, tiling);  // after the name and the level
  const auto* bytes_of_a = reinterpret_cast<const char*>(&of_a);
  const auto* bytes_of_b = reinterpret_cast<const char*>(&of_b);
  return std::memcmp(bytes_of_a + begin, bytes_of_b + begin, sizeof of_a - begin) == 0;
}

/// The lowest table that computes a model with such weights as `table` does; often that itself.
inline const kernels::Table& lowest_like(const kernels::Table& table, Dtype weights) {
  const std::vector<const kernels::Table*> all = all_tables();
  return **std::find_if(all.rbegin(), all.rend(), [&](const kernels::Table* lower) {
    return same_kernels(*lower, table, weights);
  });
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
