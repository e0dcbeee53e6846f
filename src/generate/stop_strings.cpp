// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/stop_strings.h"

#include <algorithm>
#include <utility>

#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  std::size_t bytes = 0;
  for (const std::string& string : strings_) {
    if (string.empty()) throw Error(ErrorCode::invalid_argument, "a stop string is empty");
    require_utf8(string, "stop string");
    longest_ = std::max(longest_, string.size());
    bytes += string.size();
  }
  if (bytes > most_bytes) {
    throw Error(ErrorCode::invalid_argument, "stop strings: expected at most " +
                                                 std::to_string(most_bytes) +
                                                 " bytes together, found " + std::to_string(bytes));
  }
  for (std::size_t i = 0; i < strings_.size(); ++i) add(strings_[i], static_cast<std::int32_t>(i));
  link();
}

void StopStrings::add(const std::string& string, std::int32_t index) {
  std::uint32_t node = 0;
  for (const char byte : string) {
    std::uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back(
          {.next = nodes_[node].first_child, .depth = nodes_[node].depth + 1, .byte = byte});
      nodes_[node].first_child = next;
    }
    node = next;
  }
  if (nodes_[node].longest_end < 0) nodes_[node].longest_end = index;  // of equals the first
}

/// The suffixes, level by level: those of the shorter ones are known by then.
void StopStrings::link() {
  std::vector<std::uint32_t> level = {0};
  while (!level.empty()) {
    std::vector<std::uint32_t> below;
    for (const std::uint32_t parent : level) {
      for (std::uint32_t n = nodes_[parent].first_child; n != 0; n = nodes_[n].next) {
        Node& node = nodes_[n];
        if (parent != 0) node.suffix = step(nodes_[parent].suffix, node.byte);
        if (node.longest_end < 0) node.longest_end = nodes_[node.suffix].longest_end;
        below.push_back(n);
      }
    }
    level = std::move(below);
  }
}

/// 0 if there is none.
std::uint32_t StopStrings::child(std::uint32_t node, char byte) const noexcept {
  std::uint32_t n = nodes_[node].first_child;
  while (n != 0 && nodes_[n].byte != byte) n = nodes_[n].next;
  return n;
}

/// The longest node that the end of node and byte is.
std::uint32_t StopStrings::step(std::uint32_t node, char byte) const noexcept {
  for (;; node = nodes_[node].suffix) {
    const std::uint32_t next = child(node, byte);
    if (next != 0 || node == 0) return next;
  }
}

void StopStrings::take(char byte) noexcept {
  node_ = step(node_, byte);
}

}  // namespace griffin
