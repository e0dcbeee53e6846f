// SPDX-License-Identifier: Apache-2.0
// The threads that help one other thread with its work.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/shares.h"

namespace griffin {

/// Helpers of one thread, their leader. Between two pieces of work a helper spins for a moment and
/// then sleeps. The leader never waits for a helper that has not begun: where the system has given
/// the core to something else, the leader takes that share, too. Where one was held up amidst its
/// share, the leader works alone for a while. So what other programs cost a team is little more
/// than what they cost one thread.
class Team {
 public:
  /// As many helpers as the system gives, up to so many.
  explicit Team(int helpers) noexcept;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  /// How many helpers were asked for.
  int asked_for() const noexcept { return asked_for_; }

  /// Whether the calling thread is at work on a share, as helper or leader.
  static bool at_work() noexcept;

  /// Runs all shares, of which there is one for the leader and one for each helper at most.
  void run(const Shares& shares, RangeBody call, const void* body) noexcept;

 private:
  using Clock = std::chrono::steady_clock;

  /// A share on offer, to one helper before all others. `state` is the number of the work, which
  /// is even, and one more when it is taken; so whoever comes late finds nothing.
  struct alignas(64) Offer {
    std::atomic<std::uint32_t> state{1};
    std::atomic<bool> helper_sleeps{false};
  };

  void run_with_helpers(const Shares& shares, RangeBody call, const void* body) noexcept;
  void serve(int helper) noexcept;
  static std::uint32_t await_offer(Offer& own) noexcept;
  bool take(int offer, std::uint32_t number) noexcept;
  void open(int offers) noexcept;
  void await_helpers(std::uint32_t shares) noexcept;
  void rest_if_late(Clock::duration own_share, Clock::time_point waiting_since) noexcept;

  int asked_for_;
  std::unique_ptr<Offer[]> offers_;  // [asked_for]

  // The work at hand; written by the leader while nothing is on offer.
  std::uint32_t number_ = 0;
  const Shares* shares_ = nullptr;
  RangeBody call_ = nullptr;
  const void* body_ = nullptr;
  Clock::time_point alone_until_{};

  alignas(64) std::atomic<std::uint32_t> finished_{0};  // shares that helpers have run
  std::atomic<bool> leader_sleeps_{false};
  std::atomic<bool> over_{false};
  std::vector<std::thread> helpers_;
};

}  // namespace griffin
