// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <set>
#include <string>

#include "griffin/core/error.h"
#include "kernels/cpu.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

using kernels::default_table;
using kernels::find_table;
using kernels::table_at;
using kernels::table_count;

/// Sets GRIFFIN_ISA, and puts back what it was.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    if (const char* old = std::getenv("GRIFFIN_ISA")) old_ = old;
    if (value == nullptr) {
      unsetenv("GRIFFIN_ISA");
    } else {
      setenv("GRIFFIN_ISA", value, 1);
    }
  }
  ~IsaVariable() {
    if (old_) {
      setenv("GRIFFIN_ISA", old_->c_str(), 1);
    } else {
      unsetenv("GRIFFIN_ISA");
    }
  }
  IsaVariable(const IsaVariable&) = delete;
  IsaVariable& operator=(const IsaVariable&) = delete;

 private:
  std::optional<std::string> old_;
};

TEST(Dispatch, EndsWithTheScalarTable) {
  ASSERT_GE(table_count(), 1);
  const kernels::Table& last = table_at(table_count() - 1);
  EXPECT_STREQ(last.name, "scalar");
  EXPECT_EQ(last.level, 0);
}

TEST(Dispatch, NamesAreUniqueAndFindTheirTable) {
  std::set<std::string> names;
  for (const kernels::Table* table : listed_tables()) {
    EXPECT_TRUE(names.insert(table->name).second) << table->name;
    EXPECT_EQ(find_table(table->name), table);
  }
}

TEST(Dispatch, IsSortedBestFirst) {
  for (int i = 1; i < table_count(); ++i) EXPECT_GT(table_at(i - 1).level, table_at(i).level);
}

/// Float32 is multiplied everywhere, and whoever brings an arithmetic is a table of this machine,
/// not a better one.
TEST(Dispatch, ArithmeticComesFromTablesBelow) {
  for (const kernels::Table* table : listed_tables()) {
    ASSERT_NE(table->arithmetic[kernels::index_of(Operand::f32)], nullptr) << table->name;
    for (const char* name : table->arithmetic) {
      if (name == nullptr) continue;
      const kernels::Table* brings = find_table(name);
      ASSERT_NE(brings, nullptr) << table->name << ", " << name;
      EXPECT_LE(brings->level, table->level) << table->name;
    }
  }
}

/// What layers rely on when they share out work.
TEST(Dispatch, StepsFitIntoOneAnother) {
  for (const kernels::Table* table : listed_tables()) {
    const kernels::Tiling& tiling = table->tiling;
    for (const std::int64_t step : {tiling.pack_rows, tiling.pack_columns, tiling.column_multiple,
                                    tiling.strip_columns, tiling.few_rows, tiling.scan_columns}) {
      EXPECT_GT(step, 0) << table->name;
    }
    EXPECT_EQ(tiling.pack_columns % tiling.column_multiple, 0) << table->name;
    EXPECT_EQ(tiling.strip_columns % tiling.pack_columns, 0) << table->name;
    EXPECT_EQ(tiling.scan_columns % tiling.pack_columns, 0) << table->name;
  }
}

TEST(Dispatch, NullAndEmptyMeanTheBest) {
  EXPECT_EQ(find_table(nullptr), &table_at(0));
  EXPECT_EQ(find_table(""), &table_at(0));
}

TEST(Dispatch, RefusesUnknownNames) {
  for (const char* name : {"avx", "avx5120", "AVX2", "scalar ", "sse", "0"}) {
    EXPECT_EQ(find_table(name), nullptr) << name;
  }
}

#ifdef __x86_64__
/// AMD's CPUs start as many vdpbf16ps as float32 multiply-adds, and that is measured right.
TEST(Dispatch, OffersMultiplyAddsForBf16OnlyWhereTheyAreFaster) {
  if (find_table("avx512_bf16") == nullptr) GTEST_SKIP() << "no vdpbf16ps";
  if (__builtin_cpu_is("amd") == 0) GTEST_SKIP() << "not known of this CPU";
  EXPECT_EQ(find_table("avx512_bf16_fma"), nullptr);
}
#endif

TEST(Dispatch, HonoursTheEnvironment) {
  for (const kernels::Table* table : listed_tables()) {
    const IsaVariable variable(table->name);
    EXPECT_EQ(&default_table(), table);
  }
  {
    const IsaVariable variable("no such set");
    try {
      default_table();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      for (const kernels::Table* table : listed_tables()) {
        EXPECT_NE(std::string(error.what()).find(table->name), std::string::npos) << error.what();
      }
    }
  }
  const IsaVariable variable(nullptr);
  EXPECT_EQ(&default_table(), &table_at(0));
}

/// CPUID 7, 1D.0 and 1D.1, and XCR0, of CPUs and virtual machines.
TEST(Dispatch, KnowsTilesByTheirPalette) {
  constexpr kernels::Cpuid features{2, 0xF1BF2FFF, 0x1B415F6E, 0xFFDD4432};
  constexpr kernels::Cpuid palettes{1, 0, 0, 0};
  constexpr kernels::Cpuid palette{0x04002000, 0x00080040, 16, 0};
  constexpr std::uint64_t xcr0 = 0x602E7;
  EXPECT_TRUE(kernels::announces_tiles(features, palettes, palette, xcr0));
  EXPECT_FALSE(kernels::announces_tiles(features, {}, {}, xcr0)) << "announced, without a palette";
  EXPECT_FALSE(kernels::announces_tiles(features, palettes, {}, xcr0));
  EXPECT_FALSE(kernels::announces_tiles(features, {}, palette, xcr0));
  for (const std::uint32_t bit : {22U, 24U, 25U}) {
    kernels::Cpuid without = features;
    without.edx &= ~(1U << bit);
    EXPECT_FALSE(kernels::announces_tiles(without, palettes, palette, xcr0))
        << "without bit " << bit;
  }
  for (const std::uint64_t bit : {17U, 18U}) {
    EXPECT_FALSE(kernels::announces_tiles(features, palettes, palette, xcr0 & ~(1U << bit)))
        << "bit " << bit << " of XCR0";
  }
  const kernels::Cpuid other_tiles[] = {{0x08002000, 0x00080040, 16, 0},
                                        {0x04002000, 0x00080080, 16, 0},
                                        {0x04002000, 0x00040040, 16, 0},
                                        {0x04002000, 0x00080040, 8, 0}};
  for (const kernels::Cpuid& other : other_tiles) {
    EXPECT_FALSE(kernels::announces_tiles(features, palettes, other, xcr0));
  }
}

class Tables : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, Tables, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(Tables, AreComplete) {
  for (const auto matmul : table().matmul) EXPECT_NE(matmul, nullptr);
  for (const auto block_diagonal : table().block_diagonal) EXPECT_NE(block_diagonal, nullptr);
  for (const auto attention : table().attention) EXPECT_NE(attention, nullptr);
  for (const auto embed : table().embed) EXPECT_NE(embed, nullptr);
  for (const auto widen : table().widen) EXPECT_NE(widen, nullptr);
  for (const auto operand : {Operand::bf16, Operand::int8}) {
    EXPECT_NE(table().pack[static_cast<std::size_t>(operand)], nullptr);
  }
  EXPECT_NE(table().linear_scan, nullptr);
  EXPECT_NE(table().rg_lru, nullptr);
  EXPECT_NE(table().conv1d, nullptr);
  EXPECT_NE(table().rms_norm, nullptr);
  EXPECT_NE(table().activation_gate, nullptr);
  EXPECT_NE(table().rope_angles, nullptr);
  EXPECT_NE(table().rope, nullptr);
  EXPECT_NE(table().soft_cap, nullptr);
  EXPECT_NE(table().narrow_bf16, nullptr);
  EXPECT_NE(table().argmax, nullptr);
}

}  // namespace
}  // namespace griffin::test
