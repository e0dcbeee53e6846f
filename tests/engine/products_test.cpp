// SPDX-License-Identifier: Apache-2.0
// How products are shared out among threads.
#include "griffin/layers/products.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace griffin::test {
namespace {

std::mutex mutex;
std::vector<std::pair<const void*, std::int64_t>> calls;  // weight, first column

/// A table that notes where the shares of a product begin.
kernels::Table noting_table() {
  kernels::Table table = kernels::table_at(0);
  table.matmul[kernels::index_of(Dtype::f32)][kernels::index_of(Operand::f32)] =
      [](const kernels::MatmulArgs& p) noexcept {
        const std::lock_guard lock(mutex);
        calls.emplace_back(p.w, p.out_begin);
      };
  return table;
}

/// The columns of several products lie behind one another when they are shared out: where one has
/// no multiple of 16, a share of the next must not begin within a panel of quantised weights.
TEST(Products, NoTwoThreadsShareAPanel) {
  const kernels::Table table = noting_table();
  constexpr std::int64_t in = 8;
  for (const int threads : {2, 3, 5}) {
    calls.clear();
    std::vector<float> weights(3 * 200 * in);
    std::vector<float> x(in);
    std::vector<float> y(600);
    const Linear q{{weights.data(), Dtype::f32, 20, in}};
    const Linear k{{weights.data() + 200 * in, Dtype::f32, 37, in}};
    const Linear v{{weights.data() + 400 * in, Dtype::f32, 150, in}};
    Context context(table, threads, needs_of_products(table, 1, q, k, v), 1);
    multiply(context, {x.data(), 1, in}, into({y.data(), 1, 20}, q),
             into({y.data() + 200, 1, 37}, k), into({y.data() + 400, 1, 150}, v));
    std::set<std::pair<const void*, std::int64_t>> shares(calls.begin(), calls.end());
    EXPECT_EQ(shares.size(), calls.size()) << "no share is computed twice";
    EXPECT_GT(calls.size(), 3U) << "some product has several shares";
    for (const auto& [weight, begin] : calls) EXPECT_EQ(begin % kernels::panel_rows, 0);
  }
}

}  // namespace
}  // namespace griffin::test
