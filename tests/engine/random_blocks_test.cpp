// SPDX-License-Identifier: Apache-2.0
// Random quantised weights: as large as they should be, and no two groups are scaled alike, so that
// a kernel that takes the scale of another group is found out.
#include "weights/random_blocks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <numeric>
#include <set>
#include <vector>

#include "griffin/kernels.h"
#include "weights/convert_weights.h"

namespace griffin::test {
namespace {

constexpr std::int64_t rows = 48;
constexpr std::int64_t cols = 512;
constexpr std::int64_t groups = rows * cols / kernels::group_width;

std::vector<std::byte> random_blocks(Dtype dtype, float limit) {
  const WeightView view{nullptr, dtype, rows, cols};
  std::vector<std::byte> blocks(view.bytes());
  fill_random_blocks(7, view, 1, limit, blocks.data());
  return blocks;
}

/// The scales, or all factors, of outputs of `size` bytes at `offset` of every block.
std::set<std::uint32_t> numbers(const std::vector<std::byte>& blocks, Dtype dtype,
                                std::int64_t offset, std::size_t size) {
  std::set<std::uint32_t> found;
  const auto bytes = static_cast<std::size_t>(block_bytes(dtype));
  for (std::size_t block = 0; block < blocks.size(); block += bytes) {
    for (std::size_t o = 0; o < static_cast<std::size_t>(kernels::panel_rows); ++o) {
      std::uint32_t number = 0;
      std::memcpy(&number, blocks.data() + block + static_cast<std::size_t>(offset) + o * size,
                  size);
      found.insert(number);
    }
  }
  return found;
}

TEST(RandomBlocks, HaveTheVarianceOfUniformWeights) {
  for (const Dtype dtype : {Dtype::int8, Dtype::int4}) {
    const std::vector<std::byte> blocks = random_blocks(dtype, 0.5F);
    std::vector<float> w(static_cast<std::size_t>(rows * cols));
    convert_weights({blocks.data(), dtype, rows, cols}, Dtype::f32,
                    reinterpret_cast<std::byte*>(w.data()));
    const double count = static_cast<double>(w.size());
    const double mean = std::accumulate(w.begin(), w.end(), 0.0) / count;
    const double square = std::inner_product(w.begin(), w.end(), w.begin(), 0.0) / count;
    EXPECT_NEAR(mean, 0.0, 0.01);
    EXPECT_NEAR(square, 0.25 / 3, 0.1 * 0.25 / 3) << name_of(dtype);
  }
}

/// bf16 has 128 numbers from one power of two to the next.
TEST(RandomBlocks, HaveScalesAndFactorsOfTheirOwn) {
  const std::vector<std::byte> wide = random_blocks(Dtype::int8, 0.5F);
  EXPECT_GT(numbers(wide, Dtype::int8, kernels::int8_scales, 4).size(), groups * 9 / 10);
  const std::vector<std::byte> narrow = random_blocks(Dtype::int4, 0.5F);
  EXPECT_GT(numbers(narrow, Dtype::int4, kernels::int4_scales, 2).size(), 50U);
  EXPECT_GT(numbers(narrow, Dtype::int4, kernels::int4_factors, 2).size(), groups * 9 / 10);
}

}  // namespace
}  // namespace griffin::test
