// SPDX-License-Identifier: Apache-2.0
// Four sums of two tiles by two, which are loaded once. In assembly, because no compiler keeps
// tiles in registers of its own accord.
#include "probe/isa_files.h"

namespace griffin::bench::isa {
namespace {

constexpr int sums = 4;
constexpr int numbers = 16 * 16;  // of a tile of sums
constexpr std::int64_t row_bytes = 64;

/// All eight tiles have sixteen rows of 64 bytes: the operand of ldtilecfg.
struct TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t bytes_of_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

/// Sums of zero in tiles 0 to 3, one operand in 4 and 5, the other in 6 and 7.
void begin(const void* a, const void* b) {
  static constexpr TileConfig config;
  asm volatile("ldtilecfg %0" : : "m"(config));
  asm volatile(
      "tileloadd (%0,%2,1), %%tmm4\n\t"
      "tileloadd (%0,%2,1), %%tmm5\n\t"
      "tileloadd (%1,%2,1), %%tmm6\n\t"
      "tileloadd (%1,%2,1), %%tmm7"
      :
      : "r"(a), "r"(b), "r"(row_bytes)
      : "memory");
}

/// The numbers of all sums, added up. Else every switch of threads would save the tiles from now
/// on.
template <class Number>
double end() {
  alignas(64) Number all[sums][numbers];
  asm volatile(
      "tilestored %%tmm0, (%0,%1,1)\n\t"
      "tilestored %%tmm1, 1024(%0,%1,1)\n\t"
      "tilestored %%tmm2, 2048(%0,%1,1)\n\t"
      "tilestored %%tmm3, 3072(%0,%1,1)\n\t"
      "tilerelease"
      :
      : "r"(&all[0][0]), "r"(row_bytes)
      : "memory");
  double total = 0.0;
  for (const auto& sum : all) {
    for (const Number number : sum) total += static_cast<double>(number);
  }
  return total;
}

double multiply_add_bf16(std::int64_t rounds) {
  alignas(64) std::uint16_t a[2 * numbers];
  for (std::uint16_t& number : a) number = 0x3F40;  // 0.75
  begin(a, a);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm volatile(
        "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
        "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
        "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
        "tdpbf16ps %%tmm7, %%tmm5, %%tmm3"
        :
        :
        : "memory");
  }
  return end<float>();
}

double multiply_add_int8(std::int64_t rounds) {
  alignas(64) std::int8_t a[4 * numbers];
  alignas(64) std::uint8_t b[4 * numbers];
  for (int i = 0; i < 4 * numbers; ++i) {
    a[i] = i % 2 == 0 ? 3 : -2;  // both signs: the sums stay small
    b[i] = 200;
  }
  begin(a, b);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm volatile(
        "tdpbsud %%tmm6, %%tmm4, %%tmm0\n\t"
        "tdpbsud %%tmm7, %%tmm4, %%tmm1\n\t"
        "tdpbsud %%tmm6, %%tmm5, %%tmm2\n\t"
        "tdpbsud %%tmm7, %%tmm5, %%tmm3"
        :
        :
        : "memory");
  }
  return end<std::int32_t>();
}

}  // namespace

const MultiplyAdd bf16_amx = {multiply_add_bf16, 2LL * 32 * numbers* sums};
const MultiplyAdd int8_amx = {multiply_add_int8, 2LL * 64 * numbers* sums};

}  // namespace griffin::bench::isa
