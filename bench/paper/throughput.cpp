// SPDX-License-Identifier: Apache-2.0
// Figure 1b. As many sequences are decoded at once as a budget of memory has room for, beside the
// weights; how long a step of them takes is sampled along the positions, as for the latency.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "griffin/kernels.h"
#include "paper/clocks.h"
#include "paper/families.h"
#include "paper/figures.h"

namespace griffin::bench {
namespace {

/// More sequences than that are decoded in passes of so many: by then a pass is bound by its
/// arithmetic, and logits of 256,000 tokens for each row take memory, too.
constexpr std::int64_t most_rows = 256;

/// How fast sequences were decoded together.
struct Rate {
  std::int64_t batch = 0;
  double tokens_per_second = 0.0;
};

std::int64_t bytes_of(double gib) {
  return static_cast<std::int64_t>(gib * 0x1p30);
}

/// What a text of every sequence has to read and to multiply at least.
struct Needed {
  double bytes = 0.0;
  double weight_flops = 0.0;
  double attention_flops = 0.0;

  double reading(const Machine::Speed& speed) const { return bytes / speed.bytes; }
  double multiplying(const Machine::Speed& speed) const {
    return weight_flops / speed.weight_flops + attention_flops / speed.attention_flops;
  }
};

class Family {
 public:
  Family(const FigureOptions& options, std::string name)
      : options_(options), name_(std::move(name)), model_(make_family(name_, options.size)) {}

  const std::string& name() const { return name_; }

  /// Of a sequence that may have so many tokens.
  std::int64_t sequence_bytes(std::int64_t tokens) const {
    return static_cast<std::int64_t>(model_.state_layout(sequences_of(model_, tokens)).bytes());
  }

  /// Sequences that a budget has room for, beside the weights.
  std::int64_t fitting(std::int64_t tokens, std::int64_t budget) const {
    const std::int64_t left = budget - static_cast<std::int64_t>(model_.weight_bytes());
    return std::max<std::int64_t>(left, 0) / sequence_bytes(tokens);
  }

  void measure() {
    for (const std::int64_t batch : batches()) measure(batch);
  }

  /// The fastest way to decode `tokens` tokens of each of at most `fitting` sequences, one to
  /// most_rows at a time: nothing where none fits.
  std::optional<Rate> best(std::int64_t tokens, std::int64_t fitting) const {
    std::optional<Rate> best;
    const auto consider = [&](std::int64_t batch, double seconds) {
      const double rate = static_cast<double>(batch * tokens) / seconds;
      if (!best || rate > best->tokens_per_second) best = {batch, rate};
    };
    const std::map<std::int64_t, double> measured = seconds_for(tokens);
    for (const auto& [batch, seconds] : measured) {
      if (batch <= fitting) consider(batch, seconds);
    }
    const auto above = measured.upper_bound(fitting);
    if (above != measured.end() && above != measured.begin()) {
      const auto below = std::prev(above);
      const double part = static_cast<double>(fitting - below->first) /
                          static_cast<double>(above->first - below->first);
      consider(fitting, (1.0 - part) * below->second + part * above->second);
    }
    return best;
  }

  /// By `batch` sequences in one pass. Weights are read once in a step, rings too, and what else
  /// layers hold is read and written.
  Needed needed(std::int64_t tokens, std::int64_t batch) const {
    const StateLayout layout = model_.state_layout(sequences_of(model_, tokens));
    const Work weights = ModelWork(model_).pass(batch, batch);
    const double held = 2.0 * static_cast<double>(layout.held_bytes()) * static_cast<double>(batch);
    Needed sum;
    for (std::int64_t position = 0; position < tokens; ++position) {
      const Work attention = attention_work(model_, layout, position, batch);
      sum.bytes += weights.bytes + held + attention.bytes;
      sum.weight_flops += weights.flops;
      sum.attention_flops += attention.flops;
    }
    return sum;
  }

 private:
  std::int64_t budget() const { return bytes_of(options_.memory_gib); }

  std::set<std::int64_t> batches() const {
    std::set<std::int64_t> all;
    for (std::int64_t batch = 1; batch < most_rows; batch *= 4) all.insert(batch);
    all.insert(most_rows);
    std::int64_t most = 0;
    for (const int tokens : options_.tokens) {
      const std::int64_t fits = fitting(tokens, budget());
      if (fits > 0) all.insert(std::min(fits, most_rows));
      most = std::max(most, fits);
    }
    return {all.begin(), all.upper_bound(most)};
  }

  /// As far as so many sequences fit.
  void measure(std::int64_t batch) {
    std::int64_t end = 0;
    for (const int tokens : options_.tokens) {
      if (batch <= fitting(tokens, budget())) end = std::max<std::int64_t>(end, tokens);
    }
    DecodeClock clock(model_, options_.threads, static_cast<int>(batch), end + options_.steps + 1,
                      kernels::default_table());
    for (int round = 0; round < options_.rounds; ++round) {
      for (const std::int64_t position : nodes(end)) {
        clock.go_to(position);
        for (int s = 0; s < options_.steps; ++s) steps_[batch].add(position, clock.step());
      }
    }
    ends_[batch] = end;
  }

  /// Up to `end`; where nothing but rings could make later steps longer, two will do.
  std::set<std::int64_t> nodes(std::int64_t end) const {
    std::set<std::int64_t> all = {0, end};
    const StateLayout layout = model_.state_layout(sequences_of(model_, end));
    const bool has_rings = std::any_of(layout.slots.begin(), layout.slots.end(),
                                       [](const StateShape& shape) { return shape.rings > 0; });
    for (const int tokens : options_.tokens) {
      if (has_rings && tokens < end) all.insert(tokens);
    }
    for (const std::int64_t window : filled_windows(model_)) {
      if (window < end) all.insert(window);
    }
    return all;
  }

  /// For each batch that was measured so far, what the tokens of all its sequences took.
  std::map<std::int64_t, double> seconds_for(std::int64_t tokens) const {
    std::map<std::int64_t, double> all;
    for (const auto& [batch, samples] : steps_) {
      if (ends_.at(batch) >= tokens) all[batch] = samples.sum(0, tokens);
    }
    return all;
  }

  const FigureOptions& options_;
  std::string name_;
  Model model_;
  std::map<std::int64_t, Samples> steps_;      // by batch
  std::map<std::int64_t, std::int64_t> ends_;  // by batch: how far it was measured
};

/// The second file: the most tokens a second, for the longest texts, by budgets.
class BudgetFile {
 public:
  explicit BudgetFile(const std::string& path) : path_(path) {
    if (path.empty()) return;
    file_.open(path);
    file_ << "family,size,tokens,budget_bytes,batch,tokens_per_second\n";
    require();
  }

  void add(const FigureOptions& options, const Family& family) {
    if (path_.empty()) return;
    const std::int64_t tokens = *std::max_element(options.tokens.begin(), options.tokens.end());
    for (const double gib : options.budgets_gib) {
      const std::int64_t budget = bytes_of(gib);
      const auto best = family.best(tokens, family.fitting(tokens, budget));
      if (!best) continue;  // none fits
      file_ << family.name() << ',' << options.size << ',' << tokens << ',' << budget << ','
            << best->batch << ',' << best->tokens_per_second << '\n';
    }
    require();
  }

 private:
  void require() {
    if (file_.flush()) return;
    throw Error(ErrorCode::io, path_ + ": cannot write: " + std::strerror(errno));
  }

  std::string path_;
  std::ofstream file_;
};

/// A row but for its ceilings, which are the same speed's for all families.
struct Row {
  std::string family;
  std::int64_t tokens;
  std::int64_t fitting;
  std::int64_t sequence_bytes;
  Rate best;
  Needed needed;  // by as many as were fastest
};

void require_room(const FigureOptions& options, const Family& family, std::int64_t tokens) {
  const std::int64_t budget = bytes_of(options.memory_gib);
  if (family.fitting(tokens, budget) > 0) return;
  throw Error(ErrorCode::capacity, family.name() + "-" + options.size + ": " +
                                       std::to_string(budget) +
                                       " bytes have no room for the weights and a sequence of " +
                                       std::to_string(tokens) + " tokens");
}

Row row_of(const FigureOptions& options, const Family& family, std::int64_t tokens) {
  const std::int64_t budget = bytes_of(options.memory_gib);
  const std::int64_t fitting = family.fitting(tokens, budget);
  const auto best = family.best(tokens, fitting);
  if (!best) {
    throw Error(ErrorCode::capacity, family.name() + "-" + options.size + ": " +
                                         std::to_string(budget) +
                                         " bytes have no room for the weights and a sequence of " +
                                         std::to_string(tokens) + " tokens");
  }
  return {family.name(), tokens,
          fitting,       family.sequence_bytes(tokens),
          *best,         family.needed(tokens, best->batch)};
}

/// The machine may change between the families: the median of all probes counts.
Machine::Speed median(const std::vector<Machine::Speed>& speeds) {
  const auto of = [&](double Machine::Speed::*speed) {
    std::vector<double> values;
    values.reserve(speeds.size());
    for (const Machine::Speed& s : speeds) values.push_back(s.*speed);
    return bench::median(std::move(values));
  };
  return {of(&Machine::Speed::bytes), of(&Machine::Speed::weight_flops),
          of(&Machine::Speed::attention_flops)};
}

}  // namespace

void measure_throughput(const FigureOptions& options) {
  for (const double gib : options.budgets_gib) {
    if (gib <= options.memory_gib || options.budgets_file.empty()) continue;
    throw examples::UsageError(
        "--budgets-gib: expected no more than --memory-gib, up to which "
        "sequences are measured");
  }
  BudgetFile budgets(options.budgets_file);
  Machine machine(options.threads);
  std::vector<Machine::Speed> speeds = {machine.measure()};
  std::vector<Row> rows;
  for (const std::string& name : options.families) {
    Family family(options, name);
    for (const int tokens : options.tokens) require_room(options, family, tokens);
    family.measure();
    speeds.push_back(machine.measure());
    for (const int tokens : options.tokens) rows.push_back(row_of(options, family, tokens));
    budgets.add(options, family);
  }
  Csv csv(
      "family,size,tokens,batch,best_batch,sequence_bytes,budget_bytes,tokens_per_second,"
      "memory_ceiling,compute_ceiling,bandwidth_gbs,peak_gops");
  const Machine::Speed speed = median(speeds);
  for (const Row& row : rows) {
    const auto all = static_cast<double>(row.best.batch * row.tokens);
    csv.row(row.family, options.size, row.tokens, row.fitting, row.best.batch, row.sequence_bytes,
            bytes_of(options.memory_gib), row.best.tokens_per_second,
            all / row.needed.reading(speed), all / row.needed.multiplying(speed), speed.bytes / 1e9,
            speed.weight_flops / 1e9);
  }
}

}  // namespace griffin::bench
