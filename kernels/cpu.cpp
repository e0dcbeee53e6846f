// SPDX-License-Identifier: Apache-2.0
// Compiled for the lowest CPU.
#include "cpu.h"

#include <chrono>

#ifdef GRIFFIN_X86
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif
#if defined(GRIFFIN_NEON) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace griffin::kernels {

#ifdef GRIFFIN_X86

// In avx512_bf16_fma.cpp: so many products of pairs each way.
void run_dot_products(int rounds) noexcept;
void run_multiply_adds(int rounds) noexcept;

namespace {

/// Zeros where the CPU has no such leaf.
Cpuid cpuid(unsigned leaf, unsigned part) noexcept {
  Cpuid found = {};
  if (__get_cpuid_count(leaf, part, &found.eax, &found.ebx, &found.ecx, &found.edx) == 0) return {};
  return found;
}

/// The registers that the operating system saves; none where it does not say.
std::uint64_t saved_registers() noexcept {
  constexpr std::uint32_t os_saves = 1U << 27;  // OSXSAVE: then there is the instruction to ask
  if ((cpuid(1, 0).ecx & os_saves) == 0) return 0;
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

}  // namespace

bool has_f16c() noexcept {
  return (cpuid(1, 0).ecx & bit_F16C) != 0;
}

/// A CPU does not say so, and a list of those that are would be wrong about the next one; so it is
/// measured, in some 20 us. Known CPUs take half the time of the multiply-adds or twice, as much as
/// any noise leaves of the best of ten tries; were it wrong all the same, it would cost time, but
/// no bit.
bool vdpbf16ps_is_slow() noexcept {
  using Clock = std::chrono::steady_clock;
  const auto time = [](void (*run)(int) noexcept, Clock::duration& best) {
    constexpr int rounds = 128;
    const Clock::time_point start = Clock::now();
    run(rounds);
    const Clock::duration taken = Clock::now() - start;
    if (taken < best) best = taken;
  };
  Clock::duration dot_products = Clock::duration::max();
  Clock::duration multiply_adds = Clock::duration::max();
  for (int i = 0; i < 10; ++i) {
    time(run_dot_products, dot_products);
    time(run_multiply_adds, multiply_adds);
  }
  return 5 * dot_products > 7 * multiply_adds;
}

bool may_use_tiles() noexcept {
#ifdef __linux__
  const bool tiles =
      announces_tiles(cpuid(7, 0), cpuid(0x1D, 0), cpuid(0x1D, 1), saved_registers());
  if (!tiles) return false;
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

#endif  // GRIFFIN_X86

#ifdef GRIFFIN_NEON
#if defined(__linux__)
bool linux_has_dotprod() noexcept {
  constexpr unsigned long asimd_dot_product = 1UL << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & asimd_dot_product) != 0;
}
bool linux_has_i8mm() noexcept {
  constexpr unsigned long int8_matrices = 1UL << 13;  // HWCAP2_I8MM
  return (getauxval(AT_HWCAP2) & int8_matrices) != 0;
}
#else
bool linux_has_dotprod() noexcept {
  return false;
}
bool linux_has_i8mm() noexcept {
  return false;
}
#endif
#endif  // GRIFFIN_NEON

}  // namespace griffin::kernels
