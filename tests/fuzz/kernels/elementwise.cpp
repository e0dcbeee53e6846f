// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "fuzz/kernels/comparison.h"
#include "kernels/packed_product.h"
#include "kernels/stored_array.h"

namespace griffin::fuzz {
namespace {

using kernels::index_of;
using test::StoredArray;

constexpr double u = reference::unit_roundoff;

/// Any floats at all, of the bits that the input has, or ordinary ones when that is at its end.
std::vector<float> any_floats(Numbers& numbers, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = numbers.empty()
                    ? static_cast<float>(i) - 7.5F
                    : std::bit_cast<float>(static_cast<std::uint32_t>(numbers.bytes(4)));
  }
  return values;
}

/// As in activation_test.cpp.
double roundings(Activation activation, double x) {
  const double exponent =
      2 * std::sqrt(2 / M_PI) * (std::abs(x) + 0.044715 * std::pow(std::abs(x), 3));
  switch (activation) {
    case Activation::gelu_tanh:
      return 4 + (x < 0 ? 4 * exponent : 0);
    case Activation::gelu_erf:
      return x < 0 ? 10 : 6;
    case Activation::silu:
      return 5;
    case Activation::relu:
      return 0;
  }
  return 0;
}

double gate_budget(Activation activation, double x, double value) {
  const double y = reference::activate(activation, x) * value;
  return (roundings(activation, x) + 1) * u * std::abs(y) +
         reference::smallest_normal * (1 + std::abs(x * value));
}

/// Whether a value is what it should be: within the budget, or NaN as the scalar table's, or beyond
/// what a float holds.
bool is_close(float found, double expected, double budget, float of_scalar) {
  if (std::isnan(of_scalar) || std::isnan(expected))
    return std::isnan(found) == std::isnan(of_scalar);
  constexpr double largest = std::numeric_limits<float>::max();
  if (std::abs(expected) > largest * (1 - 1e-5)) return true;
  return std::abs(static_cast<double>(found) - expected) <= budget;
}

void require_close(float found, double expected, double budget, float of_scalar, const Table& table,
                   const std::string& what) {
  if (is_close(found, expected, budget, of_scalar)) return;
  require(::testing::AssertionFailure() << found << ", expected " << expected << " within "
                                        << budget << "; scalar: " << of_scalar,
          table, what);
}

template <class T>
void require_same_bytes(const std::vector<T>& found, const std::vector<T>& expected,
                        const Table& table, const std::string& what) {
  const std::size_t bytes = found.size() * sizeof(T);
  const bool same = found.size() == expected.size() &&
                    (bytes == 0 || std::memcmp(found.data(), expected.data(), bytes) == 0);
  require(same ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << "other bytes",
          table, what);
}

}  // namespace

void check_rms_norm(Numbers& numbers) {
  const std::int64_t rows = 1 + numbers.below(9);
  const std::int64_t width = 1 + numbers.below(100);
  const std::int64_t row = split(numbers, rows);
  constexpr float epsilons[] = {1e-6F, 1e-5F, 0.0F, 1.0F};
  const float eps = epsilons[numbers.below(4)];
  Draw draw(numbers);
  GuardedMatrix x = draw.matrix(rows, width);
  for (std::int64_t r = 0; r < rows; ++r) x(r, 0) = 0.5F;  // no row of zeros, with no eps
  const std::vector<float> weight = draw.random().uniforms(width, -0.9F, 3);
  const reference::Matrix expected =
      reference::rms_norm(x.to_double(), reference::row(weight), static_cast<double>(eps));
  const reference::Matrix budget =
      ((8 + static_cast<double>(width) / 2) * u * expected.cwiseAbs()).array() +
      reference::smallest_normal;
  for (const Table* table : tables()) {
    const GuardedMatrix y = whole_and_parts(rows, width, row, width, *table, "rms_norm",
                                            [&](const Part& p, GuardedMatrix& to) {
                                              if (p.begin == p.end) return;
                                              table->rms_norm({.x = x.row(p.row_begin),
                                                               .x_stride = x.stride(),
                                                               .weight = weight.data(),
                                                               .y = to.row(p.row_begin),
                                                               .y_stride = to.stride(),
                                                               .rows = p.row_end - p.row_begin,
                                                               .width = width,
                                                               .eps = eps});
                                            });
    require(test::close(y, expected, budget), *table, "rms_norm");
    GuardedMatrix in_place = x;
    table->rms_norm({.x = in_place.row(0),
                     .x_stride = x.stride(),
                     .weight = weight.data(),
                     .y = in_place.row(0),
                     .y_stride = x.stride(),
                     .rows = rows,
                     .width = width,
                     .eps = eps});
    require(test::same(in_place, y), *table, "rms_norm in place");
  }
}

void check_activation_gate(Numbers& numbers) {
  const auto activation = static_cast<Activation>(numbers.below(4));
  const std::int64_t width = 1 + numbers.below(40);
  const std::int64_t col = split(numbers, width);
  const bool any = numbers.yes();
  Draw draw(numbers);
  const GuardedMatrix gate(1, width, any ? any_floats(numbers, width) : draw(width));
  const GuardedMatrix value =
      any ? GuardedMatrix(1, width, std::vector<float>(static_cast<std::size_t>(width), 1.5F))
          : draw.matrix(1, width);
  const auto run = [&](const Table& table, const Part& p, GuardedMatrix& to) {
    table.activation_gate({.activation = activation,
                           .gate = gate.row(0) + p.begin,
                           .gate_stride = gate.stride(),
                           .value = value.row(0) + p.begin,
                           .value_stride = value.stride(),
                           .y = to.row(0) + p.begin,
                           .y_stride = to.stride(),
                           .rows = p.row_end - p.row_begin,
                           .width = p.end - p.begin});
  };
  GuardedMatrix of_scalar(1, width);
  run(scalar(), {0, 1, 0, width}, of_scalar);
  for (const Table* table : tables()) {
    const GuardedMatrix y =
        whole_and_parts(1, width, 1, col, *table, "activation_gate",
                        [&](const Part& p, GuardedMatrix& to) { run(*table, p, to); });
    for (std::int64_t c = 0; c < width; ++c) {
      const double x = gate(0, c);
      const double v = value(0, c);
      require_close(y(0, c), reference::activate(activation, x) * v, gate_budget(activation, x, v),
                    of_scalar(0, c), *table, "activation_gate");
    }
  }
}

void check_soft_cap(Numbers& numbers) {
  constexpr float caps[] = {30.0F, 1.0F, 50.0F, 0.125F};
  const float cap = caps[numbers.below(4)];
  const std::int64_t count = 1 + numbers.below(40);
  const std::vector<float> x = any_floats(numbers, count);
  std::vector<float> of_scalar = x;
  scalar().soft_cap({.x = of_scalar.data(), .count = count, .cap = cap});
  for (const Table* table : tables()) {
    std::vector<float> y = x;
    table->soft_cap({.x = y.data(), .count = count, .cap = cap});
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double expected =
          reference::soft_cap(static_cast<double>(x[i]), static_cast<double>(cap));
      require_close(
          y[i], expected,
          5 * u * std::abs(expected) + static_cast<double>(cap) * reference::smallest_normal,
          of_scalar[i], *table, "soft_cap");
      float alone = x[i];
      table->soft_cap({.x = &alone, .count = 1, .cap = cap});
      require_same_bytes<float>({alone}, {y[i]}, *table, "soft_cap of one");
    }
  }
}

/// Angles by the definition, and rotation by the angles that a table gives.
void check_rope(Numbers& numbers) {
  const std::int64_t rows = 1 + numbers.below(5);
  const std::int64_t pairs = 1 + numbers.below(40);
  const std::int64_t heads = 1 + numbers.below(3);
  const std::int64_t head_dim = 2 * pairs + numbers.below(20);
  const auto position = static_cast<std::int64_t>(numbers.bytes(numbers.below(7)));
  Draw draw(numbers);
  std::vector<float> frequency = draw.random().uniforms(pairs, 0, 1);
  frequency[0] = 1;
  const GuardedMatrix x = draw.matrix(rows, heads * head_dim);
  for (const Table* table : tables()) {
    std::vector<float> cos_sin(static_cast<std::size_t>(2 * pairs * rows));
    table->rope_angles({.position = position,
                        .frequency = frequency.data(),
                        .cos_sin = cos_sin.data(),
                        .rows = rows,
                        .pairs = pairs});
    reference::Matrix turns(rows, pairs);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < pairs; ++j) {
        const float angle =
            kernels::reference::rope_angle(position + r, frequency[static_cast<std::size_t>(j)]);
        turns(r, j) = angle;
        const double budget = 0x1p-25 * 1.001 + (angle >= 0x1p23F && angle < 0x1p30F ? 6e-8 : 0);
        const auto at = static_cast<std::size_t>(r * 2 * pairs + j);
        require_close(cos_sin[at], std::cos(static_cast<double>(angle)), budget, 0, *table,
                      "cosine");
        require_close(cos_sin[at + static_cast<std::size_t>(pairs)],
                      std::sin(static_cast<double>(angle)), budget, 0, *table, "sine");
      }
    }
    GuardedMatrix y = x;
    table->rope({.x = y.row(0),
                 .x_stride = y.stride(),
                 .cos_sin = cos_sin.data(),
                 .rows = rows,
                 .heads = heads,
                 .head_dim = head_dim,
                 .pairs = pairs});
    const reference::Matrix expected = reference::rope(x.to_double(), turns, head_dim);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < x.cols(); ++c) {
        const std::int64_t j = c % head_dim;
        const std::int64_t other = j < pairs ? c + pairs : c - pairs;
        const double size = j < 2 * pairs ? std::abs(x(r, c)) + std::abs(x(r, other)) : 0;
        require_close(y(r, c), expected(r, c), 6 * u * size, 0, *table, "rope");
      }
    }
  }
}

void check_embed(Numbers& numbers) {
  const std::int64_t vocab = 1 + numbers.below(40);
  const std::int64_t width = 1 + numbers.below(200);
  const std::int64_t rows = 1 + numbers.below(6);
  const int type = numbers.below(5);
  const auto dtype = static_cast<Dtype>(type);
  constexpr float scales[] = {1.0F, 50.5F, 0x1p-20F};
  const float scale = scales[numbers.below(3)];
  std::vector<std::int32_t> tokens;
  for (std::int64_t r = 0; r < rows; ++r) tokens.push_back(numbers.below(static_cast<int>(vocab)));
  Draw draw(numbers);
  const test::ProductWeights w =
      is_quantized(dtype)
          ? test::random_weights({dtype, Operand::int8}, vocab, width, draw.random())
          : test::dense_weights({dtype, Operand::f32}, vocab, width, draw(vocab * width));
  for (const Table* table : tables()) {
    GuardedMatrix y(rows, width);
    table->embed[index_of(dtype)]({.table = w.data(),
                                   .tokens = tokens.data(),
                                   .y = y.row(0),
                                   .y_stride = y.stride(),
                                   .rows = rows,
                                   .width = width,
                                   .scale = scale});
    require(y.only_written(0, width), *table, "embed");
    GuardedMatrix expected(rows, width);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < width; ++c) {
        expected(r, c) =
            static_cast<float>(w.values(tokens[static_cast<std::size_t>(r)], c)) * scale;
      }
    }
    require(test::same(y, expected), *table, std::string("embed of ") + name_of(dtype));
  }
}

/// Any bits, one byte off any alignment. NaN has to stay one, but not the same.
void check_conversions(Numbers& numbers) {
  const auto dtype = static_cast<Dtype>(numbers.below(3));
  const std::int64_t count = numbers.below(70);
  const std::size_t size = dtype == Dtype::f32 ? 4 : 2;
  std::vector<std::uint8_t> from(1 + static_cast<std::size_t>(count) * size);
  for (std::uint8_t& byte : from) byte = static_cast<std::uint8_t>(numbers.below(256));
  const auto without_nan = [](std::vector<float> values) {
    for (float& value : values) value = std::isnan(value) ? -7.25F : value;
    return values;
  };
  std::vector<float> widened(static_cast<std::size_t>(count));
  scalar().widen[index_of(dtype)]({from.data() + 1, widened.data(), count});
  for (const Table* table : tables()) {
    std::vector<float> to(widened.size());
    table->widen[index_of(dtype)]({from.data() + 1, to.data(), count});
    require_same_bytes(without_nan(to), without_nan(widened), *table,
                       std::string("widen of ") + name_of(dtype));
    std::vector<std::uint16_t> narrowed(to.size());
    table->narrow_bf16({to.data(), narrowed.data(), count});
    std::vector<float> back(to.size());
    std::vector<float> expected(to.size());
    scalar().widen[index_of(Dtype::bf16)]({narrowed.data(), back.data(), count});
    for (std::size_t i = 0; i < to.size(); ++i) expected[i] = test::rounded_to_bf16(to[i]);
    require_same_bytes(without_nan(back), without_nan(expected), *table, "narrow_bf16");
  }
}

void check_argmax(Numbers& numbers) {
  const std::int64_t count = 1 + numbers.below(100);
  const bool few = numbers.yes();
  std::vector<float> x = any_floats(numbers, few ? count / 4 : count);
  while (static_cast<std::int64_t>(x.size()) < count) {
    x.push_back(x.empty() ? 0.0F : x[x.size() / 3]);  // equals
  }
  const std::int64_t expected = scalar().argmax({x.data(), count});
  const auto best = static_cast<std::size_t>(expected);
  require(expected >= 0 && expected < count);
  for (const float other : x) require(std::isnan(other) || std::isnan(x[best]) || other <= x[best]);
  for (const Table* table : tables()) {
    const std::int64_t found = table->argmax({x.data(), count});
    require(found == expected ? ::testing::AssertionSuccess()
                              : ::testing::AssertionFailure() << found << ", not " << expected,
            *table, "argmax");
  }
}

}  // namespace griffin::fuzz
