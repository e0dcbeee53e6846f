// SPDX-License-Identifier: Apache-2.0
#include "paper/clocks.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <span>
#include <string>

#include "griffin/core/error.h"
#include "paper/families.h"
#include "paper/made_up_state.h"
#include "support/program.h"

namespace griffin::bench {
namespace {

void stop_if_interrupted() {
  if (examples::Interrupt::seen()) throw Error(ErrorCode::cancelled, "interrupted");
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

DecodeClock::DecodeClock(const Model& model, int threads, int batch, std::int64_t tokens,
                         const kernels::Table& kernels)
    : model_(model),
      pass_(model,
            {.threads = threads, .max_rows = batch, .max_logits = batch, .kernels = &kernels}),
      next_(static_cast<std::size_t>(batch)) {
  for (int s = 0; s < batch; ++s) {
    sequences_.push_back(model.new_sequence(sequences_of(model, tokens)));
    next_[static_cast<std::size_t>(s)] = s % static_cast<int>(model.config().vocab);
  }
}

void DecodeClock::go_to(std::int64_t position) {
  for (Sequence& sequence : sequences_) {
    stop_if_interrupted();
    if (position == 0) sequence.reset();
    if (position > 0) make_up(sequence, position);
  }
  step();
}

double DecodeClock::step() {
  stop_if_interrupted();
  return seconds_of([&] {
    for (std::size_t s = 0; s < sequences_.size(); ++s) {
      pass_.add(sequences_[s], std::span(&next_[s], 1));
    }
    const MatrixView logits = pass_.run();
    for (std::size_t s = 0; s < sequences_.size(); ++s) {
      next_[s] = pass_.argmax(logits, static_cast<std::int64_t>(s));
    }
  });
}

PromptClock::PromptClock(const Model& model, int threads, std::int64_t tokens)
    : model_(model),
      pass_(model, {.threads = threads, .max_rows = most_chunk}),
      sequence_(model.new_sequence(sequences_of(model, tokens + most_chunk))) {
  if (tokens > most_chunk && tokens % most_chunk != 0) {
    throw Error(ErrorCode::invalid_argument,
                "a prompt of " + std::to_string(tokens) + " tokens: expected at most " +
                    std::to_string(most_chunk) + ", or a multiple of that");
  }
  for (std::int64_t t = 0; t < std::min(tokens, most_chunk); ++t) {
    ids_.push_back(static_cast<std::int32_t>(7919 * t % model.config().vocab));
  }
}

double PromptClock::pass() {
  stop_if_interrupted();
  return seconds_of([&] {
    pass_.add(sequence_, ids_, Logits::none);
    pass_.run();
  });
}

double PromptClock::pass_at(std::int64_t position) {
  if (position == 0) sequence_.reset();
  if (position > 0) make_up(sequence_, position);
  return pass();
}

std::vector<double> PromptClock::read(std::int64_t tokens) {
  std::vector<double> seconds;
  sequence_.reset();
  double sum = 0.0;
  while (sequence_.position() < tokens) seconds.push_back(sum += pass());
  return seconds;
}

double Samples::at(std::int64_t position) const {
  const auto after = seconds_.lower_bound(position);
  if (after == seconds_.end() || (after == seconds_.begin() && after->first != position)) {
    throw Error(ErrorCode::invalid_argument,
                "nothing was measured beyond position " + std::to_string(position));
  }
  if (after->first == position) return median(after->second);
  const auto before = std::prev(after);
  const double part = static_cast<double>(position - before->first) /
                      static_cast<double>(after->first - before->first);
  return (1.0 - part) * median(before->second) + part * median(after->second);
}

double Samples::sum(std::int64_t first, std::int64_t end, std::int64_t step) const {
  double sum = 0.0;
  for (std::int64_t position = first; position < end; position += step) sum += at(position);
  return sum;
}

std::vector<std::int64_t> filled_windows(const Model& model) {
  std::set<std::int64_t> windows;
  if (!model.config().has_global_attention()) {
    for (const StateShape& shape : model.state_layout(sequences_of(model, 0)).slots) {
      if (shape.rings > 0) windows.insert(shape.ring_rows);
    }
  }
  return {windows.begin(), windows.end()};
}

Work attention_work(const Model& model, const StateLayout& layout, std::int64_t position,
                    std::int64_t batch) {
  Work work;
  for (const StateShape& shape : layout.slots) {
    const std::int64_t rows = shape.used_rows(position);
    const std::int64_t queries = shape.rings > 0 ? model.config().heads : 0;
    const auto keys = static_cast<double>(rows + 1);  // its own, too
    work.bytes += static_cast<double>(shape.rings * rows) * static_cast<double>(shape.row_bytes());
    work.flops += 4.0 * static_cast<double>(queries * model.config().head_dim) * keys;
  }
  const auto count = static_cast<double>(batch);
  return {.bytes = count * work.bytes, .flops = count * work.flops};
}

}  // namespace griffin::bench
