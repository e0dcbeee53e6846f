// SPDX-License-Identifier: Apache-2.0
// A bar on stderr for whatever takes longer than one likes to wait in the dark.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace griffin::examples {

/// Shows nothing at all when stderr is no terminal or the work is done within 0.3 s, and leaves
/// nothing behind.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label) : label_(std::move(label)) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::uint64_t done, std::uint64_t total) {
    if (!terminal_ || total == 0) return;
    if (done >= total) return clear();
    const auto now = Clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    draw(static_cast<double>(done) / static_cast<double>(total));
  }

  void clear() {
    if (shown_) std::fputs("\r\033[K", stderr);
    shown_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int width = 40;

  void draw(double share) {
    const std::string full(static_cast<std::size_t>(share * width), '#');
    std::fprintf(stderr, "\r%s [%-*s] %3.0f %%", label_.c_str(), width, full.c_str(), 100 * share);
    shown_ = true;
  }

  std::string label_;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  bool shown_ = false;
  Clock::time_point next_ = Clock::now() + std::chrono::milliseconds(300);
};

}  // namespace griffin::examples
