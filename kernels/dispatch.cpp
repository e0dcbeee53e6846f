// SPDX-License-Identifier: Apache-2.0
// Which kernels run on this machine. Compiled for the lowest CPU; asks before it offers.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

#include "griffin/core/error.h"
#include "griffin/kernels.h"

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

#define GRIFFIN_ISA(name, base, condition) void fill_##name(Table& table) noexcept;
#include "isas.inc"
#undef GRIFFIN_ISA

#ifdef GRIFFIN_X86
// In avx512_bf16_fma.cpp: so many products of pairs each way.
void run_dot_products(int rounds) noexcept;
void run_multiply_adds(int rounds) noexcept;
#endif

namespace {

#ifdef GRIFFIN_X86
#define CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)

bool has_f16c() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

/// Whether vdpbf16ps takes longer than the two multiply-adds that give its bits. A CPU does not
/// say so, and a list of those that are would be wrong about the next one; so it is measured, in
/// some 20 us. Known CPUs take half the time of the multiply-adds or twice, as much as any noise
/// leaves of the best of ten tries; were it wrong all the same, it would cost time, but no bit.
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
#endif

#ifdef GRIFFIN_X86
/// The matrix unit, with tiles as large as tile_config.h has them: some virtual machines announce
/// the instructions and have no palette of tiles.
bool has_tiles() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned bf16 = 1U << 22;
  constexpr unsigned tile = 1U << 24;
  constexpr unsigned int8 = 1U << 25;
  constexpr unsigned wanted = bf16 | tile | int8;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & wanted) != wanted)
    return false;
  if (__get_cpuid_count(0x1D, 0, &eax, &ebx, &ecx, &edx) == 0 || eax < 1) return false;
  if (__get_cpuid_count(0x1D, 1, &eax, &ebx, &ecx, &edx) == 0) return false;
  const unsigned tile_bytes = eax >> 16;
  const unsigned row_bytes = ebx & 0xFFFFU;
  const unsigned names = ebx >> 16;
  const unsigned rows = ecx & 0xFFFFU;
  return tile_bytes == 1024 && row_bytes == 64 && names == 8 && rows == 16;
}

/// Asks the operating system, which then keeps tiles for every thread of this process. It is asked
/// last, and not at all by who wants other kernels: with the permission, signal stacks that are too
/// small for tiles are refused.
bool may_use_tiles() noexcept {
#ifdef __linux__
  const char* wanted = std::getenv("GRIFFIN_ISA");
  if (wanted != nullptr && *wanted != '\0' && std::strcmp(wanted, "avx512_amx") != 0) return false;
  if (!has_tiles()) return false;
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#endif

#ifdef GRIFFIN_NEON
// Elsewhere than on Linux there is no common way to ask.
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
#endif

/// An instruction set that this build has kernels for.
struct Isa {
  const char* name;
  const char* base;  // the set that it extends; "" for the first
  bool (*runs)() noexcept;
  void (*fill)(Table& table) noexcept;  // puts its kernels in the place of those of `base`
};

constexpr Isa isas[] = {
#define GRIFFIN_ISA(name, base, condition) \
  {#name, #base, []() noexcept -> bool { return condition; }, fill_##name},
#include "isas.inc"
#undef GRIFFIN_ISA
};

const Table* find(const Table* tables, int count, const char* name) noexcept {
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(tables[i].name, name) == 0) return tables + i;
  }
  return nullptr;
}

/// Those that run here, lowest first.
struct Tables {
  Table items[std::size(isas)] = {};
  int count = 0;

  Tables() noexcept {
    for (std::size_t i = 0; i < std::size(isas); ++i) add(isas[i], static_cast<int>(i));
  }

  void add(const Isa& isa, int level) noexcept {
    const Table* base = find(items, count, isa.base);
    if ((level > 0 && base == nullptr) || !isa.runs()) return;
    Table& table = items[count++];
    if (base != nullptr) table = *base;
    table.name = isa.name;
    table.level = level;
    isa.fill(table);
  }
};

const Tables& all_tables() noexcept {
  static const Tables tables;
  return tables;
}

}  // namespace

int table_count() noexcept {
  return all_tables().count;
}

const Table& table_at(int index) noexcept {
  const Tables& tables = all_tables();
  return tables.items[tables.count - 1 - index];
}

const Table* find_table(const char* name) noexcept {
  if (name == nullptr || *name == '\0') return &table_at(0);
  return find(all_tables().items, table_count(), name);
}

const Table& default_table() {
  if (const Table* table = find_table(std::getenv("GRIFFIN_ISA"))) return *table;
  std::string names;
  for (int i = 0; i < table_count(); ++i) {
    names += i == 0 ? "" : ", ";
    names += table_at(i).name;
  }
  throw Error(ErrorCode::unsupported,
              "GRIFFIN_ISA names kernels that do not run here; expected one of: " + names);
}

}  // namespace griffin::kernels
