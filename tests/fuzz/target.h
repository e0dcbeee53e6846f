// SPDX-License-Identifier: Apache-2.0
// What fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "griffin/core/error.h"

namespace griffin::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Whether it returns, and does not refuse by griffin::Error. All else that it throws is a finding.
template <class Read>
bool accepts(const Read& read) {
  try {
    read();
    return true;
  } catch (const Error&) {
    return false;
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What stands before the first `separator`, which is taken away from the rest, too.
inline std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

/// The input, a number at a time; 0 when it is at its end.
class Numbers {
 public:
  explicit Numbers(std::span<const std::uint8_t> bytes) noexcept : left_(bytes) {}

  bool empty() const noexcept { return left_.empty(); }
  /// Of one byte: limits above 256 are not reached.
  int below(int limit) noexcept { return byte() % limit; }
  bool yes() noexcept { return below(2) == 1; }
  std::uint64_t bytes(int count) noexcept {
    std::uint64_t number = 0;
    for (int i = 0; i < count; ++i) number = number << 8U | static_cast<std::uint64_t>(byte());
    return number;
  }

 private:
  int byte() noexcept {
    if (left_.empty()) return 0;
    const int first = left_[0];
    left_ = left_.subspan(1);
    return first;
  }

  std::span<const std::uint8_t> left_;
};

}  // namespace griffin::fuzz
