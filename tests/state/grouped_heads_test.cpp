// SPDX-License-Identifier: Apache-2.0
// Models with several key/value heads and with biases of queries, keys and values: what every model
// promises, for every type of weights and of rings.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "support/isa.h"
#include "support/model_checks.h"
#include "support/models.h"

namespace griffin::test {
namespace {

using Parameters = std::tuple<int, Dtype, const kernels::Table*>;

class GroupedHeads : public ::testing::TestWithParam<Parameters> {
 protected:
  static const kernels::Table& table() { return *std::get<2>(GetParam()); }

  void for_each_ring(void (*check)(const Model&, const kernels::Table&, Dtype)) const {
    for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
      SCOPED_TRACE(name_of(kv));
      check(model_, table(), kv);
    }
  }

  const Model model_ =
      Model::random(tiny_grouped(8, std::get<0>(GetParam())), std::get<1>(GetParam()), 9);
};

TEST_P(GroupedHeads, ChunksGiveTheSameBits) {
  for_each_ring(expect_the_same_bits_however_cut);
}
TEST_P(GroupedHeads, TriedRowsAreCommitted) {
  for_each_ring(expect_tried_rows_are_committed);
}
TEST_P(GroupedHeads, StatesAreSavedForkedAndRestored) {
  for_each_ring(expect_states_go_on);
}

std::string name_of_case(const ::testing::TestParamInfo<Parameters>& info) {
  const auto& [kv_heads, weights, table] = info.param;
  return std::to_string(kv_heads) + "_" + name_of(weights) + "_" + table->name;
}

INSTANTIATE_TEST_SUITE_P(All, GroupedHeads,
                         ::testing::Combine(::testing::Values(2, 4),
                                            ::testing::Values(Dtype::f32, Dtype::bf16, Dtype::int8,
                                                              Dtype::int4),
                                            ::testing::ValuesIn(all_tables())),
                         name_of_case);

/// States of models that differ in nothing else cannot be exchanged.
TEST(GroupedHeadsState, AnotherNumberOfHeadsIsAnotherModel) {
  ModelConfig config = tiny_griffin(8);
  const std::uint64_t one = Model::random(config, Dtype::f32, 9).fingerprint();
  config.kv_heads = 2;
  const std::uint64_t two = Model::random(config, Dtype::f32, 9).fingerprint();
  config.qkv_bias = true;
  const std::uint64_t biased = Model::random(config, Dtype::f32, 9).fingerprint();
  EXPECT_NE(one, two);
  EXPECT_NE(two, biased);
}

}  // namespace
}  // namespace griffin::test
