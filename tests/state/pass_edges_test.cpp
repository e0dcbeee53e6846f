// SPDX-License-Identifier: Apache-2.0
// Options of passes, one at a time and just beyond what is allowed.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace griffin::test
