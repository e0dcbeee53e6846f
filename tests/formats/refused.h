// SPDX-License-Identifier: Apache-2.0
// What a refused file must do: throw one griffin::Error with one line that names what is wrong.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "griffin/core/error.h"

namespace griffin::test {

/// Runs `action`, which must throw an Error of that code whose message holds every one of `words`.
template <class Action>
void expect_refused(ErrorCode code, std::initializer_list<std::string_view> words,
                    const Action& action) {
  try {
    action();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string_view word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << "no '" << word << "' in: " << message;
    }
  }
}

}  // namespace griffin::test
