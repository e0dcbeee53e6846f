// SPDX-License-Identifier: Apache-2.0
// Whether this is compiled with the address or the thread sanitizer.
#pragma once

namespace griffin::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool with_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool with_sanitizer =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool with_sanitizer = false;
#endif

}  // namespace griffin::test
