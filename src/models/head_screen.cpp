// SPDX-License-Identifier: Apache-2.0
#include "models/head_screen.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>

#include "griffin/core/error.h"
#include "griffin/core/parallel.h"
#include "weights/convert_weights.h"

namespace griffin {
namespace {

constexpr std::int64_t block_columns = 128;  // tokens that are passed over together
constexpr double unit = 0x1p-24;
constexpr float tiny = 0x1p-80F;
constexpr double up = 1.0 + 0x1p-20;  // more than rounding a double to float32 takes away
constexpr float lowest = -std::numeric_limits<float>::infinity();

std::int64_t blocks_of(std::int64_t vocab) noexcept {
  return (vocab + block_columns - 1) / block_columns;
}

[[noreturn]] void refuse(const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::invalid_argument,
              "greedy head: expected " + expected + ", found " + found);
}

void check(const Linear& head) {
  constexpr const char* forms[] = {"f32", "bf16", "int8"};
  if (head.weight.dtype != Dtype::bf16 || head.operand != Operand::bf16) {
    refuse(
        "a head of bf16 weights by bf16 activations",
        std::string(name_of(head.weight.dtype)) + " by " + forms[kernels::index_of(head.operand)]);
  }
  if (head.bias != nullptr) refuse("a head without a bias", "one");
  constexpr std::int64_t widest = 1 << 20;
  if (head.in() > widest) refuse("a width of at most 2^20", std::to_string(head.in()));
}

/// To nearest even, for |x| < 2^51. The library's own is a call for each number.
double round_to_integer(double x) noexcept {
  return (x + 0x1.8p52) - 0x1.8p52;
}

/// The two squared norms of one token's weights.
struct Squares {
  double error = 0.0;
  double norm = 0.0;
};

/// Adds those of a group: `w` is bf16, `block` the int8 block of the panel.
void add_group(const std::byte* w, std::int64_t width, const std::byte* block, std::int64_t output,
               Squares& squares) noexcept {
  float wide[kernels::group_width];
  kernels::table_at(0).widen[kernels::index_of(Dtype::bf16)](
      {.from = w, .to = wide, .count = width});
  float scale;
  std::memcpy(&scale, block + kernels::int8_scales + output * 4, sizeof scale);
  for (std::int64_t i = 0; i < width; ++i) {
    const int q = std::to_integer<int>(block[i / 4 * 64 + output * 4 + i % 4]) - 128;
    const double rounded = static_cast<double>(q) * static_cast<double>(scale);
    const double error = static_cast<double>(wide[i]) - rounded;
    squares.error += error * error;
    squares.norm += rounded * rounded;
  }
}

/// The largest of each kind of bound.
struct Extremes {
  float upper = lowest;
  float lower = lowest;
};

/// b of a token.
float bound_of(const HeadScreen::Margin& margin, float error, float norm) noexcept {
  return margin.of_error * error + margin.of_norm * norm + tiny;
}

/// s -> s + b for some tokens. In eight chains, so that it can be vectorised.
Extremes add_bounds(const HeadScreen::Margin& margin, const float* error, const float* norm,
                    std::int64_t count, float* scores) noexcept {
  constexpr int chains = 8;
  float upper[chains];
  float lower[chains];
  std::fill_n(upper, chains, lowest);
  std::fill_n(lower, chains, lowest);
  std::int64_t j = 0;
  const auto take = [&](int width) {
    float sum[chains];
    for (int k = 0; k < width; ++k) {
      const float bound = bound_of(margin, error[j + k], norm[j + k]);
      const float below = scores[j + k] - bound;
      sum[k] = scores[j + k] + bound;
      lower[k] = lower[k] < below ? below : lower[k];
      upper[k] = upper[k] < sum[k] ? sum[k] : upper[k];
    }
    for (int k = 0; k < width; ++k) scores[j + k] = sum[k];
  };
  for (; j + chains <= count; j += chains) take(chains);
  take(static_cast<int>(count - j));
  return {*std::max_element(upper, upper + chains), *std::max_element(lower, lower + chains)};
}

/// Tokens whose logit is less cannot have the largest capped one, where one has at least L.
float threshold(float largest_lower, float soft_cap) noexcept {
  if (soft_cap == 0.0F) return largest_lower;
  const auto cap = static_cast<double>(soft_cap);
  const double capped = std::tanh(static_cast<double>(largest_lower) / cap) - 16.0 * unit;
  if (capped <= -1.0) return lowest;
  return std::nextafter(static_cast<float>(cap * std::atanh(capped)), lowest);
}

}  // namespace

/// What the rows of a call take.
struct HeadScreen::Room {
  template <class Frame>
  Room(Frame& frame, const HeadScreen& screen, std::int64_t rows)
      : rounded(frame.matrix(rows, screen.linear_.in())),
        upper(frame.matrix(rows, blocks_of(screen.vocab()))),
        lower(frame.matrix(rows, blocks_of(screen.vocab()))),
        narrow(frame.bytes(static_cast<std::size_t>(screen.linear_.in()) * 2)),
        margins(take<Margin>(frame, rows)),
        tokens(take<std::int32_t>(frame, screen.most_candidates())),
        logits(take<float>(frame, screen.most_candidates())) {}

  template <class T, class Frame>
  static T* take(Frame& frame, std::int64_t count) {
    return reinterpret_cast<T*>(frame.bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  MatrixView rounded;    // [rows, width] x
  MatrixView upper;      // [rows, blocks] the largest s + b
  MatrixView lower;      // [rows, blocks] the largest s - b
  std::byte* narrow;     // [width] bf16
  Margin* margins;       // [rows]
  std::int32_t* tokens;  // [most_candidates]
  float* logits;         // [most_candidates]
};

HeadScreen::HeadScreen(const LmHead& head) : head_(head) {
  check(head.linear);
  if (head.soft_cap != 0.0F && !(head.soft_cap >= 0x1p-80F)) {
    throw Error(ErrorCode::invalid_argument,
                "greedy head: soft cap: expected 0 or at least 2^-80, found " +
                    std::to_string(head.soft_cap));
  }
  WeightView view{nullptr, Dtype::int8, head.linear.out(), head.linear.in()};
  weights_ = Buffer(view.bytes());
  view.data = weights_.data();
  linear_ = {view, nullptr, Operand::int8};
  if (!convert_weights(head.linear.weight, Dtype::int8, weights_.data())) {
    throw Error(ErrorCode::format,
                "greedy head: expected finite weights, found infinity or NaN in the head");
  }
  error_.resize(static_cast<std::size_t>(vocab()));
  norm_.resize(static_cast<std::size_t>(vocab()));
  parallel_for(available_cores(), blocks_down(vocab()), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t panel = begin; panel < end; ++panel) measure(panel);
               });
  for (std::size_t j = 0; j < norm_.size(); ++j) {
    largest_ = std::max(largest_, norm_[j] + error_[j]);
  }
}

/// The norms of 16 tokens.
void HeadScreen::measure(std::int64_t panel) {
  const std::int64_t width = linear_.in();
  const auto* blocks = weights_.data() + panel * blocks_across(width) * kernels::int8_block;
  const auto* weights = static_cast<const std::byte*>(head_.linear.weight.data);
  const std::int64_t first = panel * kernels::panel_rows;
  for (std::int64_t o = 0; o < kernels::panel_rows && first + o < vocab(); ++o) {
    Squares squares;
    for (std::int64_t i = 0; i < width; i += kernels::group_width) {
      add_group(weights + ((first + o) * width + i) * 2, std::min(kernels::group_width, width - i),
                blocks + i / kernels::group_width * kernels::int8_block, o, squares);
    }
    const auto j = static_cast<std::size_t>(first + o);
    error_[j] = static_cast<float>(std::sqrt(squares.error) * up) + tiny;
    norm_[j] = static_cast<float>(std::sqrt(squares.norm) * up) + tiny;
  }
}

bool HeadScreen::is_of(const LmHead& head) const noexcept {
  const WeightView& ours = head_.linear.weight;
  const WeightView& theirs = head.linear.weight;
  return ours.data == theirs.data && ours.dtype == theirs.dtype && ours.rows == theirs.rows &&
         ours.cols == theirs.cols && head_.linear.operand == head.linear.operand &&
         head_.linear.bias == head.linear.bias && head_.soft_cap == head.soft_cap;
}

std::uint64_t HeadScreen::bytes() const noexcept {
  return weights_.size() + (error_.size() + norm_.size()) * sizeof(float);
}

/// With more, all logits are hardly more to read.
std::int64_t HeadScreen::most_candidates() const noexcept {
  return vocab() / 8 + 8;
}

Needs HeadScreen::needs(const kernels::Table& table, std::int64_t rows) const {
  Workspace::CountingFrame frame;
  const Room room(frame, *this, rows);
  return frame.used() +
         either(needs_of_products(table, rows, linear_), needs_of_products(table, 1, head_.linear));
}

void HeadScreen::operator()(Context& context, ConstMatrixView x, MatrixView scores,
                            std::span<Decision> decisions) const {
  Workspace::Frame frame(context.workspace);
  const Room room(frame, *this, x.rows);
  const kernels::Table& table = *context.kernels;
  for (std::int64_t r = 0; r < x.rows; ++r) {
    float* rounded = room.rounded.row(r);
    table.narrow_bf16({.from = x.row(r), .to = room.narrow, .count = x.cols});
    table.widen[kernels::index_of(Dtype::bf16)](
        {.from = room.narrow, .to = rounded, .count = x.cols});
    room.margins[r] = margin_of(rounded);
  }
  const std::span margins(room.margins, static_cast<std::size_t>(x.rows));
  std::fill(decisions.begin(), decisions.end(), Decision{});
  if (std::none_of(margins.begin(), margins.end(), [](const Margin& m) { return m.usable; }))
    return;
  multiply(context, room.rounded, into(scores, linear_));
  spread(context, room, scores);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    if (!room.margins[r].usable) continue;
    decisions[static_cast<std::size_t>(r)] =
        decide(context, room, r, x.slice(r, 1), scores.slice(r, 1));
  }
}

HeadScreen::Margin HeadScreen::margin_of(const float* x) const noexcept {
  const std::int64_t width = linear_.in();
  double squares = 0.0;
  double errors = 0.0;
  double steps = 0.0;  // squared
  for (std::int64_t start = 0; start < width; start += kernels::group_width) {
    const std::int64_t end = std::min(start + kernels::group_width, width);
    float largest = 0.0F;
    for (std::int64_t i = start; i < end; ++i) largest = std::max(largest, std::fabs(x[i]));
    const auto step = static_cast<double>(largest / 127.0F);
    const double to_steps = step > 0.0 ? 1.0 / step : 0.0;
    for (std::int64_t i = start; i < end; ++i) {
      const auto value = static_cast<double>(x[i]);
      const double error = value - step * round_to_integer(value * to_steps);
      squares += value * value;
      errors += error * error;
    }
    steps += static_cast<double>(end - start) * step * step;
  }
  const double norm = std::sqrt(squares) * up + double{tiny};
  const double error = std::sqrt(errors) * up + 0x1p-14 * std::sqrt(steps) + double{tiny};
  const double roundings = 2.0 * unit * static_cast<double>(width + 64);
  const double g = roundings / (1.0 - roundings);
  const bool usable = (norm + error) * double{largest_} < 0x1p120 && norm < 0x1p120;  // not for NaN
  if (!usable) return {};
  return {.of_error = static_cast<float>((1.0 + g) * norm * up),
          .of_norm = static_cast<float>((error + g * (2.0 * norm + error)) * up),
          .usable = true};
}

float HeadScreen::bound(const Margin& margin, std::int64_t token) const noexcept {
  const auto j = static_cast<std::size_t>(token);
  return bound_of(margin, error_[j], norm_[j]);
}

/// Scores become upper bounds; of every block of tokens the largest are noted.
void HeadScreen::spread(Context& context, const Room& room, MatrixView scores) const noexcept {
  const auto share = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * block_columns;
      const std::int64_t count = std::min(block_columns, vocab() - first);
      for (std::int64_t r = 0; r < scores.rows; ++r) {
        const Extremes found = add_bounds(room.margins[r], error_.data() + first,
                                          norm_.data() + first, count, scores.row(r) + first);
        room.upper.row(r)[block] = found.upper;
        room.lower.row(r)[block] = found.lower;
      }
    }
  };
  parallel_for(context.threads, blocks_of(vocab()), context.grain(4 * block_columns * scores.rows),
               share);
}

HeadScreen::Decision HeadScreen::decide(Context& context, const Room& room, std::int64_t row,
                                        ConstMatrixView x, MatrixView scores) const {
  const std::int64_t count = candidates(room, row, scores.row(0));
  if (count == 0) return {};
  const std::span tokens(room.tokens, static_cast<std::size_t>(count));
  compute(context, x, tokens, scores);
  for (std::int64_t i = 0; i < count; ++i) room.logits[i] = scores.row(0)[room.tokens[i]];
  const kernels::Table& table = *context.kernels;
  if (head_.soft_cap != 0.0F) {
    table.soft_cap({.x = room.logits, .count = count, .cap = head_.soft_cap});
  }
  return {room.tokens[table.argmax({.x = room.logits, .count = count})], count};
}

/// Those whose upper bound reaches the threshold, in their order, or none if they are too many.
std::int64_t HeadScreen::candidates(const Room& room, std::int64_t row,
                                    const float* upper) const noexcept {
  const std::int64_t blocks = blocks_of(vocab());
  const float* lower = room.lower.row(row);
  const float least = threshold(*std::max_element(lower, lower + blocks), head_.soft_cap);
  std::int64_t count = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    if (room.upper.row(row)[block] < least) continue;
    const std::int64_t end = std::min((block + 1) * block_columns, vocab());
    for (std::int64_t j = block * block_columns; j < end; ++j) {
      if (upper[j] < least) continue;
      if (count == most_candidates()) return 0;
      room.tokens[count++] = static_cast<std::int32_t>(j);
    }
  }
  return count;
}

/// The logits of some tokens, ascending, of one row, before the cap, into their places.
void HeadScreen::compute(Context& context, ConstMatrixView x, std::span<const std::int32_t> tokens,
                         MatrixView logits) const {
  Workspace::Frame frame(context.workspace);
  const Packed packed(context, frame, x, head_.linear);
  const auto share = [&](std::int64_t begin, std::int64_t end, int worker) {
    while (begin < end) {  // neighbours together
      const std::int32_t first = tokens[static_cast<std::size_t>(begin)];
      std::int32_t last = first;
      do {
        ++begin;
        ++last;
      } while (begin < end && tokens[static_cast<std::size_t>(begin)] == last);
      product_columns(context, packed, head_.linear, logits, first, last, worker);
    }
  };
  parallel_for(context.threads, static_cast<std::int64_t>(tokens.size()), context.grain(x.cols),
               share);
}

}  // namespace griffin
