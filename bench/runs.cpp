// SPDX-License-Identifier: Apache-2.0
#include "runs.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::bench {
namespace {

using examples::Interrupt;
using examples::ProgressBar;

void stop_if_interrupted() {
  if (Interrupt::seen()) throw Error(ErrorCode::cancelled, "interrupted");
}

/// The token at a position of a sequence.
std::int32_t token(std::int64_t vocab, std::int64_t position, std::int64_t sequence) {
  auto x = static_cast<std::uint64_t>(position) + (static_cast<std::uint64_t>(sequence) << 40U);
  x = (x + 1) * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 32U)) * 0xD6E8FEB86659FD93U;
  return static_cast<std::int32_t>((x >> 33U) % static_cast<std::uint64_t>(vocab));
}

double timed_run(ForwardPass& pass) {
  const auto start = std::chrono::steady_clock::now();
  pass.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Adds tokens in passes of `chunk`. Logits for the last one only, or for none.
double prefill(const Model& model, ForwardPass& pass, Sequence& sequence, std::int64_t tokens,
               std::int64_t chunk, Logits wanted_at_end) {
  const std::int64_t end = sequence.position() + tokens;
  double seconds = 0.0;
  while (sequence.position() < end) {
    stop_if_interrupted();
    const std::int64_t count = std::min(chunk, end - sequence.position());
    const bool last = sequence.position() + count == end;
    pass.add(sequence, pseudo_random_tokens(model.config().vocab, sequence.position(), count, 0),
             last ? wanted_at_end : Logits::none);
    seconds += timed_run(pass);
  }
  return seconds;
}

/// One token for each sequence per pass, and logits, or the best token, for all.
double decode(const Model& model, ForwardPass& pass, std::vector<Sequence>& sequences, int tokens,
              Logits wanted) {
  double seconds = 0.0;
  for (int t = 0; t < tokens; ++t) {
    stop_if_interrupted();
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      pass.add(sequences[s],
               pseudo_random_tokens(model.config().vocab, sequences[s].position(), 1,
                                    static_cast<std::int64_t>(s)),
               wanted);
    }
    seconds += timed_run(pass);
  }
  return seconds;
}

ForwardOptions pass_options(const Test& test, const kernels::Table* kernels) {
  const bool decodes = test.kind == Kind::decode;
  return {.threads = test.threads,
          .max_rows = decodes ? test.batch : std::min(test.chunk, test.tokens),
          .max_logits = decodes ? test.batch : 1,
          .kernels = kernels};
}

}  // namespace

std::vector<std::int32_t> pseudo_random_tokens(std::int64_t vocab, std::int64_t position,
                                               std::int64_t count, std::int64_t sequence) {
  std::vector<std::int32_t> ids;
  for (std::int64_t t = 0; t < count; ++t) ids.push_back(token(vocab, position + t, sequence));
  return ids;
}

std::string Test::name() const {
  std::string text = (kind == Kind::prefill ? "pp" : "tg") + std::to_string(tokens);
  if (depth > 0) text += " @ d" + std::to_string(depth);
  return text;
}

std::vector<Work> Test::work(const ModelWork& model) const {
  if (kind == Kind::decode) {
    return std::vector<Work>(static_cast<std::size_t>(tokens), model.pass(batch, batch));
  }
  std::vector<Work> passes;
  for (int done = 0; done < tokens; done += chunk) {
    const int count = std::min(chunk, tokens - done);
    passes.push_back(model.pass(count, done + count == tokens ? 1 : 0));
  }
  return passes;
}

std::uint64_t Runner::state_bytes() const {
  return model_.config().state_layout(options_).bytes();
}

const Sequence& Runner::warmed(const Test& test) {
  if (const auto kept = warmed_.find(test.depth); kept != warmed_.end()) return kept->second;
  const auto deeper = warmed_.upper_bound(test.depth);
  Sequence sequence =
      deeper == warmed_.begin() ? model_.new_sequence(options_) : std::prev(deeper)->second.fork();
  if (sequence.position() < test.depth) read(sequence, test);
  return warmed_.emplace(test.depth, std::move(sequence)).first->second;
}

void Runner::read(Sequence& sequence, const Test& test) {
  const std::int64_t missing = test.depth - sequence.position();
  ProgressBar bar("reading " + std::to_string(test.depth) + " tokens");
  ForwardPass pass(model_, {.threads = test.threads, .max_rows = test.chunk, .kernels = kernels_});
  while (sequence.position() < test.depth) {
    const std::int64_t left = test.depth - sequence.position();
    bar.update(static_cast<std::uint64_t>(missing - left), static_cast<std::uint64_t>(missing));
    prefill(model_, pass, sequence, std::min<std::int64_t>(left, test.chunk), test.chunk,
            Logits::none);
  }
}

double Runner::repeat(const Test& test, ForwardPass& pass, std::vector<Sequence>& sequences) {
  return test.kind == Kind::decode
             ? decode(model_, pass, sequences, test.tokens, wanted_)
             : prefill(model_, pass, sequences.front(), test.tokens, test.chunk, wanted_);
}

std::vector<double> Runner::time(const Test& test, int repetitions, const BetweenRuns& probe) {
  const Sequence& start = warmed(test);
  ForwardPass pass(model_, pass_options(test, kernels_));
  ProgressBar bar(test.name());
  std::vector<Sequence> sequences;
  std::vector<double> seconds;
  const auto begin_again = [&] {
    sequences.clear();
    for (int s = 0; s < test.batch; ++s) sequences.push_back(start.fork());
  };

  begin_again();  // The first pass finds nothing in place: mapped files, threads, caches.
  Test first_pass = test;
  first_pass.tokens = test.kind == Kind::decode ? 1 : std::min(test.chunk, test.tokens);
  repeat(first_pass, pass, sequences);
  for (int r = 0; r < repetitions; ++r) {
    bar.update(static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(repetitions));
    begin_again();
    probe();
    seconds.push_back(repeat(test, pass, sequences));
    probe();
  }
  return seconds;
}

}  // namespace griffin::bench
