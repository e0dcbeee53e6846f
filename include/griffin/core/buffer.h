// SPDX-License-Identifier: Apache-2.0
// Owned memory: an aligned buffer, and the arena that scratch is taken from on the token path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/core/view.h"

namespace griffin {

/// Every block the library hands to a kernel starts on a cache line.
inline constexpr std::size_t cache_line = 64;

constexpr std::size_t round_up_to_cache_line(std::size_t bytes) noexcept {
  return (bytes + cache_line - 1) / cache_line * cache_line;
}

/// `size` bytes starting on a cache line, uninitialised. Move-only.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size)
      : data_(size == 0 ? nullptr
                        : static_cast<std::byte*>(
                              ::operator new(size, std::align_val_t{cache_line}))),
        size_(size) {}

  std::byte* data() noexcept { return data_.get(); }
  const std::byte* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept {
      ::operator delete(p, std::align_val_t{cache_line});
    }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

/// A stack of scratch memory of fixed capacity. Layers open a Frame, take what they need from it and
/// give all of it back when the Frame ends. Taking more than the capacity throws Error(capacity);
/// the library's own layers declare what they take (`workspace_bytes`), so for them it cannot.
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
      return {reinterpret_cast<float*>(workspace_.take(matrix_bytes(rows, cols))), rows, cols};
    }

   private:
    Workspace& workspace_;
    std::size_t mark_;
  };

  /// What Frame::matrix takes, padding included.
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
      throw Error(ErrorCode::capacity,
                  "workspace of " + std::to_string(capacity()) + " bytes is too small: " +
                      std::to_string(used_) + " in use, " + std::to_string(count) + " wanted");
    }
    std::byte* start = buffer_.data() + used_;
    used_ += count;
    if (used_ > peak_) peak_ = used_;
    return start;
  }

  Buffer buffer_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace griffin
