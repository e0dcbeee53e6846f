// SPDX-License-Identifier: Apache-2.0
// How a call fails.
#pragma once

#include <gtest/gtest.h>

#include "griffin/core/error.h"

namespace griffin::test {

/// The code of the error that f() throws. A test failure where it throws none.
template <class F>
ErrorCode code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace griffin::test
