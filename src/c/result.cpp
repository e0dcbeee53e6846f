// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/result.h"

#include <limits>
#include <type_traits>

#include "c/boundary.h"
#include "c/handles.h"

using griffin::Result;
using griffin::StopReason;
using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

namespace {

static_assert(GRIFFIN_STOP_ID == static_cast<int>(StopReason::stop_id) &&
              GRIFFIN_STOP_STRING == static_cast<int>(StopReason::stop_string) &&
              GRIFFIN_STOP_LENGTH == static_cast<int>(StopReason::length) &&
              GRIFFIN_STOP_CAPACITY == static_cast<int>(StopReason::capacity) &&
              GRIFFIN_STOP_CALLBACK == static_cast<int>(StopReason::callback) &&
              GRIFFIN_STOP_CANCELLED == static_cast<int>(StopReason::cancelled) &&
              GRIFFIN_STOP_FAILED == static_cast<int>(StopReason::failed));

// So that they are handed out where they are.
static_assert(sizeof(griffin_token_logprob) == sizeof(griffin::TokenProbability) &&
              offsetof(griffin_token_logprob, id) == offsetof(griffin::TokenProbability, id) &&
              offsetof(griffin_token_logprob, logprob) ==
                  offsetof(griffin::TokenProbability, logprob));

griffin_result_info info_of(const Result& result) {
  griffin_result_info info{};
  info.reason = static_cast<griffin_stop_reason>(result.reason);
  info.stop_id = result.stop_id.value_or(-1);
  info.stop_logprob = result.stop_logprob.value_or(std::numeric_limits<float>::quiet_NaN());
  info.candidate = result.candidate;
  info.prompt_tokens = result.prompt_tokens;
  info.reused_tokens = result.reused_tokens;
  info.decode_passes = result.decode_passes;
  info.fed_back = result.fed_back;
  info.guessed = result.guessed;
  info.accepted = result.accepted;
  info.draft_passes = result.draft_passes;
  info.mean_logprob = result.mean_logprob();
  info.queued_seconds = result.timings.queued;
  info.prefill_seconds = result.timings.prefill;
  info.decode_seconds = result.timings.decode;
  info.first_token_seconds = result.timings.first_token;
  return info;
}

/// A list of the result; none of NULL.
template <class T>
const T* list(const griffin_result* result, std::vector<T> Result::*of, size_t* count) noexcept {
  if (count != nullptr) *count = result == nullptr ? 0 : (result->result.*of).size();
  return result == nullptr ? nullptr : (result->result.*of).data();
}

const griffin_token_logprob* pairs(const griffin_result* result,
                                   std::vector<griffin::TokenProbability> Result::*of,
                                   size_t* count) noexcept {
  return reinterpret_cast<const griffin_token_logprob*>(list(result, of, count));
}

const char* text(const griffin_result* result, std::string Result::*of, size_t* size) noexcept {
  if (size != nullptr) *size = result == nullptr ? 0 : (result->result.*of).size();
  return result == nullptr ? "" : (result->result.*of).c_str();
}

}  // namespace

const char* griffin_stop_reason_name(griffin_stop_reason reason) {
  if (reason < 0 || reason > GRIFFIN_STOP_FAILED) return "unknown reason";
  return griffin::name_of(static_cast<StopReason>(reason));
}

griffin_status griffin_result_get_info(const griffin_result* result, griffin_result_info* info,
                                       griffin_error* error) {
  return guarded(error, [&] {
    fill(info, info_of(required(result, "result").result), "griffin_result_info");
  });
}

const int32_t* griffin_result_tokens(const griffin_result* result, size_t* count) {
  return list(result, &Result::tokens, count);
}

const char* griffin_result_text(const griffin_result* result, size_t* size) {
  return text(result, &Result::text, size);
}

const char* griffin_result_stop_string(const griffin_result* result, size_t* size) {
  return text(result, &Result::stop_string, size);
}

const float* griffin_result_logprobs(const griffin_result* result, size_t* count) {
  return list(result, &Result::logprobs, count);
}

const griffin_token_logprob* griffin_result_top_logprobs(const griffin_result* result,
                                                         size_t* count) {
  return pairs(result, &Result::top_logprobs, count);
}

const float* griffin_result_prompt_logprobs(const griffin_result* result, size_t* count) {
  return list(result, &Result::prompt_logprobs, count);
}

const griffin_token_logprob* griffin_result_prompt_top_logprobs(const griffin_result* result,
                                                                size_t* count) {
  return pairs(result, &Result::prompt_top_logprobs, count);
}

griffin_status griffin_result_error(const griffin_result* result, griffin_error* error) {
  return guarded(error, [&] {
    const std::exception_ptr& thrown = required(result, "result").result.error;
    if (thrown) std::rethrow_exception(thrown);
  });
}

void griffin_result_free(griffin_result* result) {
  delete result;
}
