// SPDX-License-Identifier: Apache-2.0
// Owned, aligned memory.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "griffin/core/cache_line.h"

namespace GRIFFIN_API griffin {

/// What a new Buffer holds. Zeros cost nothing where the system hands out fresh pages: memory that
/// is never written is never used, but for the rest of a huge page in buffers of 48 MiB or more.
enum class Fill { nothing, zeros };

/// `size` bytes starting on a cache line. Move-only; empty when moved from. Throws Error(capacity)
/// where there is not enough memory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size, Fill fill = Fill::nothing);
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  using Memory = std::unique_ptr<void, void (*)(void*)>;
  static Memory allocate(std::size_t size, Fill fill) noexcept;

  Memory memory_{nullptr, [](void*) {}};
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace griffin
