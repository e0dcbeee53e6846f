// SPDX-License-Identifier: Apache-2.0
#include "core/team.h"

#include <algorithm>
#include <exception>

namespace griffin {
namespace {

using namespace std::chrono_literals;

/// Longer than what lies between two parallel products, or the products of two tokens; shorter
/// than the time a system gives a program at once.
constexpr auto spin_time = 100us;

/// A helper that is later than this, and than the leader's own share took, was held up.
constexpr auto held_up = 500us;

/// How long the leader then works alone: so many times as long as it waited.
constexpr int rest = 8;
constexpr auto longest_rest = 100ms;

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Whether `ready` became true before spin_time was over.
template <class Ready>
bool spin_until(const Ready& ready) noexcept {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + spin_time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return false;
}

constexpr bool is_taken(std::uint32_t state) noexcept {
  return state % 2 != 0;
}

thread_local bool at_work_on_share = false;

}  // namespace

bool Team::at_work() noexcept {
  return at_work_on_share;
}

Team::Team(int helpers) noexcept : asked_for_(helpers) {
  try {
    const auto count = static_cast<std::size_t>(helpers);
    offers_ = std::make_unique<Offer[]>(count);
    helpers_.reserve(count);
    for (int i = 0; i < helpers; ++i) helpers_.emplace_back([this, i] { serve(i); });
  } catch (const std::exception&) {
    // No memory, or no more threads: those that there are will do.
  }
}

Team::~Team() {
  over_.store(true, std::memory_order_relaxed);
  open(static_cast<int>(helpers_.size()));
  for (std::thread& helper : helpers_) helper.join();
}

void Team::run(const Shares& shares, RangeBody call, const void* body) noexcept {
  at_work_on_share = true;
  run_with_helpers(shares, call, body);
  at_work_on_share = false;
}

void Team::run_with_helpers(const Shares& shares, RangeBody call, const void* body) noexcept {
  const Clock::time_point began = Clock::now();
  const int offers = shares.count - 1;
  if (helpers_.empty() || began < alone_until_) {
    for (int share = 0; share < shares.count; ++share) shares.run(share, call, body);
    return;
  }
  shares_ = &shares;
  call_ = call;
  body_ = body;
  finished_.store(0, std::memory_order_relaxed);
  open(offers);
  shares.run(0, call, body);
  const Clock::duration own_share = Clock::now() - began;
  std::uint32_t given = 0;
  for (int offer = 0; offer < offers; ++offer) {
    if (take(offer, number_)) {
      shares.run(offer + 1, call, body);
    } else {
      ++given;
    }
  }
  if (finished_.load(std::memory_order_acquire) == given) return;
  const Clock::time_point waiting_since = Clock::now();
  await_helpers(given);
  rest_if_late(own_share, waiting_since);
}

/// An exchange in one order for all: either the helper sees the offer, or the leader that it
/// sleeps.
void Team::open(int offers) noexcept {
  number_ += 2;
  for (int i = 0; i < offers; ++i) {
    Offer& offer = offers_[static_cast<std::size_t>(i)];
    offer.state.store(number_, std::memory_order_seq_cst);
    if (offer.helper_sleeps.load(std::memory_order_seq_cst)) offer.state.notify_one();
  }
}

bool Team::take(int offer, std::uint32_t number) noexcept {
  std::uint32_t open = number;
  std::atomic<std::uint32_t>& state = offers_[static_cast<std::size_t>(offer)].state;
  return state.load(std::memory_order_relaxed) == open &&
         state.compare_exchange_strong(open, number + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed);
}

void Team::serve(int helper) noexcept {
  at_work_on_share = true;
  for (;;) {
    const std::uint32_t number = await_offer(offers_[static_cast<std::size_t>(helper)]);
    if (over_.load(std::memory_order_relaxed)) return;
    // Its own first, then what others have not begun.
    for (int i = 0; i < asked_for_; ++i) {
      const int offer = (helper + i) % asked_for_;
      if (!take(offer, number)) continue;
      shares_->run(offer + 1, call_, body_);
      finished_.fetch_add(1, std::memory_order_seq_cst);
      if (leader_sleeps_.load(std::memory_order_seq_cst)) finished_.notify_one();
    }
  }
}

std::uint32_t Team::await_offer(Offer& own) noexcept {
  std::uint32_t state = 1;
  const auto is_open = [&] {
    state = own.state.load(std::memory_order_acquire);
    return !is_taken(state);
  };
  while (!spin_until(is_open)) {
    own.helper_sleeps.store(true, std::memory_order_seq_cst);
    own.state.wait(state, std::memory_order_seq_cst);
    own.helper_sleeps.store(false, std::memory_order_relaxed);
  }
  return state;
}

void Team::await_helpers(std::uint32_t shares) noexcept {
  std::uint32_t finished = 0;
  const auto is_finished = [&] {
    finished = finished_.load(std::memory_order_acquire);
    return finished == shares;
  };
  while (!spin_until(is_finished)) {
    leader_sleeps_.store(true, std::memory_order_seq_cst);
    finished_.wait(finished, std::memory_order_seq_cst);
    leader_sleeps_.store(false, std::memory_order_relaxed);
  }
}

void Team::rest_if_late(Clock::duration own_share, Clock::time_point waiting_since) noexcept {
  const Clock::time_point now = Clock::now();
  const Clock::duration late = now - waiting_since;
  if (late < held_up || late < own_share) return;
  alone_until_ = now + std::min<Clock::duration>(rest * late, longest_rest);
}

}  // namespace griffin
