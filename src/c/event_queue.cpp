// SPDX-License-Identifier: Apache-2.0
#include "c/event_queue.h"

#include <algorithm>

namespace griffin::c {

/// Moves what is left to the front, once that is the smaller half.
void EventQueue::compact() noexcept {
  if (first_ == 0 || first_ * 2 < events_.size()) return;
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(first_));
  texts_.erase(0, text_begin_);
  for (Stored& stored : events_) stored.text_end -= text_begin_;
  first_ = 0;
  text_begin_ = 0;
}

void EventQueue::make_room(std::size_t more) {
  const std::size_t needed = events_.size() + ends_ + more;
  if (needed > events_.capacity()) {
    events_.reserve(std::max(needed, std::size_t{2} * events_.capacity()));
  }
}

void EventQueue::expect_ends(std::size_t count) {
  compact();
  make_room(count);
  ends_ += count;
}

void EventQueue::push(const griffin_event& event, std::string_view text) {
  compact();
  make_room(1);
  texts_.append(text);
  events_.push_back({event, texts_.size()});
}

void EventQueue::push_end(std::uint64_t request, std::int64_t candidate) noexcept {
  griffin_event event{};
  event.request = request;
  event.candidate = candidate;
  event.kind = GRIFFIN_EVENT_DONE;
  --ends_;
  events_.push_back({event, texts_.size()});  // expect_ends() made room
}

griffin_event EventQueue::pop() {
  const Stored& stored = events_[first_];
  fetched_.assign(texts_, text_begin_, stored.text_end - text_begin_);
  griffin_event event = stored.event;
  event.text = {fetched_.c_str(), fetched_.size()};
  text_begin_ = stored.text_end;
  ++first_;
  return event;
}

void EventQueue::drop(std::uint64_t request) noexcept {
  std::size_t kept = first_;
  std::size_t text_end = text_begin_;  // of what is kept
  std::size_t begin = text_begin_;
  for (std::size_t i = first_; i < events_.size(); ++i) {
    const std::size_t end = events_[i].text_end;
    if (events_[i].event.request != request) {
      std::copy(texts_.begin() + static_cast<std::ptrdiff_t>(begin),
                texts_.begin() + static_cast<std::ptrdiff_t>(end),
                texts_.begin() + static_cast<std::ptrdiff_t>(text_end));
      text_end += end - begin;
      events_[kept++] = {events_[i].event, text_end};
    }
    begin = end;
  }
  events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(kept), events_.end());
  texts_.erase(text_end);
}

}  // namespace griffin::c
