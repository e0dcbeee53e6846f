// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/packed_product.h"
#include "support/isa.h"

namespace griffin::test {
namespace {

class EmbedQuantized : public IsaTest {
 protected:
  static void embed(const ProductWeights& w, const std::vector<std::int32_t>& tokens, float scale,
                    GuardedMatrix& y) {
    table().embed[kernels::index_of(w.product.weights)]({.table = w.data(),
                                                         .tokens = tokens.data(),
                                                         .y = y.row(0),
                                                         .y_stride = y.stride(),
                                                         .rows = y.rows(),
                                                         .width = w.in,
                                                         .scale = scale});
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, EmbedQuantized, ::testing::ValuesIn(all_tables()), table_name);

/// A weight is one product, rounded; times the scale, rounded again.
TEST_P(EmbedQuantized, IsTheWeightTimesTheScale) {
  for (const Product product : quantized_products) {
    for (const std::int64_t width : {1, 3, 4, 5, 31, 33, 127, 128, 129, 300, 640}) {
      Random random(static_cast<std::uint32_t>(width));
      const ProductWeights w = random_weights(product, 50, width, random);
      std::vector<std::int32_t> tokens(50);
      std::iota(tokens.rbegin(), tokens.rend(), 0);
      tokens.insert(tokens.end(), {17, 17, 49, 0});
      const auto rows = static_cast<std::int64_t>(tokens.size());
      for (const float scale : {1.0F, 50.5F}) {
        GuardedMatrix y(rows, width);
        embed(w, tokens, scale, y);
        EXPECT_TRUE(y.only_written(0, width));
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t i = 0; i < width; ++i) {
            const auto weight =
                static_cast<float>(w.values(tokens[static_cast<std::size_t>(r)], i));
            ASSERT_EQ(weight, static_cast<float>(kernels::reference::quantized_weight(
                                  product.weights, w.data(), width,
                                  tokens[static_cast<std::size_t>(r)], i)));
            ASSERT_EQ(y(r, i), weight * scale) << name_of(product) << ", " << r << ", " << i;
          }
        }
      }
    }
  }
}

TEST_P(EmbedQuantized, TakesNoTokens) {
  for (const Product product : quantized_products) {
    Random random(1);
    GuardedMatrix none(0, 40);
    embed(random_weights(product, 5, 40, random), {}, 1.0F, none);
    EXPECT_TRUE(none.only_written(0, 0));
  }
}

}  // namespace
}  // namespace griffin::test
