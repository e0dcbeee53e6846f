// SPDX-License-Identifier: Apache-2.0
// Logits.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/model.h"
#include "griffin/c/sequence.h"

GRIFFIN_C_BEGIN

/// Runs tokens through the model: for those who want logits. One thread at a time.
typedef struct griffin_pass griffin_pass;

typedef struct griffin_pass_options {
  size_t struct_size;
  int64_t threads;     ///< 0: all cores
  int64_t max_rows;    ///< tokens that are run at once; 0: 512
  int64_t max_logits;  ///< rows of logits that are computed at once; 0: 16. 4 vocab bytes each
} griffin_pass_options;

GRIFFIN_C_API griffin_status griffin_pass_new(const griffin_model* model,
                                              const griffin_pass_options* options,
                                              griffin_pass** pass, griffin_error* error);
GRIFFIN_C_API void griffin_pass_free(griffin_pass* pass);

typedef int32_t griffin_logits;
enum { GRIFFIN_LOGITS_NONE = 0, GRIFFIN_LOGITS_LAST = 1, GRIFFIN_LOGITS_ALL = 2 };

/// Runs any number of tokens, and copies the logits wanted to `logits`, [rows, vocab]: those of the
/// last token, or of all. How many rows that are goes to `rows`, which may be NULL, also where
/// there is no room for them. Where it fails nothing is run: GRIFFIN_CAPACITY for a capacity_rows
/// of less, or no room in the sequence; GRIFFIN_INVALID_ARGUMENT for a token outside the vocabulary
/// or a sequence of another model. The bits of a token's logits depend on the tokens before it in
/// its sequence, and on nothing else.
GRIFFIN_C_API griffin_status griffin_pass_run(griffin_pass* pass, griffin_sequence* sequence,
                                              const int32_t* ids, size_t count,
                                              griffin_logits wanted, float* logits,
                                              size_t capacity_rows, size_t* rows,
                                              griffin_error* error);

/// The log softmax of rows of logits [rows, vocab] at one id each, ids [rows]: logprobs [rows], the
/// numbers that texts have.
GRIFFIN_C_API griffin_status griffin_pass_logprobs(griffin_pass* pass, const float* logits,
                                                   size_t rows, const int32_t* ids, float* logprobs,
                                                   griffin_error* error);

GRIFFIN_C_END
