// SPDX-License-Identifier: Apache-2.0
#include "support/faults/failing_allocations.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "griffin/core/error.h"
#include "support/faults/heap.h"

namespace griffin::test {
namespace {

/// What was thrown, unless that is how a lack of memory is reported.
std::string complaint_about(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return {};
  } catch (const Error& error) {
    const std::string found = error.what();
    const bool said_by_the_system =
        error.code() == ErrorCode::io && found.ends_with(std::strerror(ENOMEM));
    return error.code() == ErrorCode::capacity || said_by_the_system ? std::string() : found;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of no known type";
  }
}

/// What came of a run.
struct Run {
  bool struck = false;  // an allocation failed
  std::string complaint{};
};

/// `nth` 0: none fails.
Run run(const std::function<bool()>& same, const FaultHooks& hooks, std::int64_t nth) {
  if (hooks.before_run) hooks.before_run();
  bool is_same = true;
  bool struck = false;
  std::exception_ptr thrown;
  {
    const FailingAllocation failing(nth);
    try {
      is_same = same();
    } catch (...) {
      thrown = std::current_exception();
    }
    struck = failing.struck();
  }
  if (!thrown) return {struck, is_same ? "" : "another result"};
  const std::string complaint = complaint_about(thrown);
  return {struck, struck || !complaint.empty() ? complaint : "out of memory"};
}

}  // namespace

FailingAllocation::FailingAllocation(std::int64_t nth) noexcept
    : last_(nth == 0 ? INT64_MAX : heap::calls() + nth) {
  heap::fail_call(last_);
}

FailingAllocation::~FailingAllocation() {
  heap::fail_call(INT64_MAX);
}

bool FailingAllocation::struck() const noexcept {
  return heap::calls() >= last_;
}

std::int64_t heap_in_use() noexcept {
  return heap::in_use();
}

std::int64_t fail_every_allocation_of(const std::function<bool()>& same, const FaultHooks& hooks) {
  const auto complain = [](std::int64_t nth, const char* when, const std::string& what) {
    ADD_FAILURE() << when << " allocation " << nth << " failing: " << what;
    return nth;
  };
  const Run first = run(same, hooks, 0);
  EXPECT_EQ(first.complaint, "");
  const std::int64_t in_use = heap_in_use();
  for (std::int64_t nth = 1;; ++nth) {
    const Run faulty = run(same, hooks, nth);
    if (!faulty.complaint.empty()) return complain(nth, "with", faulty.complaint);
    if (!faulty.struck) return nth - 1;
    if (hooks.after_fault) hooks.after_fault();
    const Run again = run(same, hooks, 0);
    if (!again.complaint.empty()) return complain(nth, "after", again.complaint);
    const std::int64_t more = heap_in_use() - in_use;
    if (more != 0) return complain(nth, "after", std::to_string(more) + " more in use");
    if (::testing::Test::HasFailure()) return complain(nth, "after", "see above");
  }
}

}  // namespace griffin::test
