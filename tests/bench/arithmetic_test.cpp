// SPDX-License-Identifier: Apache-2.0
// Peaks of arithmetic: which may be used for what, and that tiles are multiplied. No test knows how
// fast a machine is.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/core/error.h"
#include "kernels/tile_emulator.h"
#include "probe/isa_files.h"
#include "probe/probes.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using bench::Arithmetic;
using kernels::index_of;
using kernels::Table;

constexpr Operand all_operands[] = {Operand::f32, Operand::bf16, Operand::int8};

bool has(const std::vector<const Arithmetic*>& all, std::string_view table, Operand operand) {
  return std::any_of(all.begin(), all.end(), [&](const Arithmetic* one) {
    return one->table == table && one->operand == operand;
  });
}

/// Of every set up to the table's: for what is multiplied, and for what is wider.
TEST(Arithmetic, MayBeThatOfWiderOperandsAndLowerTables) {
  for (int t = 0; t < kernels::table_count(); ++t) {
    const Table& table = kernels::table_at(t);
    for (const Operand operand : all_operands) {
      const auto found = bench::arithmetic_for(operand, table);
      for (const Arithmetic* one : found) {
        EXPECT_LE(one->operand, operand) << table.name;
        const Table* brings = kernels::find_table(one->table);
        ASSERT_NE(brings, nullptr) << one->table;
        EXPECT_LE(brings->level, table.level) << table.name;
      }
      for (int lower = t; lower < kernels::table_count(); ++lower) {
        for (const Operand wider : all_operands) {
          const char* brought_by = kernels::table_at(lower).arithmetic[index_of(wider)];
          if (brought_by == nullptr || wider > operand) continue;
          EXPECT_TRUE(has(found, brought_by, wider)) << table.name << ", " << brought_by;
        }
      }
    }
  }
}

/// One trial of each in turn, then another: what is the fastest is so in one of them only.
TEST(Arithmetic, IsChosenByItsSpeed) {
  for (const Operand operand : all_operands) {
    const auto candidates = bench::arithmetic_for(operand, kernels::table_at(0));
    for (const Arithmetic* fastest : candidates) {
      for (const int trial : {0, 1}) {
        std::map<const Arithmetic*, int> asked;
        const Arithmetic& chosen = bench::fastest_of(candidates, [&](const Arithmetic& one) {
          const int now = asked[&one]++;
          return &one == fastest && now == trial ? 2.0 : 1.0;
        });
        EXPECT_EQ(&chosen, fastest) << fastest->name << ", " << fastest->table;
        for (const Arithmetic* one : candidates) EXPECT_EQ(asked[one], 2) << one->name;
      }
    }
    const auto alike = [](const Arithmetic&) { return 1.0; };
    EXPECT_EQ(&bench::fastest_of(candidates, alike), candidates.front());
  }
}

TEST(Arithmetic, IsChosenOnce) {
  const Table& table = kernels::table_at(0);
  for (const Operand operand : all_operands) {
    const Arithmetic& fastest = bench::fastest_arithmetic(operand, table);
    EXPECT_TRUE(has(bench::arithmetic_for(operand, table), fastest.table, fastest.operand));
    EXPECT_EQ(&bench::fastest_arithmetic(operand, table), &fastest);
    EXPECT_GT(bench::probe_peak(fastest, 1), 0.0);
  }
}

TEST(Arithmetic, IsRefusedWhereItsPeakIsNotKnown) {
  Table table = kernels::table_at(0);
  table.arithmetic[index_of(Operand::bf16)] = "another";
  EXPECT_NO_THROW(bench::arithmetic_for(Operand::f32, table));
  for (const Operand operand : {Operand::bf16, Operand::int8}) {
    try {
      bench::arithmetic_for(operand, table);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_NE(std::string(error.what()).find("bf16 of another"), std::string::npos)
          << error.what();
    }
  }
}

#ifdef GRIFFIN_X86

/// Four sums of 16 by 16 numbers, each of so many products a round: on this CPU's matrix unit, or
/// on an emulated one.
TEST(Arithmetic, OfTilesMultipliesAsOftenAsItSays) {
  std::optional<TileEmulator> emulator;
  if (kernels::find_table("avx512_amx") == nullptr) emulator.emplace();
  constexpr double numbers = 4 * 16 * 16;
  for (const int rounds : {0, 1, 3}) {
    EXPECT_EQ(bench::isa::bf16_amx.run(rounds), rounds * numbers * 32 * 0.75 * 0.75);
    EXPECT_EQ(bench::isa::int8_amx.run(rounds), rounds * numbers * 32 * (3 - 2) * 200);
    EXPECT_FALSE(emulator && TileEmulator::configured());
  }
  EXPECT_TRUE(!emulator || TileEmulator::instructions() > 0);
  EXPECT_EQ(bench::isa::bf16_amx.flops_per_round, 2 * numbers * 32);
  EXPECT_EQ(bench::isa::int8_amx.flops_per_round, 2 * numbers * 64);
}

#endif  // GRIFFIN_X86

}  // namespace
}  // namespace griffin::test
