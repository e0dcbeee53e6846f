// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/request.h"

#include <limits>
#include <numeric>

namespace griffin {

const char* name_of(StopReason reason) noexcept {
  constexpr const char* names[] = {"stop id",  "stop string", "length", "capacity",
                                   "callback", "cancelled",   "failed"};
  return names[static_cast<std::size_t>(reason)];
}

double Result::mean_logprob() const noexcept {
  if (tokens.empty() && !stop_id) return -std::numeric_limits<double>::infinity();
  const std::size_t count = logprobs.size() + (stop_logprob ? 1 : 0);
  const double sum = std::accumulate(logprobs.begin(), logprobs.end(), 0.0) +
                     static_cast<double>(stop_logprob.value_or(0.0F));
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

std::size_t best_of(std::span<const Result> results) noexcept {
  std::size_t best = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const StopReason reason = results[i].reason;
    if (reason == StopReason::failed || reason == StopReason::cancelled) continue;
    if (!(results[i].mean_logprob() > most)) continue;
    most = results[i].mean_logprob();
    best = i;
  }
  return best;
}

}  // namespace griffin
