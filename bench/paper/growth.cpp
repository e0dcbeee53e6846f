// SPDX-License-Identifier: Apache-2.0
// What grows with the length of a text, and what does not: the state, a token, a prompt; and
// whether samples of steps add up to a text.
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "griffin/kernels.h"
#include "paper/clocks.h"
#include "paper/families.h"
#include "paper/figures.h"
#include "paper/made_up_state.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Of the sanitizers' run-time libraries; g++ has no header for it.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace griffin::bench {
namespace {

/// What the allocator has handed out: glibc's, in its arenas and in mappings of their own.
std::int64_t allocated_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
#else
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
#endif
}

struct Timed {
  std::string name;
  Model model;
  std::unique_ptr<DecodeClock> decode = {};
  std::unique_ptr<PromptClock> prompt = {};
  Samples samples = {};
};

std::vector<Timed> timed_families(const FigureOptions& options) {
  std::vector<Timed> all;
  for (const std::string& name : options.families) {
    all.push_back({.name = name, .model = make_family(name, options.size)});
  }
  return all;
}

std::int64_t last_of(const std::vector<int>& positions) {
  return *std::max_element(positions.begin(), positions.end());
}

/// Steps at the positions of a text, and where windows are filled.
void sample_once(const FigureOptions& options, DecodeClock& clock, Samples& samples) {
  std::set<std::int64_t> positions(options.tokens.begin(), options.tokens.end());
  for (const std::int64_t window : filled_windows(clock.model())) {
    if (window < *positions.rbegin()) positions.insert(window);
  }
  positions.insert(0);
  for (const std::int64_t position : positions) {
    clock.go_to(position);
    for (int s = 0; s < options.steps; ++s) samples.add(position, clock.step());
  }
}

}  // namespace

void measure_state(const FigureOptions& options) {
  Csv csv("family,size,position,allocated_bytes,used_bytes");
  for (const std::string& name : options.families) {
    const Model model = make_family(name, options.size);
    for (const int position : options.positions) {
      const std::int64_t before = allocated_bytes();
      Sequence sequence = model.new_sequence(sequences_of(model, position));
      const std::int64_t allocated = allocated_bytes() - before;
      make_up(sequence, position);
      csv.row(name, options.size, position, allocated,
              static_cast<std::int64_t>(sequence.used_bytes()));
    }
  }
}

void measure_position(const FigureOptions& options) {
  Csv csv("family,size,position,seconds");
  std::vector<Timed> families = timed_families(options);
  for (Timed& family : families) {
    family.decode = std::make_unique<DecodeClock>(family.model, options.threads, 1,
                                                  last_of(options.positions) + options.steps + 1,
                                                  kernels::default_table());
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (const int position : options.positions) {
      for (Timed& family : families) {
        family.decode->go_to(position);
        for (int s = 0; s < options.steps; ++s) {
          family.samples.add(position, family.decode->step());
        }
      }
    }
  }
  for (const Timed& family : families) {
    for (const int position : options.positions) {
      csv.row(family.name, options.size, position, family.samples.at(position));
    }
  }
}

void measure_prefill(const FigureOptions& options) {
  for (const int tokens : options.positions) {
    if (tokens % PromptClock::most_chunk == 0) continue;
    throw examples::UsageError("--lengths: expected multiples of " +
                               std::to_string(PromptClock::most_chunk) + ", found " +
                               std::to_string(tokens));
  }
  Csv csv("family,size,tokens,seconds,method");
  std::vector<Timed> families = timed_families(options);
  for (Timed& family : families) {
    family.prompt =
        std::make_unique<PromptClock>(family.model, options.threads, last_of(options.positions));
  }
  std::set<std::int64_t> positions(options.positions.begin(), options.positions.end());
  for (const Timed& family : families) {
    for (const std::int64_t window : filled_windows(family.model)) {
      if (window < *positions.rbegin()) positions.insert(window);
    }
  }
  positions.insert(0);
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::int64_t position : positions) {
      for (Timed& family : families) {
        family.samples.add(position, family.prompt->pass_at(position));
      }
    }
  }
  for (const Timed& family : families) {
    for (const int tokens : options.positions) {
      csv.row(family.name, options.size, tokens,
              family.samples.sum(0, tokens, family.prompt->chunk()), std::string("sampled"));
    }
  }
  for (const Timed& family : families) {
    std::int64_t read = 0;
    for (const int tokens : options.positions) {
      if (tokens <= options.read_tokens) read = std::max<std::int64_t>(read, tokens);
    }
    const std::vector<double> seconds = family.prompt->read(read);
    for (const int tokens : options.positions) {
      const std::int64_t passes = tokens / family.prompt->chunk();
      if (tokens > options.read_tokens) continue;
      csv.row(family.name, options.size, tokens, seconds[static_cast<std::size_t>(passes) - 1],
              std::string("full"));
    }
  }
}

void check_samples(const FigureOptions& options) {
  Csv csv("family,size,batch,tokens,full_seconds,sampled_seconds");
  const std::int64_t last = last_of(options.tokens);
  for (const std::string& name : options.families) {
    const Model model = make_family(name, options.size);
    for (const int batch : options.batches) {
      DecodeClock clock(model, options.threads, batch, last + options.steps + 1,
                        kernels::default_table());
      Samples samples;
      const auto sample = [&] {
        for (int round = 0; round < options.rounds; ++round) sample_once(options, clock, samples);
      };
      sample();  // before and after, for the machine may change meanwhile
      std::vector<double> full = {0.0};
      clock.go_to(0);
      while (std::ssize(full) <= last) full.push_back(full.back() + clock.step());
      sample();
      for (const int tokens : options.tokens) {
        csv.row(name, options.size, batch, tokens, full[static_cast<std::size_t>(tokens)],
                samples.sum(0, tokens));
      }
    }
  }
}

}  // namespace griffin::bench
