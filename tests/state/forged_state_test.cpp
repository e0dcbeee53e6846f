// SPDX-License-Identifier: Apache-2.0
// Saved states made by somebody who knows the checksums: refused, or a state like any other.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "support/forged_state.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

using namespace state_header;

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();

class ForgedStateTest : public ::testing::Test {
 protected:
  ForgedStateTest() {
    run_at_once(pass_, sequence_, random_tokens(model_.config(), 20, 1));
    std::stringstream stream;
    sequence_.save(stream, std::vector<std::int32_t>{1, 2, 3});
    saved_ = stream.str();
  }

  /// The saved state with another number somewhere and checksums that are right.
  template <class Number>
  std::string forged(std::size_t at, Number number) const {
    return test::forged(saved_, at, number);
  }

  void expect_refusal(const std::string& bytes, ErrorCode code) {
    const auto before = state_of(sequence_);
    std::stringstream stream(bytes);
    try {
      sequence_.restore(stream);
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
    }
    EXPECT_EQ(sequence_.position(), 20);
    EXPECT_EQ(state_of(sequence_), before);
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::bf16, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), 30);
  Sequence sequence_ = model_.new_sequence();
  std::string saved_;
};

TEST_F(ForgedStateTest, TheForgeryItselfIsSound) {
  std::stringstream stream(forged(position_at, std::int64_t{20}));
  EXPECT_EQ(stream.str(), saved_);
  EXPECT_EQ(sequence_.restore(stream), (std::vector<std::int32_t>{1, 2, 3}));
}

TEST_F(ForgedStateTest, Positions) {
  const TempFolder folder;
  for (const std::int64_t position : {largest, largest - 1, largest - 20, largest / 2,
                                      furthest_position + 1, std::int64_t{-1}, smallest}) {
    SCOPED_TRACE(position);
    const std::string bytes = forged(position_at, position);
    expect_refusal(bytes, ErrorCode::format);
    EXPECT_THROW(Sequence::saved_position(folder.write("state", bytes)), Error);
  }
  for (const std::int64_t position : {0, 3, 7}) {  // whose states are smaller
    expect_refusal(forged(position_at, position), ErrorCode::format);
  }
}

/// As far as one may be, nothing more can be read; short of it, passes run as ever.
TEST_F(ForgedStateTest, TheFurthestPosition) {
  const auto next = random_tokens(model_.config(), 5, 2);
  std::stringstream stream(forged(position_at, furthest_position));
  sequence_.restore(stream);
  EXPECT_EQ(sequence_.position(), furthest_position);
  EXPECT_THROW(pass_.add(sequence_, Tokens(next).first(1)), Error);
  std::stringstream before(forged(position_at, furthest_position - 5));
  sequence_.restore(before);
  run_at_once(pass_, sequence_, next);
  EXPECT_EQ(sequence_.position(), furthest_position);
}

/// Neither what earlier versions wrote nor what later ones will.
TEST_F(ForgedStateTest, Versions) {
  for (const std::uint32_t version : {0U, 1U, 2U, 4U, UINT32_MAX}) {
    SCOPED_TRACE(version);
    expect_refusal(forged(version_at, version), ErrorCode::format);
  }
}

TEST_F(ForgedStateTest, TypesOfKeysAndValues) {
  expect_refusal(forged(kv_at, std::uint32_t{1}), ErrorCode::mismatch);
  for (const std::uint32_t kv : {2U, 3U, 4U, 256U, UINT32_MAX}) {
    expect_refusal(forged(kv_at, kv), ErrorCode::format);
  }
}

TEST_F(ForgedStateTest, NumbersOfUnreadTokens) {
  for (const std::uint64_t unread :
       {std::uint64_t{4}, std::uint64_t{1} << 20U, (std::uint64_t{1} << 20U) + 1,
        std::uint64_t{1} << 62U, (std::uint64_t{1} << 62U) + 3, UINT64_MAX}) {
    expect_refusal(forged(unread_at, unread), ErrorCode::format);
  }
}

TEST_F(ForgedStateTest, SizesOfStates) {
  const std::uint64_t right = sequence_.used_bytes();
  for (const std::uint64_t bytes : {std::uint64_t{0}, right - 1, right + 1, right + 4, 2 * right,
                                    UINT64_MAX, UINT64_MAX - 11}) {
    expect_refusal(forged(state_bytes_at, bytes), ErrorCode::format);
  }
}

/// The sum that stands for slots and widths.
TEST_F(ForgedStateTest, Shapes) {
  for (const std::int64_t number : {std::int64_t{-1}, std::int64_t{0}, largest, smallest}) {
    expect_refusal(forged(slots_at, number), ErrorCode::mismatch);
  }
}

}  // namespace
}  // namespace griffin::test
