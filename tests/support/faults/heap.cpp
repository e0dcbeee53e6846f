// SPDX-License-Identifier: Apache-2.0
#include "support/faults/heap.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "support/faults/failing_allocations.h"

#if GRIFFIN_TEST_OWN_MALLOC

// glibc's own, which stay reachable by these names when malloc is replaced.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);
}

namespace griffin::test {
namespace {

// Constant-initialised: allocations come before constructors run.
constinit std::atomic<std::int64_t> calls_so_far{0};
constinit std::atomic<std::int64_t> call_that_fails{INT64_MAX};
constinit std::atomic<std::int64_t> blocks{0};

bool is_to_fail() noexcept {
  const std::int64_t number = calls_so_far.fetch_add(1, std::memory_order_relaxed) + 1;
  if (number != call_that_fails.load(std::memory_order_relaxed)) return false;
  errno = ENOMEM;
  return true;
}

void* counted(void* block) noexcept {
  if (block != nullptr) blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

}  // namespace

std::int64_t heap::calls() noexcept {
  return calls_so_far.load(std::memory_order_relaxed);
}

void heap::fail_call(std::int64_t number) noexcept {
  call_that_fails = number;
}

std::int64_t heap::in_use() noexcept {
  return blocks.load(std::memory_order_relaxed);
}

}  // namespace griffin::test

using griffin::test::counted;
using griffin::test::is_to_fail;

extern "C" {

void* malloc(std::size_t size) noexcept {
  return is_to_fail() ? nullptr : counted(__libc_malloc(size));
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  return is_to_fail() ? nullptr : counted(__libc_calloc(count, size));
}

void* realloc(void* old, std::size_t size) noexcept {
  if (old != nullptr && size == 0) return free(old), nullptr;  // as glibc has it
  if (is_to_fail()) return nullptr;
  void* block = __libc_realloc(old, size);
  return old == nullptr ? counted(block) : block;
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return is_to_fail() ? nullptr : counted(__libc_memalign(alignment, size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
  void* found = memalign(alignment, size);
  if (found == nullptr) return ENOMEM;
  *block = found;
  return 0;
}

void free(void* block) noexcept {
  if (block == nullptr) return;
  griffin::test::blocks.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(block);
}

}  // extern "C"

#else

namespace griffin::test {

std::int64_t heap::calls() noexcept {
  return allocations();
}

void heap::fail_call(std::int64_t number) noexcept {
  fail_allocation(number == INT64_MAX ? 0 : number - allocations());
}

std::int64_t heap::in_use() noexcept {
  return live_bytes();
}

}  // namespace griffin::test

#endif
