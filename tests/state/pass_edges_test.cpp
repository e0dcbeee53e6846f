// SPDX-License-Identifier: Apache-2.0
// Options of passes, one at a time and just beyond what is allowed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/model/forward_pass.h"
#include "griffin/model/parts.h"
#include "support/models.h"

namespace griffin::test {
namespace {

const Model& model() {
  static const Model m = Model::random(tiny_hawk(), Dtype::f32, 3);
  return m;
}

void expect_refused(const ForwardOptions& options) {
  try {
    ForwardPass pass(model(), options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
  }
}

TEST(PassLimits, NoMoreRowsAreAnsweredThanThereAre) {
  EXPECT_EQ(ForwardPass(model(), {.max_rows = 4, .max_logits = 4}).max_logits(), 4);
  EXPECT_EQ(ForwardPass(model(), {.max_rows = 4, .max_hidden = 4}).max_hidden(), 4);
  expect_refused({.max_rows = 4, .max_logits = 5});
  expect_refused({.max_rows = 4, .max_hidden = 5});
}

TEST(PassLimits, NoThreadsMeansAllCores) {
  EXPECT_EQ(ForwardPass(model(), {.threads = 0}).context().threads, available_cores());
  EXPECT_EQ(ForwardPass(model(), {.threads = 1}).context().threads, 1);
  expect_refused({.threads = most_threads + 1});
}

/// Of two texts the second stands on a token whose embedding is damaged: the greedy head decides
/// the first, and the logits of the second are no numbers.
TEST(PassLimits, WhatAGreedyHeadCannotDecideKeepsItsPlace) {
  ModelConfig config = tiny_hawk();
  config.tied_head = false;
  const Model model = Model::random(config, Dtype::bf16, 5).with_greedy_head();
  ModelParts parts = model.parts();
  const auto* table = static_cast<const std::uint16_t*>(parts.embedding.table.data);
  std::vector<std::uint16_t> damaged(table, table + config.vocab * config.width);
  constexpr std::int32_t bad = 5;
  constexpr std::uint16_t nan = 0x7FC0;
  std::fill_n(damaged.begin() + bad * config.width, config.width, nan);
  parts.embedding.table.data = damaged.data();
  const Model other = Model::assemble(std::move(parts));
  ForwardPass pass(other, {.threads = 1, .max_rows = 2, .max_logits = 2});
  Sequence first = other.new_sequence();
  Sequence second = other.new_sequence();
  pass.add(first, std::vector<std::int32_t>{1}, Logits::best_of_last);
  pass.add(second, std::vector<std::int32_t>{bad}, Logits::best_of_last);
  pass.run();
  ASSERT_EQ(pass.best().size(), 2U);
  EXPECT_EQ(pass.best_token_counts().screened, 1);
  EXPECT_EQ(pass.best()[0].not_numbers, 0);
  EXPECT_EQ(pass.best()[1].not_numbers, config.vocab);
}

}  // namespace
}  // namespace griffin::test
