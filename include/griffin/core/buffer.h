// SPDX-License-Identifier: Apache-2.0
// Owned memory: an aligned buffer, and the arena that scratch is taken from on the token path.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/core/view.h"

namespace griffin {

/// Every block the library hands to a kernel starts on a cache line.
inline constexpr std::size_t cache_line = 64;

constexpr std::size_t round_up_to_cache_line(std::size_t bytes) noexcept {
  return (bytes + cache_line - 1) / cache_line * cache_line;
}

/// What a new Buffer holds. Zeros cost nothing where the system hands out fresh pages: memory that
/// is never written is never used.
enum class Fill { nothing, zeros };

/// Buffers from this size on ask for huge pages: the address of a weight is then seldom looked up
/// in memory. The system decides whether there are any.
inline constexpr std::size_t huge_page = std::size_t{1} << 21;
inline constexpr std::size_t worth_huge_pages = 4 * huge_page;

/// `size` bytes starting on a cache line. Move-only; empty when moved from. Throws Error(capacity)
/// where there is not enough memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size, Fill fill = Fill::nothing) : size_(size) {
    if (size == 0) return;
    if (fill == Fill::nothing && size >= worth_huge_pages) {
      memory_ = {::operator new (size, std::align_val_t{huge_page}, std::nothrow), delete_huge};
      data_ = static_cast<std::byte*>(memory_.get());
#if defined(MADV_HUGEPAGE)
      if (data_ != nullptr) ::madvise(data_, size / huge_page * huge_page, MADV_HUGEPAGE);
#endif
    } else if (fill == Fill::nothing) {
      memory_ = {::operator new (size, std::align_val_t{cache_line}, std::nothrow), delete_aligned};
      data_ = static_cast<std::byte*>(memory_.get());
    } else {
      std::size_t room = size < SIZE_MAX - cache_line ? size + cache_line : SIZE_MAX;
      memory_ = {std::calloc(room, 1), std::free};
      void* start = memory_.get();
      if (start != nullptr)
        data_ = static_cast<std::byte*>(std::align(cache_line, size, start, room));
    }
    if (data_ == nullptr) {
      throw Error(ErrorCode::capacity, "not enough memory for " + std::to_string(size) + " bytes");
    }
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  static void delete_aligned(void* p) noexcept {
    ::operator delete (p, std::align_val_t{cache_line});
  }
  static void delete_huge(void* p) noexcept {
    ::operator delete (p, std::align_val_t{huge_page});
  }
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::unique_ptr<void, void (*)(void*)> memory_{nullptr, delete_aligned};
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A stack of scratch memory of fixed capacity. Layers open a Frame, take what they need from it
/// and give all of it back when the Frame ends. Taking more than the capacity throws
/// Error(capacity); the library's own layers declare what they take (`workspace_bytes`), so for
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
      throw Error(ErrorCode::capacity, "workspace of " + std::to_string(capacity()) +
                                           " bytes is too small: " + std::to_string(used_) +
                                           " in use, " + std::to_string(count) + " wanted");
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
