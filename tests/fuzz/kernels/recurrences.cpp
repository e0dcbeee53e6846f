// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <optional>

#include "fuzz/kernels/comparison.h"
#include "kernels/attention_case.h"
#include "kernels/rg_lru_case.h"

namespace griffin::fuzz {
namespace {

using test::AttentionCase;
using test::RgLruCase;
using test::StoredArray;

/// More than the budgets of the tests, of which some are of what is likely: here is somebody who
/// looks for what is not.
reference::Matrix wide(const reference::Matrix& budget, double times) {
  return (times * budget).array() + 16 * reference::smallest_normal;
}

/// Runs a recurrence at once and in four parts, of which the later rows go on from the state of the
/// earlier ones. `run(part, state, y)` computes `part`. Checks the state, too.
template <class Run>
GuardedMatrix in_parts(std::int64_t rows, std::int64_t width, const GuardedMatrix& before,
                       std::int64_t row, std::int64_t col, const Table& table,
                       const std::string& what, const Run& run) {
  GuardedMatrix whole_state = before;
  GuardedMatrix state = before;
  bool is_whole = true;
  const GuardedMatrix y =
      whole_and_parts(rows, width, row, col, table, what, [&](const Part& p, GuardedMatrix& to) {
        run(p, is_whole ? whole_state : state, to);
        is_whole = false;
      });
  require(test::same(whole_state, state), table, what + ": the state");
  return y;
}

}  // namespace

void check_linear_scan(Numbers& numbers) {
  const std::int64_t rows = 1 + numbers.below(24);
  const std::int64_t width = 1 + numbers.below(80);
  const std::int64_t row = split(numbers, rows);
  const std::int64_t col = split(numbers, width);
  Draw draw(numbers);
  const GuardedMatrix a(rows, width, draw.random().uniforms(rows * width, -1, 1));
  const GuardedMatrix b = draw.matrix(rows, width);
  const GuardedMatrix before = draw.matrix(1, width);
  const reference::Recurrence expected =
      reference::linear_scan(a.to_double(), b.to_double(), before.to_double());
  for (const Table* table : tables()) {
    const GuardedMatrix y = in_parts(rows, width, before, row, col, *table, "linear_scan",
                                     [&](const Part& p, GuardedMatrix& state, GuardedMatrix& to) {
                                       table->linear_scan({.a = a.row(p.row_begin),
                                                           .b = b.row(p.row_begin),
                                                           .stride = a.stride(),
                                                           .h = state.row(0),
                                                           .y = to.row(p.row_begin),
                                                           .y_stride = to.stride(),
                                                           .rows = p.row_end - p.row_begin,
                                                           .begin = p.begin,
                                                           .end = p.end});
                                     });
    require(test::close(y, expected.y, wide(expected.budget, 1)), *table, "linear_scan");
  }
}

void check_rg_lru(Numbers& numbers) {
  const std::int64_t rows = 1 + numbers.below(24);
  const std::int64_t width = 1 + numbers.below(80);
  const std::int64_t row = split(numbers, rows);
  const std::int64_t col = split(numbers, width);
  const std::int64_t position = numbers.below(3);
  const float gates = static_cast<float>(1 << numbers.below(8));
  Draw draw(numbers);
  Random& random = draw.random();
  std::vector<float> log_decay = random.uniforms(width, -9, 2);
  for (float& value : log_decay) value = -std::exp(value);
  const RgLruCase all{draw.matrix(rows, width),
                      GuardedMatrix(rows, width, random.uniforms(rows * width, -gates, gates)),
                      GuardedMatrix(rows, width, random.uniforms(rows * width, -gates, gates)),
                      log_decay,
                      draw.matrix(1, width),
                      position};
  const reference::Recurrence expected = all.expected();
  for (const Table* table : tables()) {
    const GuardedMatrix y = in_parts(rows, width, all.h, row, col, *table, "rg_lru",
                                     [&](const Part& p, GuardedMatrix& state, GuardedMatrix& to) {
                                       GuardedMatrix part(p.row_end - p.row_begin, width);
                                       all.run(*table, p.row_begin, p.begin, p.end, state, part);
                                       for (std::int64_t r = 0; r < part.rows(); ++r) {
                                         std::copy(part.row(r) + p.begin, part.row(r) + p.end,
                                                   to.row(p.row_begin + r) + p.begin);
                                       }
                                     });
    require(test::close(y, expected.y, wide(expected.budget, 1.5)), *table, "rg_lru");
  }
}

void check_conv1d(Numbers& numbers) {
  const std::int64_t rows = 1 + numbers.below(24);
  const std::int64_t width = 1 + numbers.below(80);
  const std::int64_t taps = 1 + numbers.below(6);
  const std::int64_t row = split(numbers, rows);
  const std::int64_t col = split(numbers, width);
  const std::int64_t position = numbers.below(3);
  Draw draw(numbers);
  const GuardedMatrix x = draw.matrix(rows, width);
  const std::vector<float> weight = draw(taps * width);
  const std::vector<float> bias = draw(width);
  const std::vector<float> before = draw((taps - 1) * width);
  reference::Matrix seen = reference::matrix(before, taps - 1, width);
  if (position == 0) seen.setZero();
  const reference::Recurrence expected = reference::conv1d(
      x.to_double(), reference::matrix(weight, taps, width), reference::row(bias), seen);
  for (const Table* table : tables()) {
    std::vector<float> states[] = {before, before};
    bool is_whole = true;
    const GuardedMatrix y = whole_and_parts(
        rows, width, row, col, *table, "conv1d", [&](const Part& p, GuardedMatrix& to) {
          table->conv1d({.x = x.row(p.row_begin),
                         .x_stride = x.stride(),
                         .weight = weight.data(),
                         .bias = bias.data(),
                         .state = states[is_whole ? 0 : 1].data(),
                         .width = width,
                         .y = to.row(p.row_begin),
                         .y_stride = to.stride(),
                         .position = position + p.row_begin,
                         .rows = p.row_end - p.row_begin,
                         .taps = taps,
                         .begin = p.begin,
                         .end = p.end});
          is_whole = false;
        });
    require(states[0] == states[1] ? ::testing::AssertionSuccess() : ::testing::AssertionFailure(),
            *table, "the state of conv1d in parts");
    require(test::close(y, expected.y, wide(expected.budget, 1)), *table, "conv1d");
  }
}

void check_attention(Numbers& numbers) {
  test::AttentionShape shape{.storage = test::all_storages[numbers.below(3)],
                             .length = 1 + numbers.below(140),
                             .heads = 1,
                             .head_dim = 1 + numbers.below(34),
                             .window = numbers.below(160),
                             .ring_rows = 0};
  shape.kv_heads = 1 + numbers.below(3);
  shape.heads = shape.kv_heads * (1 + numbers.below(3));
  shape.kv_gap = numbers.below(3);
  if (shape.window == 159) shape.window = test::global;
  shape.ring_rows = std::min(shape.length, shape.window) + numbers.below(4);
  const std::int64_t position = split(numbers, shape.length - 1);
  const std::int64_t rows = shape.length - position;
  const std::int64_t row = split(numbers, rows);
  const std::int64_t head = split(numbers, shape.heads);
  const bool scaled = numbers.yes();
  Draw draw(numbers);
  Random& random = draw.random();
  const std::int64_t width = shape.heads * shape.head_dim;
  const AttentionCase all{
      shape, GuardedMatrix(shape.length, width, random.normals(shape.length * width)),
      StoredArray(shape.storage, random.normals(shape.length * shape.kv_width())),
      StoredArray(shape.storage, random.normals(shape.length * shape.kv_width())),
      scaled ? 1.0F : 1 / std::sqrt(static_cast<float>(shape.head_dim))};
  std::optional<reference::Recurrence> plain;
  std::optional<reference::Recurrence> rounded;  // where queries and weights are
  for (const Table* table : tables()) {
    const std::string what = std::string("attention to ") + name_of(shape.storage);
    const GuardedMatrix y = whole_and_parts(
        rows, width, row, head * shape.head_dim, *table, what,
        [&](const Part& p, GuardedMatrix& to) {
          all.run(*table, position,
                  {p.row_begin, p.row_end, p.begin / shape.head_dim, p.end / shape.head_dim}, to);
        });
    const bool rounds = shape.storage == Dtype::bf16 && test::attends_on_tiles(*table);
    std::optional<reference::Recurrence>& expected = rounds ? rounded : plain;
    if (!expected) expected = all.expected(*table);
    require(
        test::close(y, expected->y.bottomRows(rows), wide(expected->budget.bottomRows(rows), 4)),
        *table, what);
  }
}

}  // namespace griffin::fuzz
