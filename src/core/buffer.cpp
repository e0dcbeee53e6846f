// SPDX-License-Identifier: Apache-2.0
#include "griffin/core/buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "griffin/core/error.h"
#include "griffin/core/huge_page.h"

namespace griffin {
namespace {

/// Buffers from this size on are laid on huge pages: the address of a weight is then seldom looked
/// up in memory. The system decides whether there are any.
constexpr std::size_t worth_huge_pages = 4 * huge_page;

/// The same for zeros that may never be used: of a state, few tokens touch a page of each ring. So
/// only states of long texts, whose keys are far apart.
constexpr std::size_t zeros_worth_huge_pages = 24 * huge_page;

/// Asks for huge pages where whole ones lie in the memory.
void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) noexcept {
#if defined(MADV_HUGEPAGE)
  const std::size_t before =
      (huge_page - reinterpret_cast<std::uintptr_t>(memory) % huge_page) % huge_page;
  if (memory == nullptr || size < before + huge_page) return;
  ::madvise(static_cast<std::byte*>(memory) + before, (size - before) / huge_page * huge_page,
            MADV_HUGEPAGE);
#endif
}

template <std::size_t Alignment>
void delete_aligned(void* p) noexcept {
  ::operator delete (p, std::align_val_t{Alignment});
}

}  // namespace

Buffer::Buffer(std::size_t size, Fill fill) : memory_(allocate(size, fill)), size_(size) {
  if (size == 0) return;
  std::size_t room = size < SIZE_MAX - cache_line ? size + cache_line : SIZE_MAX;
  void* start = memory_.get();
  if (start != nullptr) start = std::align(cache_line, size, start, room);
  data_ = static_cast<std::byte*>(start);
  if (data_ == nullptr) {
    throw Error(ErrorCode::capacity, "not enough memory for " + std::to_string(size) + " bytes");
  }
}

/// Room for `size` bytes on a cache line; null where there is none.
Buffer::Memory Buffer::allocate(std::size_t size, Fill fill) noexcept {
  if (size == 0) return {nullptr, delete_aligned<cache_line>};
  if (fill == Fill::zeros) {
    const std::size_t room = size < SIZE_MAX - cache_line ? size + cache_line : SIZE_MAX;
    Memory zeros = {std::calloc(room, 1), std::free};
    if (size >= zeros_worth_huge_pages) advise_huge_pages(zeros.get(), room);
    return zeros;
  }
  if (size < worth_huge_pages) {
    return {::operator new (size, std::align_val_t{cache_line}, std::nothrow),
            delete_aligned<cache_line>};
  }
  Memory memory = {::operator new (size, std::align_val_t{huge_page}, std::nothrow),
                   delete_aligned<huge_page>};
  advise_huge_pages(memory.get(), size);
  return memory;
}

}  // namespace griffin
