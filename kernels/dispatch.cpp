// SPDX-License-Identifier: Apache-2.0
// Which kernels run on this machine. Compiled for the lowest CPU; asks before it offers.
#include <cstdlib>
#include <cstring>

#include "griffin/kernels.h"
#include "isa_files.h"

#ifdef GRIFFIN_X86
#include <cpuid.h>
#endif
#if defined(GRIFFIN_NEON) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace griffin::kernels {
namespace {

constexpr int max_tables = 5;

struct Tables {
  Table items[max_tables] = {};  // worst first while they are made: each starts from the one below
  int count = 0;

  void add(void (*fill)(Table&) noexcept) noexcept {
    if (count > 0) items[count] = items[count - 1];
    fill(items[count]);
    ++count;
  }
};

#ifdef GRIFFIN_X86
bool has_f16c() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

// These ask the operating system too: it must save the wider registers.
bool runs_avx2() noexcept {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && has_f16c();
}

bool runs_avx512() noexcept {
  return runs_avx2() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0;
}

bool runs_avx512_vnni() noexcept {
  return runs_avx512() && __builtin_cpu_supports("avx512vnni") != 0;
}

bool runs_avx512_bf16() noexcept {
  return runs_avx512_vnni() && __builtin_cpu_supports("avx512bf16") != 0;
}
#endif

#ifdef GRIFFIN_NEON
/// Elsewhere than on Linux there is no common way to ask.
bool runs_neon_dotprod() noexcept {
#if defined(__linux__)
  constexpr unsigned long asimd_dot_product = 1UL << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & asimd_dot_product) != 0;
#else
  return false;
#endif
}
#endif

Tables make_tables() noexcept {
  Tables tables;
  tables.add(fill_scalar);
#ifdef GRIFFIN_NEON
  tables.add(fill_neon);  // every AArch64 has it
  if (runs_neon_dotprod()) tables.add(fill_neon_dotprod);
#endif
#ifdef GRIFFIN_X86
  if (runs_avx2()) tables.add(fill_avx2);
  if (runs_avx512()) tables.add(fill_avx512);
  if (runs_avx512_vnni()) tables.add(fill_avx512_vnni);
  if (runs_avx512_bf16()) tables.add(fill_avx512_bf16);
#endif
  return tables;
}

const Tables& all_tables() noexcept {
  static const Tables tables = make_tables();
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
  for (int i = 0; i < table_count(); ++i) {
    if (std::strcmp(table_at(i).name, name) == 0) return &table_at(i);
  }
  return nullptr;
}

const Table* default_table() noexcept {
  return find_table(std::getenv("GRIFFIN_ISA"));
}

}  // namespace griffin::kernels
