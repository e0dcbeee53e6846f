// SPDX-License-Identifier: Apache-2.0
// Memory that ends where nothing may be touched: what reads or writes further dies there.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace griffin::test {

/// Bytes whose end is followed by a page no one may touch. Where `count` is a multiple of 64, they
/// lie on a cache line.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t usable = (count + page - 1) / page * page;
    size_ = usable + page;
    base_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    std::byte* guard = static_cast<std::byte*>(base_) + usable;
    if (mprotect(guard, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = guard - count;
  }
  GuardedBytes(const void* from, std::size_t count) : GuardedBytes(count) {
    if (count > 0) std::memcpy(data_, from, count);
  }
  explicit GuardedBytes(const std::vector<float>& values)
      : GuardedBytes(values.data(), values.size() * sizeof(float)) {}
  ~GuardedBytes() { munmap(base_, size_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  std::byte* data() const { return data_; }
  float* floats() const { return reinterpret_cast<float*>(data_); }

 private:
  void* base_ = nullptr;
  std::size_t size_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace griffin::test
