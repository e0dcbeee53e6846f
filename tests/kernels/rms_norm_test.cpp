// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/guarded_matrix.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float eps = 1e-6F;

struct Norm {
  GuardedMatrix x;
  std::vector<float> weight;

  void run(const kernels::Table& table, std::int64_t first, GuardedMatrix& y) const {
    table.rms_norm({.x = x.row(first),
                    .x_stride = x.stride(),
                    .weight = weight.data(),
                    .y = y.row(0),
                    .y_stride = y.stride(),
                    .rows = y.rows(),
                    .width = x.cols(),
                    .eps = eps});
  }

  reference::Matrix expected() const {
    return reference::rms_norm(x.to_double(), reference::row(weight), eps);
  }

  /// Relative. A running sum of n squares is off by sqrt(n) / 3 units in the standard deviation;
  /// the root halves that, and four deviations of it are 2/3 sqrt(n). Six more for the mean, eps,
  /// the root, its inverse, 1 + weight and two products, most of which are halved or half a unit.
  reference::Matrix budget() const {
    const double units = 6 + 2.0 / 3 * std::sqrt(static_cast<double>(x.cols()));
    return units * reference::unit_roundoff * expected().cwiseAbs();
  }
};

Norm random_norm(std::int64_t rows, std::int64_t width, float magnitude = 1) {
  Random random(static_cast<std::uint32_t>(rows * 10007 + width));
  std::vector<float> x = random.normals(rows * width);
  for (float& value : x) value *= magnitude;
  return {GuardedMatrix(rows, width, x), random.uniforms(width, -0.9F, 3)};
}

class RmsNorm : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, RmsNorm, ::testing::ValuesIn(all_tables()), table_name);

TEST_P(RmsNorm, AgreesWithDoublePrecision) {
  for (const std::int64_t width : widths()) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 9}) {
      for (const float magnitude : {1.0F, 1e-3F, 1e-12F, 1e15F}) {
        const Norm norm = random_norm(rows, width, magnitude);
        GuardedMatrix y(rows, width);
        norm.run(table(), 0, y);
        ASSERT_TRUE(close(y, norm.expected(), norm.budget()))
            << rows << " rows of " << width << ", magnitude " << magnitude;
        ASSERT_TRUE(y.only_written(0, width));
      }
    }
  }
}

TEST_P(RmsNorm, OfZerosIsZero) {
  const Norm norm{GuardedMatrix(2, 33, std::vector<float>(66, 0.0F)), std::vector<float>(33, 1.0F)};
  GuardedMatrix y(2, 33);
  norm.run(table(), 0, y);
  EXPECT_TRUE(close(y, reference::Matrix::Zero(2, 33), reference::Matrix::Zero(2, 33)));
}

TEST_P(RmsNorm, GivesTheSameBitsForAnyRowsAndInPlace) {
  for (const std::int64_t width : {1, 7, 16, 65, 192}) {
    const Norm norm = random_norm(9, width);
    GuardedMatrix whole(9, width);
    norm.run(table(), 0, whole);
    for (const std::int64_t group : {1, 2, 4}) {
      for (std::int64_t first = 0; first + group <= 9; ++first) {
        GuardedMatrix part(group, width);
        norm.run(table(), first, part);
        for (std::int64_t r = 0; r < group; ++r) {
          ASSERT_TRUE(same_row(part, r, whole, first + r, 0, width));
        }
      }
    }
    Norm in_place = norm;
    in_place.run(table(), 0, in_place.x);
    EXPECT_TRUE(same(in_place.x, whole));
    EXPECT_TRUE(in_place.x.only_written(0, width));
  }
}

}  // namespace
}  // namespace griffin::test
