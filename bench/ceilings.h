// SPDX-License-Identifier: Apache-2.0
// What a pass cannot do without, and how fast this machine could do that at best.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "griffin/model/model.h"
#include "probe/probes.h"

namespace griffin::bench {

/// Bytes of weights that a pass has to read, and flops (2 a multiply-add) it has to do.
struct Work {
  double bytes = 0.0;
  double flops = 0.0;
};

/// Bytes of weights that a pass with logits reads: everything once, but the rows of an embedding
/// table that is not also the head.
std::uint64_t bytes_per_pass(const Model& model);

/// What the passes through one model are made of.
class ModelWork {
 public:
  explicit ModelWork(const Model& model);

  /// A pass of `rows` tokens of which `logits` get logits. A pass without any leaves the head
  /// alone.
  Work pass(std::int64_t rows, std::int64_t logits) const;

 private:
  double block_bytes_;  // without the head
  double head_bytes_;
  double block_weights_;  // that every token is multiplied with
  double head_weights_;
};

/// What the machine did when it was asked, all threads together.
struct Speeds {
  double bytes_per_second = 0.0;
  double flops_per_second = 0.0;
};

/// Measures speeds with the fastest arithmetic of this CPU that such weights may be multiplied
/// with.
class Prober {
 public:
  /// `bytes` of memory to measure bandwidth with. Throws Error(capacity).
  Prober(std::size_t bytes, Operand operand)
      : bandwidth_(bytes), arithmetic_(fastest_arithmetic(operand, kernels::table_at(0))) {}

  Speeds probe(int threads) {
    return {bandwidth_.measure(threads), probe_peak(arithmetic_, threads)};
  }

  /// Its name.
  const char* arithmetic() const noexcept { return arithmetic_.name; }
  std::size_t bytes() const noexcept { return bandwidth_.bytes(); }

 private:
  BandwidthProbe bandwidth_;
  const Arithmetic& arithmetic_;
};

double mean(std::span<const double> values);
/// Of a sample: 0 for a single value.
double standard_deviation(std::span<const double> values);
double median(std::vector<double> values);
Speeds mean(const Speeds& a, const Speeds& b);
/// The median of each of the speeds.
Speeds median(std::span<const Speeds> speeds);

enum class Bound { memory, compute };

constexpr const char* name_of(Bound bound) noexcept {
  return bound == Bound::memory ? "memory" : "compute";
}

struct Ceiling {
  double tokens_per_second = 0.0;
  Bound bound = Bound::memory;  // which takes longer, over all passes
};

/// Of `tokens` in those passes, each of which takes as long as reading or as multiplying, whichever
/// is longer.
Ceiling ceiling(std::span<const Work> passes, std::int64_t tokens, const Speeds& speeds);

}  // namespace griffin::bench
