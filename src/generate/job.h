// SPDX-License-Identifier: Apache-2.0
// A request on its way through the scheduler.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "generate/text.h"
#include "griffin/core/error.h"
#include "griffin/generate/scheduler.h"
#include "griffin/state/pool.h"

namespace griffin {

struct Candidate {
  Text text;
  SequencePool::Handle sequence = {};  // from admission until it is over
  bool running = true;
};

struct Job {
  /// Throws what Scheduler::submit says.
  Job(const Model& model, const StateLayout& layout, Request submitted);
  GenerateOptions options_of(std::int64_t candidate) const;

  std::span<const std::int32_t> prompt() const noexcept { return request.prompt; }
  std::int64_t prompt_left() const noexcept { return candidates[0].text.generation.prompt_left(); }
  bool reads_prompt() const noexcept { return candidates[0].running && prompt_left() > 0; }
  bool scores_prompt() const noexcept {
    return candidates[0].text.generation.prompt_logprobs().has_value();
  }
  /// Whether its tokens are all that its state stands for.
  bool from_the_start() const noexcept { return request.start == nullptr; }
  bool is_over() const noexcept { return running == 0; }

  Scheduler::Id id = 0;
  Request request;
  std::vector<Candidate> candidates;
  std::int64_t checkpoint = 0;        // of the prompt, where a snapshot is to be kept; 0: nowhere
  std::atomic<std::int64_t> running;  // candidates that are not over
  std::atomic<bool> cancelled = false;
};

inline Job::Job(const Model& model, const StateLayout& layout, Request submitted)
    : request(std::move(submitted)), running(request.candidates) {
  const std::int64_t room = layout.furthest() - (request.start ? request.start->position() : 0);
  for (std::int64_t c = 0; c < request.candidates; ++c) {
    candidates.push_back({Text(Generation(model, room, request.prompt, options_of(c)))});
    if (candidates[0].text.generation.prompt_logprobs() !=
        candidates.back().text.generation.prompt_logprobs()) {
      throw Error(ErrorCode::invalid_argument,
                  "scheduler: prompt_logprobs: expected the same for all candidates, for their "
                  "prompt is read once");
    }
  }
}

inline GenerateOptions Job::options_of(std::int64_t candidate) const {
  GenerateOptions options = request.options;
  if (request.candidates > 1 && !options.top_logprobs) options.top_logprobs = 0;
  options.sampling.seed += static_cast<std::uint64_t>(candidate);
  if (request.candidate_options) {
    request.candidate_options(candidate, options);
  } else if (request.candidates > 1 &&
             (options.on_logprobs || options.on_token || options.on_text)) {
    throw Error(ErrorCode::invalid_argument,
                "scheduler: on_logprobs, on_token and on_text of several candidates: expected "
                "Request::candidate_options to give each its own");
  }
  return options;
}

}  // namespace griffin
