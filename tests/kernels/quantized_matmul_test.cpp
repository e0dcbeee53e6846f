// SPDX-License-Identifier: Apache-2.0
// What int8 and int4 products promise beyond the others: the same bits on every instruction set, a
// bound by the step of the activations, and exact sums at their largest.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

const kernels::Table& scalar() {
  return *kernels::find_table("scalar");
}

/// A product of these weights and activations, with a bias of zero.
PackedProduct product_of(const QuantizedMatrix& w, std::int64_t rows, const std::vector<float>& x) {
  return {block_weights(w), GuardedMatrix(rows, w.in, x),
          std::vector<float>(static_cast<std::size_t>(w.out))};
}

/// sum |w x|, which no rounding of an activation can move the result further than, and half a step
/// of the activations for every weight.
struct Bounds {
  reference::Matrix magnitude, half_steps;
};

Bounds bounds_of(const PackedProduct& product) {
  reference::Matrix half(product.x.rows(), product.w.in);
  for (std::int64_t r = 0; r < product.x.rows(); ++r) {
    for (std::int64_t i = 0; i < product.w.in; ++i) {
      const std::int64_t begin = i / 128 * 128;
      double largest = 0;
      for (std::int64_t j = begin; j < std::min(begin + 128, product.w.in); ++j) {
        largest = std::max(largest, static_cast<double>(std::fabs(product.x(r, j))));
      }
      half(r, i) = largest / 127 / 2;
    }
  }
  const reference::Matrix w = product.w.values.cwiseAbs();
  return {reference::matmul(product.x.to_double().cwiseAbs(), w, reference::row({})),
          reference::matmul(half, w, reference::row({}))};
}

class QuantizedMatmul : public IsaTest {
 protected:
  /// Both weights and activations at their largest, where sums of bytes may overflow: no rounding
  /// at all, as scales are powers of two and sums multiples of a large one.
  static void expect_exact(const QuantizedMatrix& w,
                           const std::function<float(std::int64_t)>& activation) {
    std::vector<float> row;
    for (std::int64_t i = 0; i < w.in; ++i) row.push_back(activation(i));
    const PackedProduct one = product_of(w, 1, row);
    const reference::Matrix expected =
        reference::matmul(one.x.to_double(), one.w.values, reference::row(one.bias));
    for (const std::int64_t rows : rows_of_every_kind) {
      std::vector<float> x;
      for (std::int64_t r = 0; r < rows; ++r) x.insert(x.end(), row.begin(), row.end());
      const PackedProduct product{one.w, GuardedMatrix(rows, w.in, x), one.bias};
      EXPECT_TRUE(close(product.whole(table()), expected.replicate(rows, 1),
                        reference::Matrix::Zero(rows, w.out)))
          << name_of(w.product) << ", rows " << rows << ", in " << w.in;
    }
  }

  /// Weights of `low` in even outputs and `high` in odd ones, with the largest factor.
  static QuantizedMatrix largest(Product product, std::int64_t in, int low, int high) {
    QuantizedMatrix w(product, 50, in);
    for (std::size_t i = 0; i < w.w.size(); ++i) {
      w.w[i] = i / static_cast<std::size_t>(in) % 2 == 0 ? low : high;
    }
    std::fill(w.scales.begin(), w.scales.end(), 0.125F);
    if (product == int4_by_int8) std::fill(w.factors.begin(), w.factors.end(), 15);
    return w;
  }

  template <class Test>
  static void for_largest(const Test& test) {
    for (const std::int64_t in : {128, 256, 2560}) {
      test(largest(int8_by_int8, in, -127, 127));
      test(largest(int4_by_int8, in, -8, 7));
    }
  }

  /// Activations of all rows but `row` give what they would without it, and row gives NaN.
  static void expect_nan_in_row_only(const PackedProduct& clean, std::int64_t row,
                                     std::int64_t column, float value) {
    const GuardedMatrix expected = clean.whole(table());
    PackedProduct spoiled = clean;
    spoiled.x(row, column) = value;
    const GuardedMatrix y = spoiled.whole(table());
    for (std::int64_t r = 0; r < y.rows(); ++r) {
      for (std::int64_t o = 0; o < y.cols(); ++o) ASSERT_EQ(std::isnan(y(r, o)), r == row);
      if (r == row) continue;
      ASSERT_TRUE(same_row(y, r, expected, r, 0, y.cols()));
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, QuantizedMatmul, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(QuantizedMatmul, GivesTheBitsOfTheScalarTable) {
  for (const Product product : quantized_products) {
    for (const std::int64_t in : {1, 3, 31, 32, 33, 127, 128, 129, 255, 257, 640, 2560}) {
      for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 25, 65, 72}) {
        const PackedProduct all = random_product(product, rows, in, 115);
        ASSERT_TRUE(same(all.whole(table()), all.whole(scalar())))
            << name_of(product) << ", rows " << rows << ", in " << in;
      }
    }
  }
}

/// Against the activations as they were: each is off by half a step at most, and by its float32
/// rounding when it is divided by the step, of which 2^-15 of the step is an upper bound.
TEST_P(QuantizedMatmul, IsOffByHalfAStepOfTheActivations) {
  for (const Product product : quantized_products) {
    for (const std::int64_t in : {1, 33, 128, 130, 300, 2560}) {
      const PackedProduct all = random_product(product, 17, in, 50);
      const reference::Matrix x = all.x.to_double();
      const reference::Matrix budget =
          (1 + 0x1p-14) * bounds_of(all).half_steps + 2 * all.budget(x);
      const reference::Matrix expected =
          reference::matmul(x, all.w.values, reference::row(all.bias));
      EXPECT_TRUE(close(all.whole(table()), expected, budget)) << name_of(product);
    }
  }
}

TEST_P(QuantizedMatmul, SumsTheLargestExactly) {
  for_largest([](const QuantizedMatrix& w) {
    expect_exact(w, [](std::int64_t) { return 127.0F; });
    expect_exact(w, [](std::int64_t) { return -127.0F; });
  });
}

TEST_P(QuantizedMatmul, SumsTheLargestOfAlternatingSignsExactly) {
  for_largest([](const QuantizedMatrix& w) {
    expect_exact(w, [](std::int64_t i) { return i % 2 == 0 ? 127.0F : -127.0F; });
    expect_exact(w, [](std::int64_t i) { return i / 4 % 2 == 0 ? 127.0F : -127.0F; });
    expect_exact(w, [](std::int64_t i) { return i / 32 % 2 == 0 ? 127.0F : -127.0F; });
  });
}

/// Weights follow the sign of the activations: pairs and quads do not cancel.
TEST_P(QuantizedMatmul, SumsTheLargestOfEqualSignsExactly) {
  for (const Product product : quantized_products) {
    for (const std::int64_t in : {128, 640}) {
      QuantizedMatrix w = largest(product, in, 1, 1);
      for (std::size_t i = 0; i < w.w.size(); ++i) {
        const bool even = i % static_cast<std::size_t>(in) % 2 == 0;
        w.w[i] = product == int8_by_int8 ? (even ? 127 : -127) : (even ? 7 : -8);
      }
      expect_exact(w, [](std::int64_t i) { return i % 2 == 0 ? 127.0F : -127.0F; });
      expect_exact(w, [](std::int64_t i) { return i % 2 == 0 ? -127.0F : 127.0F; });
    }
  }
}

/// Every weight a byte or a nibble can hold, with every factor, one at a time.
TEST_P(QuantizedMatmul, TakesEveryWeightAndFactor) {
  for (const Product product : quantized_products) {
    const bool wide = product == int8_by_int8;
    const int lowest = wide ? -127 : -8;
    const int weights = wide ? 255 : 16;
    QuantizedMatrix w(product, weights, 4 * 128);
    std::fill(w.scales.begin(), w.scales.end(), 0.5F);
    for (std::int64_t o = 0; o < w.out; ++o) {
      for (std::int64_t i = 0; i < w.in; ++i) {
        w.w[static_cast<std::size_t>(o * w.in + i)] = lowest + static_cast<int>((o + i) % weights);
        if (!wide) w.factors[w.run(o, i)] = 1 + static_cast<int>((o + i / 32) % 15);
      }
    }
    Random random(3);
    for (const std::int64_t rows : rows_of_every_kind) {
      std::vector<float> x = random.integers(rows * w.in, -127, 127);
      for (std::size_t i = 0; i < x.size(); i += 128) x[i] = 127;  // so that the step is one
      const PackedProduct all = product_of(w, rows, x);
      const reference::Matrix expected =
          reference::matmul(all.x.to_double(), all.w.values, reference::row(all.bias));
      EXPECT_TRUE(close(all.whole(table()), expected, reference::Matrix::Zero(rows, w.out)));
    }
  }
}

TEST_P(QuantizedMatmul, GivesTheBiasForZeros) {
  for (const Product product : quantized_products) {
    Random random(5);
    const QuantizedMatrix some = random_quantized(product, 50, 300, random);
    QuantizedMatrix zero_scales = some;
    std::fill(zero_scales.scales.begin(), zero_scales.scales.end(), 0.0F);
    for (const std::int64_t rows : {1, 9}) {
      PackedProduct no_weights = product_of(zero_scales, rows, random.normals(rows * 300));
      PackedProduct no_inputs =
          product_of(some, rows, std::vector<float>(static_cast<std::size_t>(rows * 300)));
      no_weights.bias = no_inputs.bias = random.normals(50);
      const reference::Matrix expected = reference::row(no_weights.bias).replicate(rows, 1);
      const reference::Matrix exact = reference::Matrix::Zero(rows, 50);
      EXPECT_TRUE(close(no_weights.whole(table()), expected, exact));
      EXPECT_TRUE(close(no_inputs.whole(table()), expected, exact));
    }
  }
}

/// The middle group is zero, the others are not.
TEST_P(QuantizedMatmul, TakesGroupsOfZeros) {
  for (const Product product : quantized_products) {
    PackedProduct all = random_product(product, 9, 384, 50);
    for (std::int64_t r = 0; r < 9; ++r) std::fill_n(all.x.row(r) + 128, 128, 0.0F);
    const reference::Matrix x = all.activations(table());
    const reference::Matrix expected = reference::matmul(x, all.w.values, reference::row(all.bias));
    EXPECT_TRUE(close(all.whole(table()), expected, all.budget(x)));
    EXPECT_TRUE(x.middleCols(128, 128).isZero(0));
  }
}

/// From 2^-119 on a group is quantised as any other. One below counts as zero.
TEST_P(QuantizedMatmul, TakesTheSmallestActivations) {
  for (const Product product : quantized_products) {
    for (const int exponent : {-149, -140, -127, -121, -119, -118, -100}) {
      PackedProduct all = random_product(product, 9, 300, 50);
      all.bias.assign(50, 0.0F);
      for (std::int64_t r = 0; r < 9; ++r) {
        for (std::int64_t i = 0; i < 300; ++i) {
          all.x(r, i) = std::ldexp(i % 2 == 0 ? 1.0F : -1.0F, exponent);
        }
      }
      const Bounds bounds = bounds_of(all);
      const reference::Matrix budget =
          (exponent < -119 ? bounds.magnitude : (1 + 0x1p-14) * bounds.half_steps).array() +
          300 * reference::smallest_normal;
      const reference::Matrix expected =
          reference::matmul(all.x.to_double(), all.w.values, reference::row(all.bias));
      EXPECT_TRUE(close(all.whole(table()), expected, budget)) << exponent;
      EXPECT_TRUE(same(all.whole(table()), all.whole(scalar()))) << exponent;
    }
  }
}

TEST_P(QuantizedMatmul, TakesOneHugeActivation) {
  for (const Product product : quantized_products) {
    for (const float huge : {1e6F, 1e30F, -1e38F}) {
      PackedProduct all = random_product(product, 9, 300, 50);
      for (std::int64_t r = 0; r < 9; ++r) all.x(r, 140) = huge;
      const reference::Matrix x = all.x.to_double();
      const reference::Matrix budget =
          (1 + 0x1p-14) * bounds_of(all).half_steps + 2 * all.budget(x);
      const reference::Matrix expected =
          reference::matmul(x, all.w.values, reference::row(all.bias));
      EXPECT_TRUE(close(all.whole(table()), expected, budget)) << huge;
      EXPECT_TRUE(same(all.whole(table()), all.whole(scalar()))) << huge;
    }
  }
}

/// An integer cannot say infinity: it, too, is NaN, even where weights are zero.
TEST_P(QuantizedMatmul, GivesNotANumberForInfinity) {
  for (const Product product : quantized_products) {
    for (const std::int64_t rows : rows_of_every_kind) {
      Random random(9);
      QuantizedMatrix w = random_quantized(product, 50, 300, random);
      std::fill_n(w.w.begin(), 10 * 300, 0);
      const PackedProduct clean = product_of(w, rows, random.normals(rows * 300));
      for (const float value : {infinity, -infinity, std::nanf("")}) {
        for (const std::int64_t column : {0, 130, 299}) {
          expect_nan_in_row_only(clean, rows / 2, column, value);
        }
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
