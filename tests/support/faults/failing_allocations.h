// SPDX-License-Identifier: Apache-2.0
// Lets a program run out of memory at every allocation in turn. Link griffin_test_faults for it.
#pragma once

#include <cstdint>
#include <functional>

#include "support/allocation_counter.h"

#if defined(GRIFFIN_TEST_NO_ALLOCATION_COUNTER) || defined(__SANITIZE_ADDRESS__) || \
    !defined(__GLIBC__)
#define GRIFFIN_TEST_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRIFFIN_TEST_OWN_MALLOC 0
#else
#define GRIFFIN_TEST_OWN_MALLOC 1
#endif
#else
#define GRIFFIN_TEST_OWN_MALLOC 1
#endif

namespace griffin::test {

/// Which allocations can fail: those of malloc and its like, operator new's among them. Those of
/// operator new alone under the address sanitizer, and none under the thread sanitizer, whose own
/// functions cannot be replaced.
inline constexpr bool allocations_can_fail = counts_allocations;
inline constexpr bool mallocs_can_fail = GRIFFIN_TEST_OWN_MALLOC != 0;

/// While it lives, the nth allocation from now on fails, by whichever thread. One at a time.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t nth) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// Whether it came to that.
  bool struck() const noexcept;

 private:
  std::int64_t last_;  // the number of the allocation that fails
};

/// What is in use of the heap: blocks, or bytes of operator new where only that can fail.
std::int64_t heap_in_use() noexcept;

/// What is done beside the operation of fail_every_allocation(). Nothing fails in it.
struct FaultHooks {
  std::function<void()> before_run = {};
  std::function<void()> after_fault = {};  // after each run in which an allocation failed
};

/// The core of fail_every_allocation(): `same` says whether the operation gives what it gave
/// before.
std::int64_t fail_every_allocation_of(const std::function<bool()>& same, const FaultHooks& hooks);

/// Runs `operation` with the first allocation failing, then with the second, and so on until none
/// fails any more. It may then throw for lack of memory (std::bad_alloc, Error(capacity), or
/// Error(io) with the words of the system) or do without, and return what it always does. After
/// each it is run once more, and has to succeed, return what it always does, and leave as much of
/// the heap in use as there was. Adds a failure, which names the allocation, where that is not so.
/// Returns how many allocations failed.
///
/// What `operation` returns is compared. Where errors are reported by other means than exceptions,
/// it throws std::bad_alloc for those of memory.
template <class Operation>
std::int64_t fail_every_allocation(const Operation& operation, const FaultHooks& hooks = {}) {
  if (hooks.before_run) hooks.before_run();
  const auto expected = operation();
  return fail_every_allocation_of([&] { return operation() == expected; }, hooks);
}

}  // namespace griffin::test
