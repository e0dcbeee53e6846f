// SPDX-License-Identifier: Apache-2.0
// The arena that scratch is taken from on the token path.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/core/view.h"

namespace GRIFFIN_API griffin {

/// A stack of scratch memory of fixed capacity. Layers open a Frame, take what they need from it
/// and give all of it back when the Frame ends. Taking more than the capacity throws
/// Error(capacity); the library's own layers declare what they take (`needs`), so for
/// them it cannot.
class Workspace {
 public:
  Workspace() = default;
  explicit Workspace(std::size_t capacity) : buffer_(capacity) {}

  /// Scratch that lives until the Frame does. Frames nest.
  class Frame {
   public:
    explicit Frame(Workspace& workspace) noexcept : workspace_(workspace), mark_(workspace.used_) {}
    ~Frame() { workspace_.used_ = mark_; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    std::byte* bytes(std::size_t count) { return workspace_.take(count); }
    MatrixView matrix(std::int64_t rows, std::int64_t cols) {
      return {reinterpret_cast<float*>(bytes(matrix_bytes(rows, cols))), rows, cols};
    }

   private:
    Workspace& workspace_;
    std::size_t mark_;
  };

  /// Counts what would be taken. A layer takes its scratch in one place, from either kind of frame:
  /// so what it declares is what it takes.
  class CountingFrame {
   public:
    std::byte* bytes(std::size_t count) noexcept {
      used_ += round_up_to_cache_line(count);
      return nullptr;
    }
    MatrixView matrix(std::int64_t rows, std::int64_t cols) noexcept {
      bytes(matrix_bytes(rows, cols));
      return {nullptr, rows, cols};
    }
    std::size_t used() const noexcept { return used_; }

   private:
    std::size_t used_ = 0;
  };

  /// What matrix() takes, padding included.
  static constexpr std::size_t matrix_bytes(std::int64_t rows, std::int64_t cols) noexcept {
    return round_up_to_cache_line(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) *
                                  sizeof(float));
  }

  std::size_t capacity() const noexcept { return buffer_.size(); }
  std::size_t used() const noexcept { return used_; }
  /// The most that was ever in use at once.
  std::size_t peak() const noexcept { return peak_; }

 private:
  std::byte* take(std::size_t count) {
    count = round_up_to_cache_line(count);
    if (count > capacity() - used_) {
      throw Error(ErrorCode::capacity, "workspace of " + std::to_string(capacity()) +
                                           " bytes is too small: " + std::to_string(used_) +
                                           " in use, " + std::to_string(count) + " wanted");
    }
    std::byte* start = buffer_.data() + used_;
    used_ += count;
    peak_ = std::max(peak_, used_);
    return start;
  }

  Buffer buffer_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace griffin
