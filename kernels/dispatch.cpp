// SPDX-License-Identifier: Apache-2.0
// Which kernels run on this machine. Compiled for the lowest CPU; asks before it offers.
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

#include "cpu.h"
#include "griffin/core/error.h"
#include "griffin/kernels.h"

namespace griffin::kernels {

#define GRIFFIN_ISA(name, base, condition) void fill_##name(Table& table) noexcept;
#include "isas.inc"
#undef GRIFFIN_ISA

namespace {

#ifdef GRIFFIN_X86
#define CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)

/// Whether GRIFFIN_ISA has that value; "" where it is not set.
bool is_named(const char* isa) noexcept {
  const char* name = std::getenv("GRIFFIN_ISA");
  return std::strcmp(name != nullptr ? name : "", isa) == 0;
}

/// Whether a set may be asked for that costs the process something: not where GRIFFIN_ISA names
/// another.
bool is_wanted(const char* isa) noexcept {
  constexpr const char* names[] = {
#define GRIFFIN_ISA(name, base, condition) #name,
#include "isas.inc"
#undef GRIFFIN_ISA
  };
  for (const char* other : names) {
    if (is_named(other)) return std::strcmp(other, isa) == 0;
  }
  return true;
}
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
