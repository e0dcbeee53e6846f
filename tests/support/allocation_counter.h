// SPDX-License-Identifier: Apache-2.0
// Counts what the program takes from the heap: a test that includes this replaces operator new.
#pragma once

#include <cstdint>

namespace griffin::test {

/// Calls of any operator new so far, by all threads.
std::int64_t allocations() noexcept;

}  // namespace griffin::test
