// SPDX-License-Identifier: Apache-2.0
// Snapshots and files: what follows them has the same bits, and what is no state is refused
// without harm.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

constexpr std::int64_t length = 30;

class SavedStateTest : public ::testing::TestWithParam<NamedConfig> {
 protected:
  Sequence sequence(Dtype kv, std::int64_t capacity = 3 * length) const {
    return model_.new_sequence({capacity_for(model_.config(), capacity), kv});
  }
  void run(Sequence& s, std::int64_t count, std::uint32_t seed) {
    if (count > 0) run_at_once(pass_, s, random_tokens(model_.config(), count, seed));
  }
  std::vector<float> go_on(Sequence& s) {
    return run_at_once(pass_, s, random_tokens(model_.config(), length, 77));
  }

  const Model model_ = Model::random(GetParam().config, Dtype::bf16, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), length, 2);
};

/// Before the window is full, when it just is, and after it went round.
constexpr std::int64_t positions[] = {0, 1, 3, 7, 8, 9, 30};

TEST_P(SavedStateTest, ASnapshotIsGoneBackTo) {
  for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
    for (const std::int64_t position : positions) {
      Sequence s = sequence(kv);
      run(s, position, 1);
      Sequence twin = s.fork();
      const Snapshot snapshot = s.snapshot();
      EXPECT_EQ(snapshot.position(), position);
      EXPECT_EQ(snapshot.bytes(), s.used_bytes());
      EXPECT_LE(snapshot.bytes(), s.bytes());
      run(s, 13, 2);
      s.rollback(snapshot);
      EXPECT_EQ(s.position(), position);
      EXPECT_EQ(go_on(s), go_on(twin)) << position;
      Sequence another = sequence(kv);
      another.rollback(snapshot);
      twin.rollback(snapshot);
      EXPECT_EQ(go_on(another), go_on(twin));
    }
  }
}

TEST_P(SavedStateTest, T31_AFileContinuesToTheSameBits) {
  const TempFolder folder;
  const auto file = folder.path() / "state";
  for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
    for (const std::int64_t position : positions) {
      Sequence s = sequence(kv);
      run(s, position, 1);
      const std::vector<std::int32_t> unread(static_cast<std::size_t>(position % 3), 7);
      s.save(file, unread);
      EXPECT_LT(std::filesystem::file_size(file), s.used_bytes() + 4096);
      Sequence restored = sequence(kv);
      run(restored, 5, 9);  // whatever was there
      EXPECT_EQ(restored.restore(file), unread);
      EXPECT_EQ(restored.position(), position);
      EXPECT_EQ(go_on(restored), go_on(s)) << position;
    }
  }
}

/// Each of them shares work among its threads, or there would be nothing to show.
TEST_P(SavedStateTest, AnotherNumberOfThreadsContinuesToTheSameBits) {
  const ModelConfig& config = model_.config();
  for (const auto& [before, after] : {std::pair{1, 2}, std::pair{2, 1}}) {
    ForwardPass saving = pass_for(model_, kernels::table_at(0), length, before);
    ForwardPass restoring = pass_for(model_, kernels::table_at(0), length, after);
    EXPECT_LT(restoring.context().grain(config.width, 16).worth_a_thread, config.lru_width);
    EXPECT_EQ(restoring.context().threads, after);
    for (const std::int64_t position : {3, 8, 30}) {
      Sequence s = sequence(Dtype::f32);
      run_at_once(saving, s, random_tokens(config, position, 1));
      std::stringstream stream;
      s.save(stream);
      const auto next = random_tokens(config, 12, 77);
      const auto expected = run_at_once(saving, s, next);
      Sequence restored = sequence(Dtype::f32);
      restored.restore(stream);
      EXPECT_EQ(run_at_once(restoring, restored, next), expected) << position;
      EXPECT_EQ(state_of(restored), state_of(s));
    }
  }
}

/// What an earlier text left behind is in no file and no snapshot.
TEST_P(SavedStateTest, NothingOfAnEarlierTextIsKept) {
  for (const std::int64_t position : {0, 1, 2}) {
    const auto saved_after = [&](Sequence s) {
      run(s, position, 1);
      std::stringstream stream;
      s.save(stream);
      EXPECT_EQ(s.snapshot().bytes(), s.used_bytes());
      return stream.str();
    };
    Sequence used = sequence(Dtype::f32);
    run(used, 13, 2);
    used.reset();
    EXPECT_EQ(used.used_bytes(), 0U);
    EXPECT_EQ(saved_after(std::move(used)), saved_after(sequence(Dtype::f32))) << position;
  }
}

TEST_P(SavedStateTest, AStreamMayHoldMore) {
  Sequence s = sequence(Dtype::f32);
  run(s, 11, 1);
  std::stringstream stream;
  s.save(stream);
  s.save(stream);
  stream << "end";
  Sequence restored = sequence(Dtype::f32);
  restored.restore(stream);
  restored.restore(stream);
  EXPECT_EQ(stream.peek(), 'e');
  EXPECT_EQ(go_on(restored), go_on(s));
}

/// Rows are kept by their age, so another capacity, hence another ring, will do.
TEST_P(SavedStateTest, AnotherCapacityWillDo) {
  for (const auto& [from, to] : {std::pair{6, 60}, std::pair{60, 36}}) {
    Sequence s = model_.new_sequence({from, Dtype::f32});
    run(s, 5, 1);
    std::stringstream stream;
    s.save(stream);
    const Snapshot snapshot = s.snapshot();
    Sequence other = model_.new_sequence({to, Dtype::f32});
    Sequence expected = model_.new_sequence({to, Dtype::f32});
    run(expected, 5, 1);
    other.restore(stream);
    EXPECT_EQ(go_on(other), go_on(expected));
    other.rollback(snapshot);
    expected.rollback(snapshot);
    EXPECT_EQ(go_on(other), go_on(expected));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SavedStateTest, ::testing::ValuesIn(tiny_models()),
                         [](const auto& p) { return std::string(p.param.name); });

std::string saved(const Sequence& s) {
  std::stringstream stream;
  s.save(stream, std::vector<std::int32_t>{1, 2, 3});
  return stream.str();
}

Error error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorCode::io, "");
}

class RefusedStateTest : public ::testing::Test {
 protected:
  RefusedStateTest() { run_at_once(pass_, sequence_, random_tokens(model_.config(), 20, 1)); }

  /// Restoring throws and leaves the sequence alone.
  Error refusal(const std::string& bytes, Sequence& into) {
    const auto before = state_of(into);
    const std::int64_t position = into.position();
    const Error error = error_of([&] {
      std::stringstream stream(bytes);
      into.restore(stream);
    });
    EXPECT_EQ(state_of(into), before);
    EXPECT_EQ(into.position(), position);
    return error;
  }

  const Model model_ = Model::random(tiny_griffin(8), Dtype::bf16, 3);
  ForwardPass pass_ = pass_for(model_, kernels::table_at(0), length);
  Sequence sequence_ = model_.new_sequence();
};

TEST_F(RefusedStateTest, EveryChangedByteAndEveryLength) {
  const std::string good = saved(sequence_);
  Sequence into = sequence_.fork();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const Error error = refusal(bad, into);
    EXPECT_NE(error.code(), ErrorCode::io) << i;
  }
  for (std::size_t size = 0; size < good.size(); size += size < 120 ? 1 : 97) {
    EXPECT_EQ(refusal(good.substr(0, size), into).code(), ErrorCode::format) << size;
  }
}

TEST_F(RefusedStateTest, OtherModels) {
  const std::string good = saved(sequence_);
  const Model other_weights = Model::random(tiny_griffin(8), Dtype::bf16, 4);
  const Model other_type = Model::random(tiny_griffin(8), Dtype::int8, 3);
  const Model other_window = Model::random(tiny_griffin(9), Dtype::bf16, 3);
  for (const Model& other : {other_weights, other_type, other_window}) {
    Sequence s = other.new_sequence();
    EXPECT_EQ(refusal(good, s).code(), ErrorCode::mismatch);
    EXPECT_THROW(s.rollback(sequence_.snapshot()), Error);
    EXPECT_THROW(s.copy_from(sequence_), Error);
    ForwardPass pass = pass_for(model_, kernels::table_at(0), 4);
    EXPECT_THROW(pass.add(s, random_tokens(model_.config(), 1, 1)), Error);
  }
  Sequence narrow = model_.new_sequence({0, Dtype::bf16});
  const Error error = refusal(good, narrow);
  EXPECT_EQ(error.code(), ErrorCode::mismatch);
  EXPECT_STREQ(error.what(), "state: expected keys and values stored as bf16, found f32");
  Sequence small = model_.new_sequence({19, Dtype::f32});
  EXPECT_EQ(refusal(good, small).code(), ErrorCode::capacity);
}

TEST_F(RefusedStateTest, SnapshotsThatAreNone) {
  Snapshot snapshot = sequence_.snapshot();
  const Snapshot taken = std::move(snapshot);
  EXPECT_EQ(error_of([&] { sequence_.rollback(snapshot); }).code(), ErrorCode::invalid_argument);
  EXPECT_EQ(error_of([&] { sequence_.rollback(Snapshot{}); }).code(), ErrorCode::mismatch);
}

/// Layouts that are of no model differ in nothing but the window.
TEST_F(RefusedStateTest, SnapshotsOfAnotherWindow) {
  Sequence shorter(tiny_griffin(8).state_layout({}));
  Sequence longer(tiny_griffin(33).state_layout({}));
  for (Sequence* s : {&shorter, &longer}) s->advance(20);
  const auto before = state_of(longer);
  EXPECT_EQ(error_of([&] { longer.rollback(shorter.snapshot()); }).code(), ErrorCode::mismatch);
  EXPECT_EQ(error_of([&] { shorter.rollback(longer.snapshot()); }).code(), ErrorCode::mismatch);
  EXPECT_EQ(state_of(longer), before);
}

TEST_F(RefusedStateTest, MoreUnreadTokensThanThereMayBe) {
  const std::vector<std::int32_t> most(1 << 20, 5);
  std::stringstream stream;
  sequence_.save(stream, most);
  EXPECT_EQ(sequence_.restore(stream), most);
  const std::vector<std::int32_t> more((1 << 20) + 1, 5);
  EXPECT_EQ(error_of([&] { sequence_.save(stream, more); }).code(), ErrorCode::invalid_argument);
}

/// Whoever opens a pipe to read from it waits for someone who writes.
TEST_F(RefusedStateTest, APipeIsRefusedWithoutWaiting) {
  const TempFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string expected = pipe.string() + ": expected a regular file, found another kind";
  EXPECT_EQ(std::string(error_of([&] { Sequence::saved_position(pipe); }).what()), expected);
  EXPECT_EQ(std::string(error_of([&] { sequence_.restore(pipe); }).what()), expected);
}

TEST_F(RefusedStateTest, FilesAreNamed) {
  const TempFolder folder;
  const auto file = folder.path() / "state";
  EXPECT_EQ(error_of([&] { sequence_.restore(file); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { sequence_.restore(folder.path()); }).code(), ErrorCode::io);
  EXPECT_EQ(error_of([&] { sequence_.save(folder.path() / "no" / "state"); }).code(),
            ErrorCode::io);
  sequence_.save(file);
  std::ofstream(file, std::ios::app) << "x";
  const Error error = error_of([&] { sequence_.restore(file); });
  EXPECT_EQ(error.code(), ErrorCode::format);
  EXPECT_EQ(std::string(error.what()), file.string() + ": goes on after the state");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
      << "nothing is left behind";
}

/// The fingerprint is of the weights: the same for the same, however they were made.
TEST(Fingerprint, TellsModelsApart) {
  const auto of = [](const ModelConfig& config, Dtype dtype, std::uint64_t seed) {
    return Model::random(config, dtype, seed).fingerprint();
  };
  const std::uint64_t one = of(tiny_griffin(8), Dtype::bf16, 3);
  EXPECT_EQ(one, of(tiny_griffin(8), Dtype::bf16, 3));
  EXPECT_NE(one, of(tiny_griffin(8), Dtype::bf16, 4));
  EXPECT_NE(one, of(tiny_griffin(8), Dtype::f32, 3));
  EXPECT_NE(one, of(tiny_griffin(10), Dtype::bf16, 3));
  EXPECT_NE(one, of(tiny_hawk(), Dtype::bf16, 3));
  EXPECT_NE(one, of(tiny_griffin_with(Activation::silu), Dtype::bf16, 3));
  EXPECT_NE(of(tiny_griffin_with(Activation::silu), Dtype::bf16, 3),
            of(tiny_griffin_with(Activation::relu), Dtype::bf16, 3));
}

}  // namespace
}  // namespace griffin::test
