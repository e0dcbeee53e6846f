// SPDX-License-Identifier: Apache-2.0
// Strings looked for in a text as it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/api.h"

namespace GRIFFIN_API griffin {

/// An Aho-Corasick automaton over the bytes of some strings: a byte of text costs the same however
/// many strings there are, as an amortised constant. Memory: 24 bytes a byte of the strings.
class StopStrings {
 public:
  static constexpr std::size_t most_bytes = 1 << 20;  // of all strings together

  /// Throws Error(invalid_argument) for a string that is empty or not UTF-8, and for too many.
  explicit StopStrings(std::vector<std::string> strings);

  /// Goes on by a byte of text.
  void take(char byte) noexcept;

  /// The longest string that ends here; null if none does.
  const std::string* found() const noexcept {
    const std::int32_t string = nodes_[node_].longest_end;
    return string < 0 ? nullptr : &strings_[static_cast<std::size_t>(string)];
  }
  /// How many bytes, at the end of what was taken, one of the strings begins with: the most.
  std::size_t begun() const noexcept { return nodes_[node_].depth; }
  /// Bytes of the longest string.
  std::size_t longest() const noexcept { return longest_; }

 private:
  /// A beginning of strings. Its children are a list: a first one, and the next of the same parent.
  struct Node {
    std::uint32_t first_child = 0;
    std::uint32_t next = 0;
    std::uint32_t suffix = 0;       // the longest other node that its end is
    std::uint32_t depth = 0;        // bytes
    std::int32_t longest_end = -1;  // the longest string that it ends with
    char byte = 0;
  };

  void add(const std::string& string, std::int32_t index);
  void link();
  std::uint32_t child(std::uint32_t node, char byte) const noexcept;
  std::uint32_t step(std::uint32_t node, char byte) const noexcept;

  std::vector<std::string> strings_;
  std::vector<Node> nodes_{1};  // the root, and more
  std::uint32_t node_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace griffin
