// SPDX-License-Identifier: Apache-2.0
// The heap, with a place where it fails.
#pragma once

#include <cstdint>

namespace griffin::test::heap {

/// Calls so far that may fail, by all threads.
std::int64_t calls() noexcept;

/// Lets the call of that number fail, counted from 1.
void fail_call(std::int64_t number) noexcept;

/// Blocks in use; bytes where they are not counted.
std::int64_t in_use() noexcept;

}  // namespace griffin::test::heap
