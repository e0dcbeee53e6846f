// SPDX-License-Identifier: Apache-2.0
// A sequence is a value: it can be forked, reset, moved, and belongs to one layout.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <sstream>
#include <utility>
#include <vector>

#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

/// Griffin past its window and transformer within its capacity, so that every kind of slot is
/// there.
class SequenceTest : public ::testing::TestWithParam<NamedConfig> {
 protected:
  static constexpr std::int64_t length = 30;

  Sequence sequence() const {
    return model_.new_sequence({capacity_for(model_.config(), 2 * length), Dtype::f32});
  }
  std::vector<std::int32_t> text(std::uint32_t seed) const {
    return random_tokens(model_.config(), length, seed);
  }
  std::vector<float> run(Sequence& s, Tokens tokens) {
    return run_in_chunks(pass_, s, tokens, std::vector<std::int64_t>{7, 1});
  }

  const Model model_ = Model::random(GetParam().config, Dtype::f32, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), length);
};

TEST_P(SequenceTest, StartsEmptyAtPositionZero) {
  Sequence s = sequence();
  EXPECT_EQ(s.position(), 0);
  EXPECT_EQ(s.bytes(), s.layout().bytes());
  EXPECT_GT(s.bytes(), 0U);
  EXPECT_EQ(s.layout(), sequence().layout());
}

TEST_P(SequenceTest, PositionCountsTokens) {
  Sequence s = sequence();
  run(s, text(1));
  EXPECT_EQ(s.position(), length);
  pass_.add(s, text(2), Logits::none);
  EXPECT_EQ(s.position(), length) << "moves when the pass runs, not before";
  EXPECT_EQ(pass_.run().rows, 0);
  EXPECT_EQ(s.position(), 2 * length);
}

TEST_P(SequenceTest, AForkContinuesToTheSameBits) {
  Sequence original = sequence();
  run(original, text(1));
  Sequence fork = original.fork();
  EXPECT_EQ(fork.position(), length);
  EXPECT_EQ(fork.layout(), original.layout());
  EXPECT_EQ(state_of(fork), state_of(original));
  const auto next = text(2);
  EXPECT_EQ(run(fork, next), run(original, next));
  EXPECT_EQ(state_of(fork), state_of(original));
}

TEST_P(SequenceTest, AForkIsIndependent) {
  Sequence original = sequence();
  run(original, text(1));
  Sequence untouched = original.fork();
  const std::vector<std::byte> before = state_of(original);
  Sequence fork = original.fork();
  run(fork, text(2));
  EXPECT_EQ(state_of(original), before);
  EXPECT_EQ(original.position(), length);
  fork.reset();
  EXPECT_EQ(state_of(original), before);
  const auto next = text(3);
  EXPECT_EQ(run(original, next), run(untouched, next));
}

TEST_P(SequenceTest, AForkOutlivesItsOriginal) {
  Sequence original = sequence();
  run(original, text(1));
  const Sequence kept = original.fork();
  const auto expected = run(original, text(2));
  original = sequence();
  Sequence fork = kept.fork();
  EXPECT_EQ(run(fork, text(2)), expected);
}

TEST_P(SequenceTest, ResetForgetsEverything) {
  Sequence s = sequence();
  Sequence fresh = sequence();
  run(s, text(1));
  s.reset();
  EXPECT_EQ(s.position(), 0);
  const auto next = text(2);
  EXPECT_EQ(run(s, next), run(fresh, next));
  EXPECT_EQ(state_of(s), state_of(fresh));
}

TEST_P(SequenceTest, MovesWithItsState) {
  Sequence original = sequence();
  Sequence twin = sequence();
  run(original, text(1));
  run(twin, text(1));
  Sequence moved = std::move(original);
  EXPECT_EQ(moved.position(), length);
  Sequence assigned = sequence();
  assigned = std::move(moved);
  EXPECT_EQ(run(assigned, text(2)), run(twin, text(2)));
}

/// What is left behind by a move can be given a new sequence, and otherwise holds no state.
TEST_P(SequenceTest, AMovedFromSequenceCanBeAssigned) {
  Sequence first = sequence();
  run(first, text(1));
  Sequence second = std::move(first);
  first = second.fork();
  EXPECT_EQ(run(first, text(2)), run(second, text(2)));
}

TEST_P(SequenceTest, AMovedFromSequenceIsRefused) {
  Sequence s = sequence();
  run(s, text(1));
  Sequence other = s.fork();
  const Snapshot snapshot = s.snapshot();
  std::stringstream saved;
  s.save(saved);
  const Sequence taken = std::move(s);
  const std::vector<std::function<void()>> uses = {[&] { s.fork(); },
                                                   [&] { s.snapshot(); },
                                                   [&] { s.rollback(snapshot); },
                                                   [&] { s.copy_from(other); },
                                                   [&] { s.restore(saved); },
                                                   [&] { other.copy_from(s); },
                                                   [&] {
                                                     std::stringstream stream;
                                                     s.save(stream);
                                                   }};
  for (const auto& use : uses) {
    try {
      use();
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    }
  }
  EXPECT_EQ(state_of(other), state_of(const_cast<Sequence&>(taken)));
}

/// No slot overlaps another, nor a ring what is held.
TEST_P(SequenceTest, SlotsDoNotOverlap) {
  Sequence s = sequence();
  const StateLayout layout = s.layout();
  float mark = 1.0F;
  const auto for_each_part = [&](const auto& f) {
    mark = 1.0F;
    for (std::size_t slot = 0; slot < layout.slots.size(); ++slot) {
      const StateShape& shape = layout.slots[slot];
      const LayerState state = s.state(static_cast<std::int64_t>(slot));
      f(state.held);
      for (std::int64_t ring = 0; ring < shape.rings; ++ring) {
        ASSERT_EQ(shape.row_type, Dtype::f32);
        f(std::span(reinterpret_cast<float*>(state.ring(ring)),
                    static_cast<std::size_t>(shape.ring_rows * shape.row_width)));
      }
    }
  };
  for_each_part([&](std::span<float> part) { std::fill(part.begin(), part.end(), mark++); });
  for_each_part([&](std::span<const float> part) {
    EXPECT_EQ(std::vector<float>(part.begin(), part.end()), std::vector<float>(part.size(), mark));
    mark++;
  });
}

std::string config_name(const ::testing::TestParamInfo<NamedConfig>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Models, SequenceTest, ::testing::ValuesIn(tiny_models()), config_name);

TEST(StateLayoutTest, EqualityIsOfEveryField) {
  const ModelConfig config = tiny_griffin(8);
  const StateLayout layout = config.state_layout({});
  EXPECT_EQ(layout, config.state_layout({}));
  EXPECT_NE(layout, config.state_layout({0, Dtype::bf16}));
  EXPECT_NE(layout, config.state_layout({100, Dtype::f32}));
  EXPECT_NE(layout, tiny_griffin(33).state_layout({}));
  EXPECT_NE(layout, tiny_hawk().state_layout({}));
}

TEST(StateLayoutTest, BytesAreTheSumOfTheSlots) {
  for (const NamedConfig& named : tiny_models()) {
    const StateLayout l = named.config.state_layout({50, Dtype::bf16});
    std::size_t held = 0;
    std::size_t rings = 0;
    for (const StateShape& shape : l.slots) {
      EXPECT_GE(shape.held_bytes(), static_cast<std::size_t>(shape.held) * 4) << named.name;
      held += shape.held_bytes();
      rings += static_cast<std::size_t>(shape.rings) * shape.ring_bytes();
    }
    EXPECT_EQ(l.held_bytes(), held) << named.name;
    EXPECT_EQ(l.bytes(), held + rings) << named.name;
    const auto recurrent = named.config.pattern.count(LayerKind::recurrent, named.config.depth);
    EXPECT_EQ(std::ssize(l.slots), named.config.depth + recurrent) << named.name;
  }
}

}  // namespace
}  // namespace griffin::test
