// SPDX-License-Identifier: Apache-2.0
// What became of a text.
#pragma once

#include "griffin/c/base.h"

GRIFFIN_C_BEGIN

/// A text that is over. Immutable; what the functions here give belongs to it.
typedef struct griffin_result griffin_result;

typedef int32_t griffin_stop_reason;
enum {
  GRIFFIN_STOP_ID = 0,
  GRIFFIN_STOP_STRING = 1,
  GRIFFIN_STOP_LENGTH = 2,    ///< max_new_tokens
  GRIFFIN_STOP_CAPACITY = 3,  ///< the sequence has no room for another token
  GRIFFIN_STOP_CALLBACK = 4,
  GRIFFIN_STOP_CANCELLED = 5,  ///< griffin_scheduler_cancel()
  GRIFFIN_STOP_FAILED = 6      ///< griffin_result_error() says why
};
/// "stop string" and so on.
GRIFFIN_C_API const char* griffin_stop_reason_name(griffin_stop_reason reason);

typedef struct griffin_result_info {
  size_t struct_size;
  griffin_stop_reason reason;
  int32_t stop_id;     ///< the id that ended the text; -1: none did
  float stop_logprob;  ///< of it, if log-probabilities were asked for; else NaN
  int32_t reserved;
  int64_t candidate;
  int64_t prompt_tokens;  ///< that were run
  int64_t reused_tokens;  ///< of the prompt that were not: their state was cached
  int64_t decode_passes;  ///< after the prompt
  int64_t fed_back;       ///< of the tokens, consumed by the sequence
  int64_t guessed;        ///< tokens tried, by prompt lookup or a draft model
  int64_t accepted;       ///< of those, how many were right
  int64_t draft_passes;
  double mean_logprob;    ///< NaN if log-probabilities were not asked for; -INFINITY of no tokens
  double queued_seconds;  ///< until there was room for the text
  double prefill_seconds;
  double decode_seconds;
  double first_token_seconds;  ///< from the beginning, not the submission
} griffin_result_info;

GRIFFIN_C_API griffin_status griffin_result_get_info(const griffin_result* result,
                                                     griffin_result_info* info,
                                                     griffin_error* error);

GRIFFIN_C_API const int32_t* griffin_result_tokens(const griffin_result* result, size_t* count);
/// Where there was a tokenizer; terminated by a zero that is not counted.
GRIFFIN_C_API const char* griffin_result_text(const griffin_result* result, size_t* size);
/// The string that ended the text.
GRIFFIN_C_API const char* griffin_result_stop_string(const griffin_result* result, size_t* size);
/// Of every token, if asked for, [count].
GRIFFIN_C_API const float* griffin_result_logprobs(const griffin_result* result, size_t* count);
/// The most likely ones beside each, [count / tokens] for every token, most likely first.
GRIFFIN_C_API const griffin_token_logprob* griffin_result_top_logprobs(const griffin_result* result,
                                                                       size_t* count);
/// Of the prompt's second token to its last, if asked for.
GRIFFIN_C_API const float* griffin_result_prompt_logprobs(const griffin_result* result,
                                                          size_t* count);
GRIFFIN_C_API const griffin_token_logprob* griffin_result_prompt_top_logprobs(
    const griffin_result* result, size_t* count);
/// Why the text failed: fills the error, and returns its status; GRIFFIN_OK if it did not.
GRIFFIN_C_API griffin_status griffin_result_error(const griffin_result* result,
                                                  griffin_error* error);
GRIFFIN_C_API void griffin_result_free(griffin_result* result);

GRIFFIN_C_END
