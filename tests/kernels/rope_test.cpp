// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

/// theta^(-j / pairs), rounded to float32.
std::vector<float> frequencies(std::int64_t pairs, double theta = 10000) {
  std::vector<float> all;
  for (std::int64_t j = 0; j < pairs; ++j) {
    all.push_back(
        static_cast<float>(std::pow(theta, -static_cast<double>(j) / static_cast<double>(pairs))));
  }
  return all;
}

/// [rows, 2 pairs]: cosines, then sines, of angles [rows, pairs].
std::vector<float> rounded_cos_sin(const reference::Matrix& turns) {
  std::vector<float> cos_sin;
  for (std::int64_t r = 0; r < turns.rows(); ++r) {
    for (const double turn : turns.row(r)) cos_sin.push_back(static_cast<float>(std::cos(turn)));
    for (const double turn : turns.row(r)) cos_sin.push_back(static_cast<float>(std::sin(turn)));
  }
  return cos_sin;
}

/// The roundings of cosine and sine, of the products and of the sum: three of |a| + |b| at most for
/// a rotated pair (a, b). None for the rest of a head.
reference::Matrix rotation_budget(const reference::Matrix& x, std::int64_t pairs,
                                  std::int64_t head_dim) {
  reference::Matrix budget = reference::Matrix::Zero(x.rows(), x.cols());
  for (std::int64_t head = 0; head < x.cols(); head += head_dim) {
    const reference::Matrix size =
        x.middleCols(head, pairs).cwiseAbs() + x.middleCols(head + pairs, pairs).cwiseAbs();
    budget.middleCols(head, pairs) = 3 * reference::unit_roundoff * size;
    budget.middleCols(head + pairs, pairs) = 3 * reference::unit_roundoff * size;
  }
  return budget;
}

class Rope : public IsaTest {
 protected:
  /// Dense as the kernel writes it: [rows, 2 pairs].
  static std::vector<float> angles(std::int64_t position, const std::vector<float>& frequency,
                                   std::int64_t rows) {
    const auto pairs = static_cast<std::int64_t>(frequency.size());
    constexpr float canary = -7;
    std::vector<float> cos_sin(static_cast<std::size_t>(2 * pairs * rows + 1), canary);
    table().rope_angles({.position = position,
                         .frequency = frequency.data(),
                         .cos_sin = cos_sin.data(),
                         .rows = rows,
                         .pairs = pairs});
    EXPECT_EQ(cos_sin.back(), canary) << "written past the end";
    cos_sin.pop_back();
    return cos_sin;
  }

  static void rotate(const std::vector<float>& cos_sin, std::int64_t heads, std::int64_t head_dim,
                     GuardedMatrix& x) {
    table().rope({.x = x.row(0),
                  .x_stride = x.stride(),
                  .cos_sin = cos_sin.data(),
                  .rows = x.rows(),
                  .heads = heads,
                  .head_dim = head_dim,
                  .pairs = static_cast<std::int64_t>(cos_sin.size()) / (2 * x.rows())});
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, Rope,
                         ::testing::ValuesIn(tables_with_own([](const kernels::Table& table) {
                           return std::pair(table.rope_angles, table.rope);
                         })),
                         table_name);

/// Half a unit in the last place below 1 is the rounding to float32; a thousandth more for the
/// evaluation, and from 2^23 to 2^30 what griffin/kernels.h says.
TEST_P(Rope, AnglesAreExactToFloat) {
  for (const std::int64_t pairs : {1, 2, 3, 4, 8, 15, 32, 64}) {
    const std::vector<float> frequency = frequencies(pairs);
    for (const std::int64_t position :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{100},
          std::int64_t{2047}, std::int64_t{2048}, std::int64_t{8191}, std::int64_t{8192},
          std::int64_t{100000}, std::int64_t{1000003}, std::int64_t{9999999}, std::int64_t{1} << 30,
          std::int64_t{1} << 31, std::int64_t{123456789012}, (std::int64_t{1} << 48) - 3}) {
      const std::vector<float> cos_sin = angles(position, frequency, 3);
      for (std::int64_t i = 0; i < 3 * pairs; ++i) {
        const std::int64_t row = i / pairs;
        const std::int64_t j = i % pairs;
        const float angle =
            static_cast<float>(position + row) * frequency[static_cast<std::size_t>(j)];
        const double budget = 0x1p-25 * 1.001 + (angle >= 0x1p23F && angle < 0x1p30F ? 6e-8 : 0.0);
        const auto at = static_cast<std::size_t>(row * 2 * pairs + j);
        ASSERT_NEAR(cos_sin[at], std::cos(static_cast<double>(angle)), budget) << angle;
        ASSERT_NEAR(cos_sin[at + static_cast<std::size_t>(pairs)],
                    std::sin(static_cast<double>(angle)), budget)
            << angle;
      }
    }
  }
}

/// As positions up to 2^48 give them, and as large as floats are. The bits are those of the libm.
TEST_P(Rope, AnglesAreExactHoweverLarge) {
  const auto expect_exact = [](float angle) {
    const std::vector<float> cos_sin = angles(1, {angle}, 1);
    ASSERT_EQ(cos_sin[0], static_cast<float>(std::cos(static_cast<double>(angle)))) << angle;
    ASSERT_EQ(cos_sin[1], static_cast<float>(std::sin(static_cast<double>(angle)))) << angle;
  };
  for (float angle = 0x1p30F; angle <= 0x1p49F; angle *= 1.00001F) expect_exact(angle);
  for (float angle = 0x1p49F; angle < 0x1p127F; angle *= 1.001F) expect_exact(angle);
  expect_exact(std::numeric_limits<float>::max());
  expect_exact(16367173.0F * 0x1p72F);  // of all floats the nearest to a whole quarter turn
}

/// What they were when only angles below 2^30 were right.
TEST_P(Rope, AnglesBelowTwoToThe30AreWhatTheyWere) {
  std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a over words
  for (std::uint32_t bits = 0; bits < 0x4E800000U; bits += 9973) {
    for (const float value : angles(1, {std::bit_cast<float>(bits)}, 1)) {
      hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001B3U;
    }
  }
  EXPECT_EQ(hash, 0x88E02638C6BBA38EU);
}

/// From 2^24 on float32 has no room for every position.
TEST_P(Rope, LargePositionsCoincide) {
  const std::int64_t position = std::int64_t{1} << 24;
  EXPECT_EQ(angles(position, frequencies(4), 1), angles(position + 1, frequencies(4), 1));
  EXPECT_NE(angles(position, frequencies(4), 1), angles(position + 2, frequencies(4), 1));
}

/// cos p and sin p in radians, from tables: pair 0 turns by one radian a position.
TEST_P(Rope, T09_HasTheKnownValues) {
  struct Known {
    std::int64_t position;
    double cos, sin;
  };
  const Known all[] = {{0, 1.0, 0.0},
                       {1, 0.5403023058681398, 0.8414709848078965},
                       {2047, 0.24971525821383958, -0.96831931190862626},
                       {2048, 0.94973433482365189, -0.31305701279012341},
                       {100000, -0.99936080743821245, 0.035748797972016509},
                       {1000003, -0.87798649158500287, 0.4786854087960669}};
  for (const Known& known : all) {
    GuardedMatrix x(1, 8, {1, 1, 0, 0, 1, 2, 3, 4});
    rotate(angles(known.position, frequencies(2), 1), 1, 8, x);
    EXPECT_NEAR(x(0, 0), known.cos, 6e-8) << "position " << known.position;
    EXPECT_NEAR(x(0, 2), known.sin, 6e-8) << "position " << known.position;
    // the second pair turns by a hundredth; its float32 product is what limits it
    const double slow = 0.01 * static_cast<double>(known.position);
    EXPECT_NEAR(x(0, 1), std::cos(slow), 1e-7 + 1.2e-7 * slow) << "position " << known.position;
    EXPECT_NEAR(x(0, 3), std::sin(slow), 1e-7 + 1.2e-7 * slow) << "position " << known.position;
  }
}

TEST_P(Rope, AnglesOfARowDoNotDependOnTheOthers) {
  const std::vector<float> frequency = frequencies(21);
  const std::vector<float> together = angles(2040, frequency, 17);
  for (std::int64_t r = 0; r < 17; ++r) {
    const std::vector<float> alone = angles(2040 + r, frequency, 1);
    const std::vector<float> row(together.begin() + r * 42, together.begin() + (r + 1) * 42);
    EXPECT_EQ(alone, row) << "row " << r;
  }
}

TEST_P(Rope, RotatesTheFirstHalfOfEveryHead) {
  for (const std::int64_t pairs : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64}) {
    for (const std::int64_t heads : {1, 2, 10}) {
      for (const std::int64_t rows : {1, 2, 5}) {
        const std::int64_t width = heads * 4 * pairs;
        Random random(static_cast<std::uint32_t>(pairs * 100 + heads * 10 + rows));
        GuardedMatrix x(rows, width, random.normals(rows * width));
        const reference::Matrix before = x.to_double();
        const reference::Matrix turns =
            reference::matrix(random.uniforms(rows * pairs, -3, 3), rows, pairs);
        rotate(rounded_cos_sin(turns), heads, 4 * pairs, x);
        ASSERT_TRUE(close(x, reference::rope(before, turns, 4 * pairs),
                          rotation_budget(before, pairs, 4 * pairs)))
            << pairs << " pairs, " << heads << " heads, " << rows << " rows";
        ASSERT_TRUE(x.only_written(0, width));
      }
    }
  }
}

TEST_P(Rope, T08_LeavesTheSecondHalfBitForBit) {
  constexpr std::int64_t pairs = 9;
  constexpr std::int64_t head_dim = 36;
  GuardedMatrix x(2, 3 * head_dim, std::vector<float>(6 * head_dim, 1e-45F));
  for (std::int64_t r = 0; r < 2; ++r) {
    for (std::int64_t c = 2 * pairs; c < 3 * head_dim; c += 3) {
      if (c % head_dim >= 2 * pairs) x(r, c) = -0.0F;
    }
  }
  const GuardedMatrix before = x;
  rotate(angles(12345, frequencies(pairs), 2), 3, head_dim, x);
  for (std::int64_t r = 0; r < 2; ++r) {
    for (std::int64_t head = 0; head < 3 * head_dim; head += head_dim) {
      EXPECT_TRUE(same_row(x, r, before, r, head + 2 * pairs, head + head_dim));
    }
  }
}

TEST_P(Rope, OfARowDoesNotDependOnTheOthers) {
  constexpr std::int64_t pairs = 6;
  constexpr std::int64_t width = 2 * 4 * pairs;
  Random random(12);
  const GuardedMatrix x(5, width, random.normals(5 * width));
  GuardedMatrix whole = x;
  rotate(angles(77, frequencies(pairs), 5), 2, 4 * pairs, whole);
  for (std::int64_t r = 0; r < 5; ++r) {
    GuardedMatrix alone(1, width, std::vector<float>(x.row(r), x.row(r) + width));
    rotate(angles(77 + r, frequencies(pairs), 1), 2, 4 * pairs, alone);
    EXPECT_TRUE(same_row(alone, 0, whole, r, 0, width));
  }
}

}  // namespace
}  // namespace griffin::test
