// SPDX-License-Identifier: Apache-2.0
// What the figures of the paper are made of: samples and their sums, made-up states, the families.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "griffin/model/forward_pass.h"
#include "griffin/model/parts.h"
#include "paper/clocks.h"
#include "paper/families.h"
#include "paper/made_up_state.h"

namespace griffin::test {
namespace {

using bench::Samples;

TEST(Samples, LieOnLinesBetweenMedians) {
  Samples samples;
  for (const double seconds : {9.0, 1.0, 2.0}) samples.add(0, seconds);
  for (const double seconds : {6.0, 6.0}) samples.add(4, seconds);
  samples.add(6, 0.0);
  const double expected[] = {2, 3, 4, 5, 6, 3, 0};
  for (int position = 0; position <= 6; ++position) {
    EXPECT_DOUBLE_EQ(samples.at(position), expected[position]) << position;
  }
  EXPECT_DOUBLE_EQ(samples.sum(0, 6), 23.0);
  EXPECT_DOUBLE_EQ(samples.sum(1, 6, 2), 11.0);  // 1, 3, 5
  EXPECT_DOUBLE_EQ(samples.sum(3, 3), 0.0);
}

TEST(Samples, SayNothingBeyondThem) {
  Samples samples;
  EXPECT_THROW(samples.at(0), Error);
  samples.add(2, 1.0);
  samples.add(5, 1.0);
  EXPECT_THROW(samples.at(1), Error);
  EXPECT_THROW(samples.at(6), Error);
  EXPECT_THROW(samples.sum(2, 7), Error);
  EXPECT_DOUBLE_EQ(samples.sum(2, 6), 4.0);
}

bool is_zero(const std::byte* bytes, std::size_t count) {
  return std::all_of(bytes, bytes + count, [](std::byte b) { return b == std::byte{0}; });
}

/// The rows of rings that there would be by then are written to, the others are not; and the next
/// pass gives numbers.
TEST(MadeUpState, HasWhatThatManyTokensWouldHaveLeft) {
  for (const std::string& family : bench::family_names()) {
    const Model model = bench::make_family(family, "tiny");
    for (const std::int64_t position : {1, 700, 3000}) {
      Sequence sequence = model.new_sequence(bench::sequences_of(model, 4000));
      bench::make_up(sequence, position);
      EXPECT_EQ(sequence.position(), position);
      const auto& slots = sequence.layout().slots;
      for (std::size_t slot = 0; slot < slots.size(); ++slot) {
        const LayerState state = sequence.state(static_cast<std::int64_t>(slot));
        EXPECT_EQ(std::count(state.held.begin(), state.held.end(), 0.0F), 0);
        const auto rows = static_cast<std::size_t>(slots[slot].used_rows(position));
        for (std::int64_t ring = 0; ring < slots[slot].rings; ++ring) {
          const std::byte* first = state.ring(ring);
          const std::size_t row = slots[slot].row_bytes();
          for (std::size_t r = 0; r < rows; ++r) EXPECT_FALSE(is_zero(first + r * row, row));
          const auto unused = static_cast<std::size_t>(state.ring_rows) - rows;
          EXPECT_TRUE(is_zero(first + rows * row, unused * row));
        }
      }
      ForwardPass pass(model);
      pass.add(sequence, std::vector<std::int32_t>{1});
      const MatrixView logits = pass.run();
      for (std::int64_t v = 0; v < logits.cols; ++v) ASSERT_TRUE(std::isfinite(logits.row(0)[v]));
    }
  }
}

TEST(MadeUpState, MayBeAnEarlierOne) {
  const Model model = bench::make_family("griffin", "tiny");
  Sequence sequence = model.new_sequence(bench::sequences_of(model, 0));
  bench::make_up(sequence, 3000);
  bench::make_up(sequence, 10);
  EXPECT_EQ(sequence.position(), 10);
}

/// In millions, without the embedding: Table 2's models as their shapes say, and Mamba-2 as it was
/// published.
TEST(Families, AreOfOneSize) {
  const auto blocks = [](const std::string& family) {
    const Model model = bench::make_family(family, "100m");
    return static_cast<double>(model.parts().weights.multiplied) / 1e6;
  };
  EXPECT_NEAR(blocks("hawk"), 94, 1);
  EXPECT_NEAR(blocks("griffin"), 89, 1);
  EXPECT_NEAR(blocks("mqa"), 80, 1);
  EXPECT_NEAR(blocks("mamba2"), 90, 1);
}

TEST(Families, RefuseOtherNames) {
  EXPECT_THROW(bench::make_family("rwkv", "tiny"), Error);
  EXPECT_THROW(bench::make_family("hawk", "7b"), Error);
  EXPECT_THROW(bench::make_family("mamba2", "200m"), Error);
}

/// 128 positions of a Transformer: 3 layers, keys and values of 32 elements in bf16, 4 heads.
TEST(AttentionWork, CountsRingsOnceAndHeadsEach) {
  const Model mqa = bench::make_family("mqa", "tiny");
  const StateLayout layout = mqa.state_layout(bench::sequences_of(mqa, 200));
  const bench::Work work = bench::attention_work(mqa, layout, 128, 5);
  EXPECT_DOUBLE_EQ(work.bytes, 5 * 3 * 2 * 128 * 32 * 2);
  EXPECT_DOUBLE_EQ(work.flops, 5 * 3 * 4 * 129 * 32 * 4);
  const Model griffin = bench::make_family("griffin", "tiny");
  const StateLayout bounded = griffin.state_layout(bench::sequences_of(griffin, 0));
  EXPECT_DOUBLE_EQ(bench::attention_work(griffin, bounded, 100000, 1).bytes, 2 * 1024 * 32 * 2);
  const Model hawk = bench::make_family("hawk", "tiny");
  const StateLayout none = hawk.state_layout(bench::sequences_of(hawk, 0));
  EXPECT_DOUBLE_EQ(bench::attention_work(hawk, none, 1000, 1).flops, 0.0);
}

TEST(DecodeClock, GoesAndSteps) {
  const Model model = bench::make_family("mqa", "tiny");
  bench::DecodeClock clock(model, 1, 3, 64, kernels::default_table());
  EXPECT_EQ(clock.batch(), 3);
  clock.go_to(62);
  EXPECT_GT(clock.step(), 0.0);
  EXPECT_THROW(clock.step(), Error);  // there is no room for more
}

TEST(PromptClock, SumsUpItsPasses) {
  const Model model = bench::make_family("hawk", "tiny");
  bench::PromptClock clock(model, 1, 1024);
  EXPECT_EQ(clock.chunk(), 512);
  const std::vector<double> seconds = clock.read(1024);
  ASSERT_EQ(seconds.size(), 2u);
  EXPECT_TRUE(std::is_sorted(seconds.begin(), seconds.end()));
  EXPECT_TRUE(clock.read(0).empty());
  EXPECT_GT(clock.pass_at(1024), 0.0);
  EXPECT_EQ(bench::PromptClock(model, 1, 64).chunk(), 64);
  EXPECT_THROW(bench::PromptClock(model, 1, 600), Error);
}

TEST(FilledWindows, AreThoseOfLocalAttention) {
  const auto windows = [](const char* family) {
    return bench::filled_windows(bench::make_family(family, "tiny"));
  };
  EXPECT_EQ(windows("griffin"), std::vector<std::int64_t>{1024});
  for (const char* family : {"hawk", "mqa", "mamba2"}) EXPECT_TRUE(windows(family).empty());
}

}  // namespace
}  // namespace griffin::test
