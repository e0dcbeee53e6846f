// SPDX-License-Identifier: Apache-2.0
#include "support/allocation_counter.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> count{0};
std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> peak{0};
std::atomic<std::int64_t> until_failure{0};

#ifndef GRIFFIN_TEST_NO_ALLOCATION_COUNTER
/// Counts a call, whatever becomes of it.
bool is_to_fail() noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  return until_failure.load(std::memory_order_relaxed) > 0 &&
         until_failure.fetch_sub(1, std::memory_order_relaxed) == 1;
}

void* counted(void* p) noexcept {
  const auto size = static_cast<std::int64_t>(::malloc_usable_size(p));
  const std::int64_t now = live.fetch_add(size, std::memory_order_relaxed) + size;
  std::int64_t most = peak.load(std::memory_order_relaxed);
  while (now > most && !peak.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
  return p;
}

void release(void* p) noexcept {
  live.fetch_sub(static_cast<std::int64_t>(::malloc_usable_size(p)), std::memory_order_relaxed);
  std::free(p);
}

void* allocate(std::size_t size) noexcept {
  return is_to_fail() ? nullptr : counted(std::malloc(size == 0 ? 1 : size));
}

/// aligned_alloc wants a size that is a multiple of the alignment.
void* allocate(std::size_t size, std::align_val_t align) noexcept {
  const auto alignment = static_cast<std::size_t>(align);
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (is_to_fail()) return nullptr;
  return counted(std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded));
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
#endif

}  // namespace

namespace griffin::test {

std::int64_t allocations() noexcept {
  return count.load(std::memory_order_relaxed);
}

std::int64_t live_bytes() noexcept {
  return live.load(std::memory_order_relaxed);
}

std::int64_t peak_bytes() noexcept {
  return peak.load(std::memory_order_relaxed);
}

void forget_peak() noexcept {
  peak = live.load();
}

void fail_allocation(std::int64_t nth) noexcept {
  until_failure = nth;
}

}  // namespace griffin::test

#ifndef GRIFFIN_TEST_NO_ALLOCATION_COUNTER
// Every form is replaced, since the default ones of a sanitizer do not call each other.
void* operator new(std::size_t size) {
  return or_throw(allocate(size));
}
void* operator new[](std::size_t size) {
  return or_throw(allocate(size));
}
void* operator new(std::size_t size, std::align_val_t a) {
  return or_throw(allocate(size, a));
}
void* operator new[](std::size_t size, std::align_val_t a) {
  return or_throw(allocate(size, a));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, a);
}
void* operator new[](std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, a);
}

void operator delete(void* p) noexcept {
  release(p);
}
void operator delete[](void* p) noexcept {
  release(p);
}
void operator delete(void* p, std::size_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  release(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  release(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  release(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
  release(p);
}
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  release(p);
}
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept {
  release(p);
}
#endif
