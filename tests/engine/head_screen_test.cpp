// SPDX-License-Identifier: Apache-2.0
// The int8 copy of a head: its bound holds, and what it decides is what all logits say.
#include "models/head_screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "support/isa.h"
#include "support/random_data.h"

namespace griffin::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// A bf16 head [vocab, width] that owns its weights.
class Head {
 public:
  Head(std::int64_t vocab, std::int64_t width, const std::vector<float>& weights,
       float soft_cap = 30.0F)
      : weights_(weights.size()) {
    kernels::table_at(0).narrow_bf16({.from = weights.data(),
                                      .to = weights_.data(),
                                      .count = static_cast<std::int64_t>(weights.size())});
    head_ = {{{weights_.data(), Dtype::bf16, vocab, width}, nullptr, Operand::bf16}, soft_cap};
  }

  const LmHead& operator*() const { return head_; }
  const LmHead* operator->() const { return &head_; }

  /// Logits [rows, vocab] of x.
  std::vector<float> logits(const kernels::Table& table, ConstMatrixView x, float soft_cap) const {
    LmHead head = head_;
    head.soft_cap = soft_cap;
    std::vector<float> y(static_cast<std::size_t>(x.rows * head.linear.out()));
    Context context(table, 1, head.needs(table, x.rows));
    head(context, x, {y.data(), x.rows, head.linear.out()});
    return y;
  }

 private:
  std::vector<std::uint16_t> weights_;
  LmHead head_;
};

ConstMatrixView rows_of(const std::vector<float>& x, std::int64_t width) {
  return {x.data(), static_cast<std::int64_t>(x.size()) / width, width};
}

std::vector<float> rounded(const std::vector<float>& x) {
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<std::uint16_t> narrow(x.size());
  std::vector<float> wide(x.size());
  const kernels::Table& table = kernels::table_at(0);
  table.narrow_bf16({.from = x.data(), .to = narrow.data(), .count = count});
  table.widen[kernels::index_of(Dtype::bf16)](
      {.from = narrow.data(), .to = wide.data(), .count = count});
  return wide;
}

/// What the int8 kernel gives for rows that are bf16 numbers.
std::vector<float> scores(const kernels::Table& table, const HeadScreen& screen,
                          ConstMatrixView x) {
  const LmHead head{screen.linear(), 0.0F};
  std::vector<float> y(static_cast<std::size_t>(x.rows * head.linear.out()));
  Context context(table, 1, head.needs(table, x.rows));
  head(context, x, {y.data(), x.rows, head.linear.out()});
  return y;
}

/// Weights of one kind; the same for the same seed.
using Weights = std::vector<float> (*)(Random&, std::int64_t vocab, std::int64_t width);

struct NamedWeights {
  const char* name;
  Weights make;
};

std::vector<float> normal(Random& random, std::int64_t vocab, std::int64_t width) {
  return random.normals(vocab * width);
}
/// Neighbours that cancel each other but for a little.
std::vector<float> cancelling(Random& random, std::int64_t vocab, std::int64_t width) {
  std::vector<float> w = random.normals(vocab * width);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] += i % 2 == 0 ? 1e4F : -1e4F;
  return w;
}
/// Of every magnitude, one beside the other.
std::vector<float> scattered(Random& random, std::int64_t vocab, std::int64_t width) {
  std::vector<float> w = random.normals(vocab * width);
  for (float& value : w) value *= std::exp2(random.uniform(-30, 10));
  return w;
}
std::vector<float> denormal(Random& random, std::int64_t vocab, std::int64_t width) {
  std::vector<float> w = random.normals(vocab * width);
  for (float& value : w) value *= 0x1p-128F;
  return w;
}
std::vector<float> huge(Random& random, std::int64_t vocab, std::int64_t width) {
  std::vector<float> w = random.normals(vocab * width);
  for (float& value : w) value *= 0x1p60F;
  return w;
}
std::vector<float> half_zero(Random& random, std::int64_t vocab, std::int64_t width) {
  std::vector<float> w = random.normals(vocab * width);
  for (std::int64_t j = 0; j < vocab; j += 2) {
    std::fill_n(w.begin() + static_cast<std::ptrdiff_t>(j * width), width, 0.0F);
  }
  return w;
}

constexpr NamedWeights kinds[] = {{"normal", normal},       {"cancelling", cancelling},
                                  {"scattered", scattered}, {"denormal", denormal},
                                  {"huge", huge},           {"half zero", half_zero}};

/// Rows of every kind: ordinary, with outliers, tiny, large, zero, equal.
std::vector<float> activations(Random& random, std::int64_t width) {
  std::vector<float> x = random.normals(7 * width);
  const auto row = [&](std::int64_t r) {
    return x.begin() + static_cast<std::ptrdiff_t>(r * width);
  };
  *row(1) *= 300;
  std::for_each(row(2), row(3), [](float& v) { v *= 0x1p-127F; });
  std::for_each(row(3), row(4), [](float& v) { v *= 0x1p40F; });
  std::fill(row(4), row(5), 0.0F);
  std::fill(row(5), row(6), 0.7F);
  std::for_each(row(6), row(7), [](float& v) { v *= 0x1p-117F; });
  return x;
}

class HeadScreenTest : public IsaTest {
 protected:
  static std::vector<HeadScreen::Decision> decide(const HeadScreen& screen,
                                                  const std::vector<float>& x, int threads = 1) {
    const std::int64_t width = screen.linear().in();
    const ConstMatrixView rows = rows_of(x, width);
    Context context(table(), threads, screen.needs(table(), rows.rows), 1);
    std::vector<float> room(static_cast<std::size_t>(rows.rows * screen.linear().out()));
    std::vector<HeadScreen::Decision> decisions(static_cast<std::size_t>(rows.rows));
    screen(context, rows, {room.data(), rows.rows, screen.linear().out()}, decisions);
    EXPECT_EQ(context.workspace.used(), 0U);
    return decisions;
  }

  /// Rows that are decided are decided as all logits say. Returns how many were.
  static std::int64_t expect_the_answer(const Head& head, const std::vector<float>& x) {
    const HeadScreen screen(*head);
    const std::int64_t vocab = head->linear.out();
    const std::vector<float> logits =
        head.logits(table(), rows_of(x, head->linear.in()), head->soft_cap);
    std::int64_t decided = 0;
    for (const int threads : {1, 2}) {
      const auto decisions = decide(screen, x, threads);
      decided = 0;
      for (std::size_t r = 0; r < decisions.size(); ++r) {
        if (decisions[r].candidates == 0) continue;
        ++decided;
        const float* row = logits.data() + static_cast<std::int64_t>(r) * vocab;
        EXPECT_EQ(decisions[r].token, table().argmax({.x = row, .count = vocab})) << "row " << r;
      }
    }
    return decided;
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, HeadScreenTest, ::testing::ValuesIn(all_tables()), table_name);

/// |l - s| <= b for every token, and far below it nowhere is luck: see the next test.
TEST_P(HeadScreenTest, IsNeverFurtherOffThanItsBound) {
  std::int64_t usable = 0;
  for (const NamedWeights& kind : kinds) {
    for (const std::int64_t width : {1, 2, 3, 31, 32, 33, 64, 100, 127, 128, 129, 255, 257, 300}) {
      SCOPED_TRACE(std::string(kind.name) + ", width " + std::to_string(width));
      Random random(static_cast<std::uint32_t>(width));
      const std::int64_t vocab = 37;
      const Head head(vocab, width, kind.make(random, vocab, width));
      const HeadScreen screen(*head);
      const std::vector<float> x = rounded(activations(random, width));
      const ConstMatrixView rows = rows_of(x, width);
      const std::vector<float> l = head.logits(table(), rows, 0.0F);
      const std::vector<float> s = scores(table(), screen, rows);
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        const HeadScreen::Margin margin = screen.margin_of(rows.row(r));
        if (!margin.usable) continue;
        ++usable;
        for (std::int64_t j = 0; j < vocab; ++j) {
          const auto at = static_cast<std::size_t>(r * vocab + j);
          const double off = std::abs(static_cast<double>(l[at]) - static_cast<double>(s[at]));
          ASSERT_LE(off, static_cast<double>(screen.bound(margin, j))) << "row " << r << ", " << j;
        }
      }
    }
  }
  EXPECT_GT(usable, 200) << "most rows can be decided";
}

/// Activations that find all errors of a token's weights with the same sign, and have none
/// themselves.
TEST_P(HeadScreenTest, IsNearlyAsFarOffAsItsBoundAtWorst) {
  const std::int64_t vocab = 20;
  for (const std::int64_t width : {128, 300, 1000}) {
    Random random(5);
    const std::vector<float> weights = rounded(random.normals(vocab * width));
    const Head head(vocab, width, weights);
    const HeadScreen screen(*head);
    std::vector<float> w(static_cast<std::size_t>(width));
    for (std::int32_t j = 0; j < vocab; ++j) {
      table().embed[kernels::index_of(Dtype::int8)]({.table = screen.linear().weight.data,
                                                     .tokens = &j,
                                                     .y = w.data(),
                                                     .y_stride = width,
                                                     .rows = 1,
                                                     .width = width,
                                                     .scale = 1.0F});
      std::vector<float> x(static_cast<std::size_t>(width));
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = weights[static_cast<std::size_t>(j * width) + i] > w[i] ? 1.0F : -1.0F;
      }
      const ConstMatrixView row = rows_of(x, width);
      const auto at = static_cast<std::size_t>(j);
      const float off = head.logits(table(), row, 0.0F)[at] - scores(table(), screen, row)[at];
      const float bound = screen.bound(screen.margin_of(x.data()), j);
      EXPECT_LE(off, bound);
      EXPECT_GT(off, 0.7F * bound);
    }
  }
}

TEST_P(HeadScreenTest, DecidesAsAllLogitsDo) {
  std::int64_t decided = 0;
  for (const NamedWeights& kind : kinds) {
    for (const std::int64_t width : {1, 17, 128, 130, 300}) {
      for (const std::int64_t vocab : {1, 15, 129, 1000}) {
        for (const float cap : {0.0F, 30.0F, 0.5F}) {
          SCOPED_TRACE(std::string(kind.name) + ", [" + std::to_string(vocab) + ", " +
                       std::to_string(width) + "], cap " + std::to_string(cap));
          Random random(static_cast<std::uint32_t>(width + vocab));
          const Head head(vocab, width, kind.make(random, vocab, width), cap);
          decided += expect_the_answer(head, activations(random, width));
        }
      }
    }
  }
  EXPECT_GT(decided, 600);
}

TEST_P(HeadScreenTest, DecidesMostRowsOfARandomHeadByFewTokens) {
  Random random(3);
  const Head head(4000, 256, random.normals(4000 * 256));
  std::vector<float> x = random.normals(9 * 256);
  for (float& value : x) value *= 0.05F;
  EXPECT_EQ(expect_the_answer(head, x), 9);
  for (const HeadScreen::Decision& decision : decide(HeadScreen(*head), x)) {
    EXPECT_GE(decision.candidates, 1);
    EXPECT_LE(decision.candidates, 200);
  }
}

/// Three tokens are at the cap, and of them the first is the answer, not the largest.
TEST_P(HeadScreenTest, TakesTheFirstOfThoseAtTheCap) {
  Random random(4);
  const std::int64_t vocab = 200;
  const std::int64_t width = 64;
  std::vector<float> w = random.normals(vocab * width);
  const std::vector<float> x = random.normals(width);
  const auto align = [&](std::int64_t token, float factor) {
    for (std::int64_t i = 0; i < width; ++i) {
      w[static_cast<std::size_t>(token * width + i)] = factor * x[static_cast<std::size_t>(i)];
    }
  };
  align(50, 30.0F);
  align(120, 90.0F);
  align(160, 60.0F);
  const Head head(vocab, width, w);
  EXPECT_EQ(expect_the_answer(head, x), 1);
  const auto decisions = decide(HeadScreen(*head), x);
  EXPECT_EQ(decisions[0].token, 50);
  EXPECT_EQ(decisions[0].candidates, 3);
}

TEST_P(HeadScreenTest, TakesTheFirstOfEqualRows) {
  Random random(6);
  const std::int64_t vocab = 300;
  const std::int64_t width = 96;
  std::vector<float> w = random.normals(vocab * width);
  const auto row = [&](std::int64_t token) {
    return w.begin() + static_cast<std::ptrdiff_t>(token * width);
  };
  const std::vector<float> x(row(130), row(131));
  std::copy(row(130), row(131), row(290));
  std::copy(row(130), row(131), row(131));
  for (const float cap : {0.0F, 30.0F}) {
    const Head head(vocab, width, w, cap);
    EXPECT_EQ(expect_the_answer(head, x), 1);
    EXPECT_EQ(decide(HeadScreen(*head), x)[0].token, 130);
  }
}

/// Rows that are no numbers, or too large for sums to be, are left; others beside them are not.
TEST_P(HeadScreenTest, LeavesRowsThatItCannotDecide) {
  Random random(7);
  const std::int64_t width = 130;
  const Head head(500, width, random.normals(500 * width));
  std::vector<float> x = random.normals(5 * width);
  x[5] = nan;
  x[static_cast<std::size_t>(width) + 7] = HUGE_VALF;
  x[static_cast<std::size_t>(3 * width)] = 3.4e38F;
  const auto decisions = decide(HeadScreen(*head), x);
  for (const std::size_t r : {0U, 1U, 3U}) EXPECT_EQ(decisions[r].candidates, 0) << "row " << r;
  for (const std::size_t r : {2U, 4U}) EXPECT_GT(decisions[r].candidates, 0) << "row " << r;
  EXPECT_EQ(decide(HeadScreen(*head), std::vector<float>(130, nan))[0].candidates, 0);
  const Head zeros(500, width, std::vector<float>(500 * 130));
  EXPECT_EQ(decide(HeadScreen(*zeros), random.normals(width))[0].candidates, 0);  // all are equal
}

/// A sum that is infinite on its way, but not in int8, where its group is summed exactly.
TEST_P(HeadScreenTest, LeavesRowsWhoseSumsMayOverflow) {
  const std::int64_t width = 128;
  std::vector<float> w(100 * 128);
  w[20 * 128 + 1] = 3e37F;
  std::vector<float> x(128);
  for (const std::size_t i : {0U, 32U, 64U, 96U}) {  // in one lane, one after the other
    w[70 * 128 + i] = i < 64 ? 1e38F : -1e38F;
    x[i] = 2.0F;
  }
  x[1] = 2.0F;
  const Head head(100, width, w, 0.0F);
  ASSERT_EQ(head.logits(table(), rows_of(x, width), 0.0F)[70], HUGE_VALF);
  EXPECT_FALSE(HeadScreen(*head).margin_of(rounded(x).data()).usable);
  expect_the_answer(head, x);
}

template <class Make>
void expect_refusal(ErrorCode code, const std::string& part, const Make& make) {
  try {
    make();
    ADD_FAILURE() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(HeadScreenErrors, RefusesOtherHeads) {
  const Head head(20, 8, std::vector<float>(160, 0.5F));
  LmHead other = *head;
  other.linear.operand = Operand::f32;
  expect_refusal(ErrorCode::invalid_argument, "bf16 by f32", [&] { HeadScreen screen(other); });
  const std::vector<float> floats(160);
  other.linear = {{floats.data(), Dtype::f32, 20, 8}, nullptr, Operand::f32};
  expect_refusal(ErrorCode::invalid_argument, "f32 by f32", [&] { HeadScreen screen(other); });
  other = *head;
  other.linear.bias = floats.data();
  expect_refusal(ErrorCode::invalid_argument, "bias", [&] { HeadScreen screen(other); });
  for (const float cap : {0x1p-81F, -30.0F, nan}) {
    other = *head;
    other.soft_cap = cap;
    expect_refusal(ErrorCode::invalid_argument, "soft cap", [&] { HeadScreen screen(other); });
  }
  for (const float bad : {nan, HUGE_VALF}) {
    std::vector<float> weights(160, 0.5F);
    weights[77] = bad;
    const Head damaged(20, 8, weights);
    expect_refusal(ErrorCode::format, "finite", [&] { HeadScreen screen(*damaged); });
  }
}

}  // namespace
}  // namespace griffin::test
