// SPDX-License-Identifier: Apache-2.0
// Every member of a result, each with a value of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>

#include "c/handles.h"
#include "griffin/griffin_c.h"

namespace {

griffin_result_info info_of(const griffin_result& result) {
  griffin_result_info info{};
  info.struct_size = sizeof(info);
  EXPECT_EQ(griffin_result_get_info(&result, &info, nullptr), GRIFFIN_OK);
  return info;
}

TEST(CResult, HasEveryNumberInItsField) {
  griffin_result of;
  of.result.reason = griffin::StopReason::stop_string;
  of.result.stop_id = 11;
  of.result.stop_logprob = -0.5F;
  of.result.tokens = {4, 5, 6};
  of.result.logprobs = {-1.0F, -2.0F, -4.5F};
  of.result.candidate = 12;
  of.result.prompt_tokens = 13;
  of.result.reused_tokens = 14;
  of.result.decode_passes = 15;
  of.result.fed_back = 2;
  of.result.guessed = 17;
  of.result.accepted = 18;
  of.result.draft_passes = 19;
  of.result.timings = {
      .load = 0.25, .queued = 1.5, .prefill = 2.5, .decode = 3.5, .first_token = 4.5};
  const griffin_result_info info = info_of(of);
  EXPECT_EQ(info.reason, GRIFFIN_STOP_STRING);
  EXPECT_EQ(info.stop_id, 11);
  EXPECT_EQ(info.stop_logprob, -0.5F);
  EXPECT_EQ(info.candidate, 12);
  EXPECT_EQ(info.prompt_tokens, 13);
  EXPECT_EQ(info.reused_tokens, 14);
  EXPECT_EQ(info.decode_passes, 15);
  EXPECT_EQ(info.fed_back, 2);
  EXPECT_EQ(info.guessed, 17);
  EXPECT_EQ(info.accepted, 18);
  EXPECT_EQ(info.draft_passes, 19);
  EXPECT_EQ(info.mean_logprob, -2.0);
  EXPECT_EQ(info.queued_seconds, 1.5);
  EXPECT_EQ(info.prefill_seconds, 2.5);
  EXPECT_EQ(info.decode_seconds, 3.5);
  EXPECT_EQ(info.first_token_seconds, 4.5);
}

TEST(CResult, SaysWhatThereIsNot) {
  const griffin_result_info info = info_of({});
  EXPECT_EQ(info.stop_id, -1);
  EXPECT_TRUE(std::isnan(info.stop_logprob));
  EXPECT_EQ(info.mean_logprob, -INFINITY);
}

TEST(CResult, HasEveryListByItsName) {
  griffin_result of;
  of.result.tokens = {4, 5};
  of.result.text = "a text";
  of.result.stop_string = "stop";
  of.result.logprobs = {-1.0F};
  of.result.top_logprobs = {{7, -0.5F}, {8, -1.5F}, {9, -2.5F}};
  of.result.prompt_logprobs = {-3.0F, -4.0F, -5.0F, -6.0F};
  of.result.prompt_top_logprobs = {
      {10, -7.0F}, {11, -8.0F}, {12, -9.0F}, {13, -10.0F}, {14, -11.0F}};
  std::size_t count = 0;
  EXPECT_EQ(griffin_result_tokens(&of, &count)[1], 5);
  EXPECT_EQ(count, 2U);
  EXPECT_STREQ(griffin_result_text(&of, &count), "a text");
  EXPECT_EQ(count, 6U);
  EXPECT_STREQ(griffin_result_stop_string(&of, &count), "stop");
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(griffin_result_logprobs(&of, &count)[0], -1.0F);
  EXPECT_EQ(count, 1U);
  EXPECT_EQ(griffin_result_top_logprobs(&of, &count)[2].id, 9);
  EXPECT_EQ(griffin_result_top_logprobs(&of, nullptr)[2].logprob, -2.5F);
  EXPECT_EQ(count, 3U);
  EXPECT_EQ(griffin_result_prompt_logprobs(&of, &count)[3], -6.0F);
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(griffin_result_prompt_top_logprobs(&of, &count)[4].id, 14);
  EXPECT_EQ(count, 5U);
}

}  // namespace
