// SPDX-License-Identifier: Apache-2.0
#include "ceilings.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "griffin/model/parts.h"

namespace griffin::bench {
namespace {

const WeightView& head_of(const Model& model) {
  return model.parts().lm_head.linear.weight;
}

double numbers_of(const WeightView& weight) {
  return static_cast<double>(weight.rows) * static_cast<double>(weight.cols);
}

bool tied(const Model& model) {
  return head_of(model).data == model.parts().embedding.table.data;
}

/// What of the head a row of logits reads; of a greedy head, a row of which the best is wanted.
std::uint64_t head_read(const Model& model) {
  const std::uint64_t screen = model.parts().weights.screen;
  return screen > 0 ? screen : head_of(model).bytes();
}

/// What a row is multiplied with in the blocks.
double block_numbers(const Model& model) {
  const auto multiplied = static_cast<double>(model.parts().weights.multiplied);
  return multiplied - (tied(model) ? 0.0 : numbers_of(head_of(model)));
}

}  // namespace

std::uint64_t bytes_per_pass(const Model& model) {
  return model.weight_bytes() - model.parts().weights.screen -
         (tied(model) ? 0 : model.parts().embedding.table.bytes());
}

ModelWork::ModelWork(const Model& model)
    : block_bytes_(static_cast<double>(bytes_per_pass(model) - head_of(model).bytes())),
      head_bytes_(static_cast<double>(head_read(model))),
      block_weights_(block_numbers(model)),
      head_weights_(numbers_of(head_of(model))) {}

Work ModelWork::pass(std::int64_t rows, std::int64_t logits) const {
  const auto blocks = static_cast<double>(rows);
  const auto heads = static_cast<double>(logits);
  return {.bytes = block_bytes_ + (logits > 0 ? head_bytes_ : 0.0),
          .flops = 2.0 * (blocks * block_weights_ + heads * head_weights_)};
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0.0;
  const double center = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - center) * (value - center);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0;
}

Speeds mean(const Speeds& a, const Speeds& b) {
  return {(a.bytes_per_second + b.bytes_per_second) / 2.0,
          (a.flops_per_second + b.flops_per_second) / 2.0};
}

Speeds median(std::span<const Speeds> speeds) {
  std::vector<double> bytes;
  std::vector<double> flops;
  for (const Speeds& s : speeds) {
    bytes.push_back(s.bytes_per_second);
    flops.push_back(s.flops_per_second);
  }
  return {median(std::move(bytes)), median(std::move(flops))};
}

Ceiling ceiling(std::span<const Work> passes, std::int64_t tokens, const Speeds& speeds) {
  double reading = 0.0;
  double multiplying = 0.0;
  double seconds = 0.0;
  for (const Work& pass : passes) {
    const double read = pass.bytes / speeds.bytes_per_second;
    const double multiply = pass.flops / speeds.flops_per_second;
    reading += read;
    multiplying += multiply;
    seconds += std::max(read, multiply);
  }
  return {.tokens_per_second = static_cast<double>(tokens) / seconds,
          .bound = reading > multiplying ? Bound::memory : Bound::compute};
}

}  // namespace griffin::bench
