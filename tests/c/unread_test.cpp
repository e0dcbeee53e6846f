// SPDX-License-Identifier: Apache-2.0
// What becomes of the unread tokens of a sequence, and what a pass refuses.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "griffin/griffin_c.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";

class UnreadTokens : public ::testing::Test {
 protected:
  UnreadTokens() {
    EXPECT_EQ(griffin_model_load(embedded, nullptr, &model_, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_new(model_, nullptr, &sequence_, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_pass_new(model_, nullptr, &pass_, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_snapshot(sequence_, &snapshot_, nullptr), GRIFFIN_OK);
    const std::int32_t unread[] = {5, 6};
    std::size_t size = 0;
    griffin_sequence_write(sequence_, unread, 2, nullptr, 0, &size, nullptr);
    std::vector<char> bytes(size);
    griffin_sequence_write(sequence_, unread, 2, bytes.data(), size, &size, nullptr);
    EXPECT_EQ(griffin_sequence_read(sequence_, bytes.data(), size, nullptr), GRIFFIN_OK);
    EXPECT_EQ(count(sequence_), 2U);
  }
  ~UnreadTokens() override {
    griffin_snapshot_free(snapshot_);
    griffin_pass_free(pass_);
    griffin_sequence_free(sequence_);
    griffin_model_free(model_);
  }

  static std::size_t count(const griffin_sequence* sequence) {
    std::size_t found = 0;
    griffin_sequence_unread(sequence, &found);
    return found;
  }

  griffin_model* model_ = nullptr;
  griffin_sequence* sequence_ = nullptr;
  griffin_pass* pass_ = nullptr;
  griffin_snapshot* snapshot_ = nullptr;
};

TEST_F(UnreadTokens, AreReadOfABufferThatGoesOn) {
  const std::int32_t unread = 9;
  std::size_t size = 0;
  griffin_sequence_write(sequence_, &unread, 1, nullptr, 0, &size, nullptr);
  std::vector<char> bytes(size + 7);
  griffin_sequence_write(sequence_, &unread, 1, bytes.data(), size, &size, nullptr);
  EXPECT_EQ(griffin_sequence_read(sequence_, bytes.data(), bytes.size(), nullptr), GRIFFIN_OK);
  EXPECT_EQ(count(sequence_), 1U);
}

TEST_F(UnreadTokens, AreOverWhereAPassReads) {
  const std::int32_t id = 7;
  EXPECT_EQ(griffin_pass_run(pass_, sequence_, &id, 1, 0, nullptr, 0, nullptr, nullptr),
            GRIFFIN_OK);
  EXPECT_EQ(count(sequence_), 0U);
}

TEST_F(UnreadTokens, AreOverWhereASequenceGoesBack) {
  EXPECT_EQ(griffin_sequence_rollback(sequence_, snapshot_, nullptr), GRIFFIN_OK);
  EXPECT_EQ(count(sequence_), 0U);
}

TEST_F(UnreadTokens, AreThoseOfAForkToo) {
  griffin_sequence* fork = nullptr;
  EXPECT_EQ(griffin_sequence_fork(sequence_, &fork, nullptr), GRIFFIN_OK);
  EXPECT_EQ(count(fork), 2U);
  griffin_sequence_free(fork);
}

TEST_F(UnreadTokens, StayWhereAPassIsRefused) {
  const std::int32_t ids[] = {7, -1};
  griffin_error error{};
  error.struct_size = sizeof error;
  EXPECT_EQ(griffin_pass_run(pass_, sequence_, ids, 2, 0, nullptr, 0, nullptr, &error),
            GRIFFIN_INVALID_ARGUMENT);
  EXPECT_TRUE(std::string(error.message).ends_with("found -1 at 1")) << error.message;
  EXPECT_EQ(count(sequence_), 2U);
}

TEST_F(UnreadTokens, NeedNoThreadsBeyondInt) {
  griffin_pass_options options{};
  options.struct_size = sizeof options;
  options.threads = (std::int64_t{1} << 32) + 1;
  griffin_pass* pass = nullptr;
  EXPECT_EQ(griffin_pass_new(model_, &options, &pass, nullptr), GRIFFIN_INVALID_ARGUMENT);
  EXPECT_EQ(pass, nullptr);
}

TEST(StopReasons, HaveNames) {
  EXPECT_STREQ(griffin_stop_reason_name(GRIFFIN_STOP_FAILED), "failed");
  EXPECT_STREQ(griffin_stop_reason_name(GRIFFIN_STOP_FAILED + 1), "unknown reason");
}

}  // namespace
