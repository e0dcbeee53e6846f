// SPDX-License-Identifier: Apache-2.0
// Many texts at once.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/generate.h"
#include "griffin/c/model.h"
#include "griffin/c/result.h"
#include "griffin/c/sequence.h"

GRIFFIN_C_BEGIN

/// Many texts at once, or one token by token. Texts are submitted, steps run them, and what happens
/// is fetched as events:
///
///   while (more) {
///     griffin_scheduler_step(scheduler, &more, &error);
///     while (griffin_scheduler_next_event(scheduler, &event, &error) == GRIFFIN_OK) ...
///   }
///
/// or griffin_scheduler_start() has a thread of the library run the steps. What a text becomes does
/// not depend on what else runs, to the bit.
///
/// Threads: submit, cancel, wait_event, next_event, take_result, take_snapshot, forget and
/// get_statistics may be called by any thread at any time; step, start and stop by one at a time.
/// Nothing may be under way when it is freed, which ends what is not over yet.
typedef struct griffin_scheduler griffin_scheduler;

typedef struct griffin_scheduler_options {
  size_t struct_size;
  int64_t threads;                           ///< of a pass; 0: all cores
  int64_t max_sequences;                     ///< texts at once; 0: 16
  int64_t max_tokens_per_pass;               ///< 0: 512
  const griffin_sequence_options* sequence;  ///< of every text; NULL: defaults
  uint64_t prefix_cache_bytes;               ///< for states of prompts and texts; 0: none are kept
  int64_t lookup;                            ///< as griffin_generator_options has them
  const griffin_model* draft;
  int64_t draft_most;
  int32_t always_guess;
  int32_t reserved;    ///< 0
  int64_t max_logits;  ///< rows of a pass that log-probabilities of prompts take; 0: 64 or more
} griffin_scheduler_options;

GRIFFIN_C_API griffin_status griffin_scheduler_new(const griffin_model* model,
                                                   const griffin_scheduler_options* options,
                                                   griffin_scheduler** scheduler,
                                                   griffin_error* error);
GRIFFIN_C_API void griffin_scheduler_free(griffin_scheduler* scheduler);

/// Which events of a text are wanted, beside its end: a sum of these.
enum {
  GRIFFIN_WANT_PREFILL = 1,
  GRIFFIN_WANT_TOKENS = 2,
  GRIFFIN_WANT_TEXT = 4,  ///< needs the options' tokenizer
  GRIFFIN_WANT_NONE = 8
};

typedef struct griffin_request {
  size_t struct_size;
  const int32_t* prompt;  ///< [prompt_count]
  size_t prompt_count;
  const griffin_generate_options* options;  ///< NULL: defaults
  const griffin_snapshot* start;            ///< where the text goes on from; NULL: at the start
  int64_t candidates;                       ///< texts, of seed, seed + 1, ...; 0: 1
  uint64_t cache_key;                       ///< prefixes are shared with requests of the same key
  int32_t events;                           ///< GRIFFIN_WANT_...; 0: all that the options allow
  int32_t keep_snapshots;                   ///< 1: for griffin_scheduler_take_snapshot()
} griffin_request;

/// Errors: what griffin_generate() has before it runs anything, and GRIFFIN_CAPACITY for more
/// candidates than max_sequences; nothing was taken on then. A start of another model or of other
/// options fails the texts later. Several candidates have log-probabilities in any case.
GRIFFIN_C_API griffin_status griffin_scheduler_submit(griffin_scheduler* scheduler,
                                                      const griffin_request* request, uint64_t* id,
                                                      griffin_error* error);

/// Ends a request's texts when the next step begins. `cancelled` (which may be NULL) says whether
/// any was still waiting or running.
GRIFFIN_C_API griffin_status griffin_scheduler_cancel(griffin_scheduler* scheduler, uint64_t id,
                                                      int32_t* cancelled, griffin_error* error);

/// One pass. `more` (which may be NULL) says whether anything is left to do.
/// GRIFFIN_INVALID_ARGUMENT where a step is under way, or the scheduler was started.
GRIFFIN_C_API griffin_status griffin_scheduler_step(griffin_scheduler* scheduler, int32_t* more,
                                                    griffin_error* error);

/// A thread that steps whenever there is something to do, until it is stopped, after the step it is
/// at. Starting twice is an error, stopping twice is not. Should it end by itself, next_event and
/// wait_event tell why when there is no event any more, until it is started again. Stopping ends
/// all waits for events, and none begins until then.
GRIFFIN_C_API griffin_status griffin_scheduler_start(griffin_scheduler* scheduler,
                                                     griffin_error* error);
GRIFFIN_C_API void griffin_scheduler_stop(griffin_scheduler* scheduler);

typedef int32_t griffin_event_kind;
enum {
  GRIFFIN_EVENT_PREFILL = 0,  ///< so much of the prompt was read: done of total tokens
  GRIFFIN_EVENT_TOKEN = 1,    ///< a token: id, and logprob (NaN unless asked for)
  GRIFFIN_EVENT_TEXT = 2,     ///< a piece of text: whole code points, no part of a stop string
  GRIFFIN_EVENT_DONE = 3      ///< the text is over; its result can be taken. Every text has one.
};

typedef struct griffin_event {
  size_t struct_size;
  uint64_t request;
  int64_t candidate;
  griffin_event_kind kind;
  int32_t id;
  float logprob;
  int32_t reserved;
  griffin_text text;  ///< valid until the next call of next_event
  int64_t done;
  int64_t total;
} griffin_event;

/// The next thing that happened; GRIFFIN_NO_EVENT where there is none. Those of one text come in
/// their order. Events that nobody fetches are kept; memory for them grows. Several threads that
/// fetch take turns, and what the text of an event is, is for one of them to read before another
/// fetches.
GRIFFIN_C_API griffin_status griffin_scheduler_next_event(griffin_scheduler* scheduler,
                                                          griffin_event* event,
                                                          griffin_error* error);
/// Waits until there is an event, so many milliseconds at most (-1: without end): GRIFFIN_OK, or
/// GRIFFIN_NO_EVENT, also where the scheduler was stopped. Another thread has to step.
GRIFFIN_C_API griffin_status griffin_scheduler_wait_event(griffin_scheduler* scheduler,
                                                          int64_t milliseconds,
                                                          griffin_error* error);

/// What became of a text that is over, once: it is the caller's then. GRIFFIN_INVALID_ARGUMENT for
/// a text that is not over, is unknown or was taken. Results that nobody takes are kept.
GRIFFIN_C_API griffin_status griffin_scheduler_take_result(griffin_scheduler* scheduler,
                                                           uint64_t id, int64_t candidate,
                                                           griffin_result** result,
                                                           griffin_error* error);
/// What the text remembers at its end, if the request asked to keep it: once, too. One that nobody
/// takes is kept, and with it what the scheduler knows of the request.
GRIFFIN_C_API griffin_status griffin_scheduler_take_snapshot(griffin_scheduler* scheduler,
                                                             uint64_t id, int64_t candidate,
                                                             griffin_snapshot** snapshot,
                                                             griffin_error* error);
/// Forgets results and snapshots of a request, and what events it still has; those of texts that
/// are not over, when they are.
GRIFFIN_C_API void griffin_scheduler_forget(griffin_scheduler* scheduler, uint64_t id);

typedef struct griffin_statistics {
  size_t struct_size;
  int64_t waiting;  ///< requests
  int64_t running;  ///< texts
  uint64_t passes;
  uint64_t rows;      ///< tokens of those passes
  int64_t most_rows;  ///< of one pass
  uint64_t draft_passes;
  uint64_t draft_rows;
  int64_t cache_entries;
  uint64_t cache_bytes;
  uint64_t cache_hits;
  uint64_t cache_misses;
  uint64_t cache_evictions;
} griffin_statistics;

GRIFFIN_C_API griffin_status griffin_scheduler_get_statistics(const griffin_scheduler* scheduler,
                                                              griffin_statistics* statistics,
                                                              griffin_error* error);

GRIFFIN_C_END
