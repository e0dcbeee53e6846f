// SPDX-License-Identifier: Apache-2.0
// One text at a time, and how texts are generated.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/model.h"
#include "griffin/c/result.h"
#include "griffin/c/sequence.h"
#include "griffin/c/tokenizer.h"

GRIFFIN_C_BEGIN

#define GRIFFIN_UNLIMITED (-1)
#define GRIFFIN_NO_TOKENS (-2)

typedef struct griffin_logit_bias {
  int32_t id;
  float bias;  ///< added to the logit; -INFINITY forbids the token, if any is left
} griffin_logit_bias;

/// May change the logits, [vocab], before a token is chosen: after bias and penalties. Where it
/// leaves nothing to choose from (all -INFINITY or NaN), the first that is -INFINITY is chosen, or
/// token 0. Of a scheduler's text it is called by the thread that steps, and may submit, cancel and
/// forget; not step, stop or free.
typedef void (*griffin_on_logits)(float* logits, int64_t vocab, void* user);

/// How a text is generated. All zero: greedily, 128 tokens, up to the model's own stop ids.
typedef struct griffin_generate_options {
  size_t struct_size;
  int64_t max_new_tokens;  ///< 0: 128; GRIFFIN_UNLIMITED, GRIFFIN_NO_TOKENS
  float temperature;       ///< 0: the most likely token
  float top_p;             ///< 0 and 1: all
  float min_p;             ///< 0: all
  float repeat_penalty;    ///< 0 and 1: none
  float presence_penalty;
  float frequency_penalty;
  int32_t top_k;           ///< 0: all
  int32_t penalty_last_n;  ///< tokens that count as seen; 0: 64, -1: none
  uint64_t seed;
  uint64_t first_draw;  ///< of a text that goes on: how many tokens were chosen before
  const griffin_logit_bias* logit_bias;  ///< [logit_bias_count]
  size_t logit_bias_count;
  const int32_t* stop_ids;  ///< [stop_id_count], beside the model's own
  size_t stop_id_count;
  const griffin_text* stop_strings;  ///< [stop_string_count]; they need the tokenizer
  size_t stop_string_count;
  const int32_t* seen;  ///< [seen_count], what penalties know beside the prompt
  size_t seen_count;
  int32_t logprobs;                    ///< 0: none; 1 + k: of the tokens, and the k most likely
  int32_t prompt_logprobs;             ///< the same for the prompt
  int32_t no_model_stop_ids;           ///< 1: only stop_ids end the text
  int32_t prompt_not_seen;             ///< 1: penalties do not count the prompt
  const griffin_tokenizer* tokenizer;  ///< for text and stop strings; NULL: tokens alone
  griffin_on_logits on_logits;
  void* on_logits_user;
} griffin_generate_options;

/// One text at a time; one thread at a time.
typedef struct griffin_generator griffin_generator;

/// Guesses change no text, but the number of passes that it takes.
typedef struct griffin_generator_options {
  size_t struct_size;
  int64_t threads;             ///< 0: all cores
  int64_t chunk;               ///< prompt tokens of one pass; 0: 512
  int64_t lookup;              ///< tokens guessed from what came up before; 0: off, up to 64
  const griffin_model* draft;  ///< a smaller or coarser model that guesses; NULL: none
  int64_t draft_most;          ///< guesses of a pass; 0: 8, up to 64
  int32_t always_guess;        ///< 0: as many guesses as pay; 1: as many as there is room for
  int32_t reserved;            ///< 0
} griffin_generator_options;

GRIFFIN_C_API griffin_status griffin_generator_new(const griffin_model* model,
                                                   const griffin_generator_options* options,
                                                   griffin_generator** generator,
                                                   griffin_error* error);
GRIFFIN_C_API void griffin_generator_free(griffin_generator* generator);

/// Feeds a prompt [count] and then one chosen token after the other; the sequence may be new or go
/// on. Token by token there is griffin/c/scheduler.h. Errors, before anything is run:
/// GRIFFIN_INVALID_ARGUMENT for an empty prompt, an id outside the vocabulary, options without
/// meaning; GRIFFIN_CAPACITY for a prompt that the sequence has no room for. And when the sequence
/// has consumed some of the tokens: GRIFFIN_MISMATCH where the model's logits are NaN,
/// GRIFFIN_CALLBACK, GRIFFIN_OUT_OF_MEMORY.
GRIFFIN_C_API griffin_status griffin_generate(griffin_generator* generator,
                                              griffin_sequence* sequence, const int32_t* prompt,
                                              size_t count, const griffin_generate_options* options,
                                              griffin_result** result, griffin_error* error);

GRIFFIN_C_END
