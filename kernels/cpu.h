// SPDX-License-Identifier: Apache-2.0
// What the CPU can do and the operating system lets it do, where the compiler does not know how to
// ask. dispatch.cpp includes it for the conditions of isas.inc.
#pragma once

#include <cstdint>

namespace griffin::kernels {

/// Four registers that CPUID fills.
struct Cpuid {
  std::uint32_t eax, ebx, ecx, edx;
};

/// Whether there is a matrix unit for bf16 and int8 whose tiles are as large as simd/tile_config.h
/// has them, by CPUID 7, 1D.0 and 1D.1 (some virtual machines announce the instructions and have no
/// palette of tiles), and an operating system that saves them, by XCR0.
constexpr bool announces_tiles(const Cpuid& features, const Cpuid& palettes, const Cpuid& palette_1,
                               std::uint64_t xcr0) noexcept {
  constexpr std::uint32_t bf16 = 1U << 22;
  constexpr std::uint32_t tile = 1U << 24;
  constexpr std::uint32_t int8 = 1U << 25;
  constexpr std::uint32_t wanted = bf16 | tile | int8;
  constexpr std::uint64_t saved = 3U << 17;  // configuration and data of tiles
  const std::uint32_t tile_bytes = palette_1.eax >> 16;
  const std::uint32_t row_bytes = palette_1.ebx & 0xFFFFU;
  const std::uint32_t registers = palette_1.ebx >> 16;
  const std::uint32_t rows = palette_1.ecx & 0xFFFFU;
  return (features.edx & wanted) == wanted && (xcr0 & saved) == saved && palettes.eax >= 1 &&
         tile_bytes == 1024 && row_bytes == 64 && registers == 8 && rows == 16;
}

#ifdef GRIFFIN_X86
bool has_f16c() noexcept;

/// Whether vdpbf16ps takes longer than the two multiply-adds that give its bits, by measuring it.
/// The CPU must have it.
bool vdpbf16ps_is_slow() noexcept;

/// Whether there is a matrix unit that this process may use. Asks the operating system, which then
/// keeps tiles for every thread of the process and refuses signal stacks that are too small for
/// them.
bool may_use_tiles() noexcept;
#endif

#ifdef GRIFFIN_NEON
// Elsewhere than on Linux there is no common way to ask.
bool linux_has_dotprod() noexcept;
bool linux_has_i8mm() noexcept;
#endif

}  // namespace griffin::kernels
