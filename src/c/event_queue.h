// SPDX-License-Identifier: Apache-2.0
// What happened to the texts of a scheduler, in its order, until somebody fetches it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/c/scheduler.h"

namespace griffin::c {

/// The caller's lock is held at every call. Takes memory only while it grows beyond what it once
/// held.
class EventQueue {
 public:
  /// So many ends of texts are to come: there is room for each, whatever else happens. Throws
  /// std::bad_alloc, and promises nothing more than before.
  void expect_ends(std::size_t count);
  /// They will not come after all.
  void forget_ends(std::size_t count) noexcept { ends_ -= count; }

  /// An event without its text, which is kept apart. Throws std::bad_alloc, and adds nothing.
  void push(const griffin_event& event, std::string_view text = {});
  /// The end of a text, which was expected.
  void push_end(std::uint64_t request, std::int64_t candidate) noexcept;

  bool empty() const noexcept { return first_ == events_.size(); }
  /// The next event, whose text is valid until the next call. Throws std::bad_alloc, and takes
  /// nothing. There has to be one.
  griffin_event pop();

  /// Takes out the events of a request.
  void drop(std::uint64_t request) noexcept;

 private:
  struct Stored {
    griffin_event event;
    std::size_t text_end;  // in texts_
  };

  void make_room(std::size_t more);
  void compact() noexcept;

  std::vector<Stored> events_;
  std::size_t first_ = 0;  // that was not fetched
  std::size_t ends_ = 0;   // that are to come
  std::string texts_;      // of the events, one after the other
  std::size_t text_begin_ = 0;
  std::string fetched_;  // the text of the event fetched last
};

}  // namespace griffin::c
