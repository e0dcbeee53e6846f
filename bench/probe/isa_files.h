// SPDX-License-Identifier: Apache-2.0
// What the files for one instruction set each offer to bench/probe/probes.cpp, which asks the CPU
// first. Nothing here is inline: the linker would keep one copy, compiled for any CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace griffin::bench::isa {

/// A reader takes turns on so many streams at most.
inline constexpr int most_streams = 16;

/// Reads `bytes`, a multiple of read_step, from the start of each of `streams` streams, which are
/// on cache lines. With `prefetched`, that much of a stream in turn, each line prefetched so many
/// bytes before it is read; else a line of each in turn. The answer depends on every byte, so that
/// nothing can be left out.
using Read = std::uint64_t (*)(const std::byte* const* starts, int streams, std::size_t prefetched,
                               std::size_t bytes);
inline constexpr std::size_t read_step = 256;

/// Multiplies and adds in registers, `rounds` times one instruction for each of a number of
/// independent chains: more than latency times instructions per cycle. The answer depends on all.
struct MultiplyAdd {
  double (*run)(std::int64_t rounds);
  std::int64_t flops_per_round;  // 2 a multiply-add
};

/// to[i] = a multiply-add of element i of `reads` arrays, 1 to 3, for i < count, which is a
/// multiple of stream_step; with stores that do not read what they replace, where there are such.
/// All arrays start on a cache line.
using Stream = void (*)(const float* const* from, int reads, float* to, std::int64_t count);
inline constexpr std::int64_t stream_step = 16;

std::uint64_t read_portable(const std::byte* const* starts, int streams, std::size_t prefetched,
                            std::size_t bytes);
void stream_portable(const float* const* from, int reads, float* to, std::int64_t count);
extern const MultiplyAdd f32_portable;

#ifdef GRIFFIN_NEON
extern const MultiplyAdd int8_dotprod;  // sdot
extern const MultiplyAdd int8_i8mm;     // usmmla
#endif

#ifdef GRIFFIN_X86
std::uint64_t read_avx2(const std::byte* const* starts, int streams, std::size_t prefetched,
                        std::size_t bytes);
void stream_avx2(const float* const* from, int reads, float* to, std::int64_t count);
extern const MultiplyAdd f32_avx2;
extern const MultiplyAdd int8_avx2;  // vpmaddubsw, vpmaddwd, vpaddd

std::uint64_t read_avx512(const std::byte* const* starts, int streams, std::size_t prefetched,
                          std::size_t bytes);
void stream_avx512(const float* const* from, int reads, float* to, std::int64_t count);
extern const MultiplyAdd f32_avx512;

extern const MultiplyAdd bf16_avx512;  // vdpbf16ps
extern const MultiplyAdd int8_avx512;  // vpdpbusd

// Only where there is a table "avx512_amx", which has asked the system for the tiles.
extern const MultiplyAdd bf16_amx;  // tdpbf16ps
extern const MultiplyAdd int8_amx;  // tdpbsud
#endif

}  // namespace griffin::bench::isa
