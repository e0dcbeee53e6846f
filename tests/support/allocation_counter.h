// SPDX-License-Identifier: Apache-2.0
// Counts what the program takes from the heap, and lets it run out: a test that includes this
// replaces operator new.
#pragma once

#include <cstdint>

namespace griffin::test {

/// Under the thread sanitizer operator new is the sanitizer's own and cannot be replaced.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GRIFFIN_TEST_NO_ALLOCATION_COUNTER
#endif
#elif defined(__SANITIZE_THREAD__)
#define GRIFFIN_TEST_NO_ALLOCATION_COUNTER
#endif

/// False where the numbers below stand still: a test of them must then skip, not pass.
#ifdef GRIFFIN_TEST_NO_ALLOCATION_COUNTER
inline constexpr bool counts_allocations = false;
#else
inline constexpr bool counts_allocations = true;
#endif

/// Calls of any operator new so far, by all threads.
std::int64_t allocations() noexcept;

/// Bytes that are in use of what operator new gave, and the most there were since forget_peak().
std::int64_t live_bytes() noexcept;
std::int64_t peak_bytes() noexcept;
void forget_peak() noexcept;

/// Lets the `nth` call of operator new from now on fail, by whichever thread; 0: none.
void fail_allocation(std::int64_t nth) noexcept;

}  // namespace griffin::test
