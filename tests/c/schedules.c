/* SPDX-License-Identifier: Apache-2.0 */
/* schedules MODEL_FOLDER: many texts at once through the C API, stepped and served. */
#include <math.h>

#include "check.h"

enum { most_texts = 16 };

typedef struct setup {
  griffin_model* model;
  griffin_tokenizer* tokenizer;
  int32_t ids[most_tokens];
  size_t count;
} setup;

/* What the events of a text said. */
typedef struct heard {
  int32_t tokens[256];
  float logprobs[256];
  char text[4096];
  size_t token_count, text_size, ends;
  int64_t read;
} heard;

static void hear(heard* of, const griffin_event* event) {
  CHECK(of->ends == 0); /* nothing comes after the end */
  switch (event->kind) {
    case GRIFFIN_EVENT_PREFILL:
      CHECK(event->done > of->read && event->done <= event->total && of->token_count == 0);
      of->read = event->done;
      break;
    case GRIFFIN_EVENT_TOKEN:
      of->logprobs[of->token_count] = event->logprob;
      of->tokens[of->token_count++] = event->id;
      break;
    case GRIFFIN_EVENT_TEXT:
      CHECK(event->text.data[event->text.size] == '\0');
      memcpy(of->text + of->text_size, event->text.data, event->text.size);
      of->text_size += event->text.size;
      break;
    default:
      CHECK(event->kind == GRIFFIN_EVENT_DONE);
      ++of->ends;
  }
}

static void check_heard(const heard* of, const griffin_result* result) {
  size_t count = 0;
  const int32_t* tokens = griffin_result_tokens(result, &count);
  CHECK(of->ends == 1 && count == of->token_count);
  CHECK(memcmp(tokens, of->tokens, count * sizeof(int32_t)) == 0);
  size_t size = 0;
  const char* text = griffin_result_text(result, &size);
  CHECK(size == of->text_size && memcmp(text, of->text, size) == 0);
  const float* logprobs = griffin_result_logprobs(result, &count);
  if (count > 0) CHECK(memcmp(logprobs, of->logprobs, count * sizeof(float)) == 0);
  if (count == 0 && of->token_count > 0) CHECK(isnan(of->logprobs[0]));
}

static griffin_scheduler* new_scheduler(const setup* s, const griffin_scheduler_options* options) {
  griffin_scheduler* scheduler = NULL;
  OK(griffin_scheduler_new(s->model, options, &scheduler, &error));
  return scheduler;
}

static griffin_result* taken(griffin_scheduler* scheduler, uint64_t id, int64_t candidate) {
  griffin_result* result = NULL;
  OK(griffin_scheduler_take_result(scheduler, id, candidate, &result, &error));
  return result;
}

static griffin_result* alone(const setup* s, size_t prompt,
                             const griffin_generate_options* options) {
  griffin_generator* generator = NULL;
  griffin_sequence* sequence = NULL;
  griffin_result* result = NULL;
  OK(griffin_generator_new(s->model, NULL, &generator, &error));
  OK(griffin_sequence_new(s->model, NULL, &sequence, &error));
  OK(griffin_generate(generator, sequence, s->ids, prompt, options, &result, &error));
  griffin_sequence_free(sequence);
  griffin_generator_free(generator);
  return result;
}

static griffin_statistics statistics_of(const griffin_scheduler* scheduler) {
  griffin_statistics statistics = {.struct_size = sizeof(statistics)};
  OK(griffin_scheduler_get_statistics(scheduler, &statistics, &error));
  return statistics;
}

static int fetch(griffin_scheduler* scheduler, griffin_event* event) {
  event->struct_size = sizeof(*event);
  const griffin_status status = griffin_scheduler_next_event(scheduler, event, NULL);
  CHECK(status == GRIFFIN_OK || status == GRIFFIN_NO_EVENT);
  return status == GRIFFIN_OK;
}

static griffin_generate_options options_of(const setup* s, size_t text) {
  griffin_generate_options options = {.struct_size = sizeof(options), .max_new_tokens = 20};
  options.tokenizer = s->tokenizer;
  options.temperature = text % 2 == 0 ? 0.0F : 0.9F;
  options.seed = text;
  options.logprobs = text % 3 == 0 ? 1 : 0;
  return options;
}

/* Every text is the text alone, and its events tell it in its order. */
static void check_many(const setup* s, int serve) {
  griffin_scheduler_options how = {.struct_size = sizeof(how), .max_sequences = 5, .threads = 2};
  how.max_tokens_per_pass = 16;
  griffin_scheduler* scheduler = new_scheduler(s, &how);
  heard* all = calloc(most_texts, sizeof(heard));
  uint64_t ids[most_texts];
  CHECK(all != NULL);
  if (serve) OK(griffin_scheduler_start(scheduler, &error));
  if (serve) STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_scheduler_start(scheduler, &error));
  for (size_t i = 0; i < most_texts; ++i) {
    const griffin_generate_options options = options_of(s, i);
    const griffin_request request = {.struct_size = sizeof(request),
                                     .prompt = s->ids,
                                     .prompt_count = 3 + i,
                                     .options = &options};
    OK(griffin_scheduler_submit(scheduler, &request, &ids[i], &error));
  }
  griffin_event event;
  int32_t more = 1;
  for (size_t over = 0; over < most_texts;) {
    if (serve) OK(griffin_scheduler_wait_event(scheduler, -1, &error));
    if (!serve) OK(griffin_scheduler_step(scheduler, &more, &error));
    while (fetch(scheduler, &event)) {
      size_t text = 0;
      while (ids[text] != event.request) ++text;
      CHECK(event.candidate == 0);
      hear(&all[text], &event);
      over += event.kind == GRIFFIN_EVENT_DONE;
    }
  }
  for (size_t i = 0; i < most_texts; ++i) {
    const griffin_generate_options options = options_of(s, i);
    griffin_result* found = taken(scheduler, ids[i], 0);
    griffin_result* expected = alone(s, 3 + i, &options);
    CHECK(same_tokens(found, expected) && all[i].read == (int64_t)(3 + i));
    check_heard(&all[i], found);
    griffin_result_free(found);
    griffin_result_free(expected);
    STATUS(GRIFFIN_INVALID_ARGUMENT,
           griffin_scheduler_take_result(scheduler, ids[i], 0, &found, &error));
    CHECK(found == NULL);
  }
  if (!serve) CHECK(more == 0 || griffin_scheduler_step(scheduler, &more, NULL) == GRIFFIN_OK);
  STATUS(GRIFFIN_NO_EVENT, griffin_scheduler_wait_event(scheduler, 0, &error));
  griffin_scheduler_stop(scheduler);
  griffin_scheduler_stop(scheduler);
  CHECK(statistics_of(scheduler).running == 0 && statistics_of(scheduler).waiting == 0);
  CHECK(statistics_of(scheduler).most_rows <= 16 && statistics_of(scheduler).passes > 20);
  griffin_scheduler_free(scheduler);
  free(all);
}

static void run(griffin_scheduler* scheduler) {
  for (int32_t more = 1; more != 0;) OK(griffin_scheduler_step(scheduler, &more, &error));
}

/* Candidates draw from seeds of their own; what they remember goes on elsewhere. */
static void check_candidates(const setup* s) {
  griffin_scheduler* scheduler = new_scheduler(s, NULL);
  griffin_generate_options options = {.struct_size = sizeof(options), .max_new_tokens = 9};
  options.temperature = 1;
  options.seed = 40;
  const griffin_request request = {.struct_size = sizeof(request),
                                   .prompt = s->ids,
                                   .prompt_count = s->count,
                                   .options = &options,
                                   .candidates = 3,
                                   .events = GRIFFIN_WANT_NONE,
                                   .keep_snapshots = 1};
  uint64_t id = 0;
  OK(griffin_scheduler_submit(scheduler, &request, &id, &error));
  run(scheduler);
  griffin_event event;
  for (int ends = 0; ends < 3; ++ends) CHECK(fetch(scheduler, &event) && event.kind == 3);
  CHECK(!fetch(scheduler, &event));
  for (int64_t i = 0; i < 3; ++i) {
    options.seed = 40 + (uint64_t)i;
    griffin_result* found = taken(scheduler, id, i);
    griffin_result* expected = alone(s, s->count, &options);
    CHECK(same_tokens(found, expected) && info_of(found).candidate == i);
    griffin_result_free(expected);

    griffin_snapshot* snapshot = NULL;
    griffin_sequence* sequence = NULL;
    OK(griffin_scheduler_take_snapshot(scheduler, id, i, &snapshot, &error));
    OK(griffin_sequence_new(s->model, NULL, &sequence, &error));
    OK(griffin_sequence_rollback(sequence, snapshot, &error));
    CHECK(griffin_sequence_position(sequence) == (int64_t)s->count + info_of(found).fed_back);
    griffin_sequence_free(sequence);
    griffin_snapshot_free(snapshot);
    griffin_result_free(found);
    STATUS(GRIFFIN_INVALID_ARGUMENT,
           griffin_scheduler_take_snapshot(scheduler, id, i, &snapshot, &error));
  }
  griffin_scheduler_free(scheduler);
}

/* A text that goes on from where another one ended is one text with it. */
static void check_going_on(const setup* s) {
  griffin_scheduler* scheduler = new_scheduler(s, NULL);
  griffin_generate_options options = {.struct_size = sizeof(options), .max_new_tokens = 6};
  griffin_request request = {.struct_size = sizeof(request),
                             .prompt = s->ids,
                             .prompt_count = s->count,
                             .options = &options,
                             .keep_snapshots = 1};
  uint64_t first = 0, second = 0;
  size_t count = 0;
  griffin_snapshot* snapshot = NULL;
  OK(griffin_scheduler_submit(scheduler, &request, &first, &error));
  run(scheduler);
  OK(griffin_scheduler_take_snapshot(scheduler, first, 0, &snapshot, &error));
  griffin_result* begun = taken(scheduler, first, 0);
  const int32_t* tokens = griffin_result_tokens(begun, &count);
  request.prompt = tokens + 5;
  request.prompt_count = 1;
  request.start = snapshot;
  request.keep_snapshots = 0;
  OK(griffin_scheduler_submit(scheduler, &request, &second, &error));
  griffin_snapshot_free(snapshot); /* the request has it */
  run(scheduler);
  griffin_result* gone_on = taken(scheduler, second, 0);
  options.max_new_tokens = 12;
  griffin_result* whole = alone(s, s->count, &options);
  CHECK(memcmp(griffin_result_tokens(whole, &count) + 6, griffin_result_tokens(gone_on, NULL),
               6 * sizeof(int32_t)) == 0);
  CHECK(count == 12);
  griffin_result_free(whole);
  griffin_result_free(gone_on);
  griffin_result_free(begun);
  griffin_scheduler_free(scheduler);
}

static void check_cancelling(const setup* s) {
  griffin_scheduler_options how = {.struct_size = sizeof(how), .max_sequences = 1};
  griffin_scheduler* scheduler = new_scheduler(s, &how);
  const griffin_generate_options options = {
      .struct_size = sizeof(options), .max_new_tokens = GRIFFIN_UNLIMITED, .no_model_stop_ids = 1};
  const griffin_request request = {.struct_size = sizeof(request),
                                   .prompt = s->ids,
                                   .prompt_count = s->count,
                                   .options = &options,
                                   .keep_snapshots = 1};
  uint64_t ids[3];
  int32_t was = -1;
  for (int i = 0; i < 3; ++i) OK(griffin_scheduler_submit(scheduler, &request, &ids[i], &error));
  for (int i = 0; i < 4; ++i) OK(griffin_scheduler_step(scheduler, NULL, &error));
  CHECK(statistics_of(scheduler).running == 1 && statistics_of(scheduler).waiting == 2);
  OK(griffin_scheduler_cancel(scheduler, ids[0], &was, &error));
  CHECK(was == 1);
  OK(griffin_scheduler_cancel(scheduler, ids[1], NULL, &error));
  griffin_scheduler_forget(scheduler, ids[2]); /* it runs on, and nobody hears of it */
  OK(griffin_scheduler_step(scheduler, NULL, &error));
  griffin_result* begun = taken(scheduler, ids[0], 0);
  griffin_result* waited = taken(scheduler, ids[1], 0);
  size_t count = 0;
  (void)griffin_result_tokens(begun, &count);
  CHECK(info_of(begun).reason == GRIFFIN_STOP_CANCELLED && count > 0);
  (void)griffin_result_tokens(waited, &count);
  CHECK(info_of(waited).reason == GRIFFIN_STOP_CANCELLED && count == 0);
  griffin_snapshot* snapshot = NULL;
  OK(griffin_scheduler_take_snapshot(scheduler, ids[0], 0, &snapshot, &error));
  griffin_snapshot_free(snapshot);
  STATUS(GRIFFIN_INVALID_ARGUMENT, /* it never began */
         griffin_scheduler_take_snapshot(scheduler, ids[1], 0, &snapshot, &error));
  OK(griffin_scheduler_cancel(scheduler, ids[0], &was, &error));
  CHECK(was == 0);
  OK(griffin_scheduler_cancel(scheduler, 99, &was, &error));
  CHECK(was == 0);
  for (int i = 0; i < 3; ++i) OK(griffin_scheduler_step(scheduler, NULL, &error));
  griffin_event event;
  while (fetch(scheduler, &event)) CHECK(event.request != ids[2]);
  OK(griffin_scheduler_cancel(scheduler, ids[2], &was, &error));
  CHECK(was == 1);
  run(scheduler);
  CHECK(!fetch(scheduler, &event));
  griffin_result_free(begun);
  griffin_result_free(waited);
  OK(griffin_scheduler_submit(scheduler, &request, &ids[0], &error));
  griffin_scheduler_free(scheduler); /* with a text that is not over */
}

static void check_cache(const setup* s) {
  griffin_scheduler_options how = {.struct_size = sizeof(how), .prefix_cache_bytes = 1 << 24};
  griffin_scheduler* scheduler = new_scheduler(s, &how);
  const griffin_generate_options options = {.struct_size = sizeof(options), .max_new_tokens = 2};
  griffin_request request = {.struct_size = sizeof(request),
                             .prompt = s->ids,
                             .prompt_count = s->count,
                             .options = &options};
  const uint64_t keys[] = {7, 7, 8};
  for (int i = 0; i < 3; ++i) {
    uint64_t id = 0;
    request.cache_key = keys[i];
    OK(griffin_scheduler_submit(scheduler, &request, &id, &error));
    run(scheduler);
    griffin_result* result = taken(scheduler, id, 0);
    CHECK(info_of(result).reused_tokens == (i == 1 ? (int64_t)s->count : 0));
    griffin_result_free(result);
  }
  const griffin_statistics statistics = statistics_of(scheduler);
  CHECK(statistics.cache_hits == 1 && statistics.cache_misses == 2);
  CHECK(statistics.cache_entries >= 2 && statistics.cache_bytes > 0);
  griffin_scheduler_free(scheduler);
}

static void check_refusals(const setup* s) {
  griffin_scheduler* scheduler = new_scheduler(s, NULL);
  const griffin_generate_options fine = {.struct_size = sizeof(fine)};
  const griffin_request good = {
      .struct_size = sizeof(good), .prompt = s->ids, .prompt_count = 3, .options = &fine};
  griffin_request bad[6];
  for (int i = 0; i < 6; ++i) bad[i] = good;
  bad[0].prompt_count = 0;
  bad[1].candidates = -1;
  bad[2].events = GRIFFIN_WANT_TEXT; /* without a tokenizer */
  bad[3].events = 16;
  bad[4].events = GRIFFIN_WANT_NONE | GRIFFIN_WANT_TOKENS;
  bad[5].keep_snapshots = 2;
  uint64_t id = 77;
  for (int i = 0; i < 6; ++i) {
    STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_scheduler_submit(scheduler, &bad[i], &id, &error));
  }
  bad[0] = good;
  bad[0].candidates = 17; /* of 16 sequences */
  STATUS(GRIFFIN_CAPACITY, griffin_scheduler_submit(scheduler, &bad[0], &id, &error));
  CHECK(id == 77);
  int32_t more = 1;
  OK(griffin_scheduler_step(scheduler, &more, &error));
  CHECK(more == 0);
  STATUS(GRIFFIN_NO_EVENT, griffin_scheduler_wait_event(scheduler, 1, &error));
  griffin_scheduler_free(scheduler);
}

int main(int argc, char** argv) {
  CHECK(argc >= 2);
  setup s = {0};
  OK(griffin_model_load(argv[1], NULL, &s.model, &error));
  OK(griffin_tokenizer_load(argv[1], s.model, &s.tokenizer, &error));
  s.count = ids_of(
      s.model, s.tokenizer,
      "1 The LORD is my shepherd; I shall not want. He maketh me to lie down in green pastures.",
      s.ids);
  CHECK(s.count >= 3 + most_texts);
  check_many(&s, 0);
  check_many(&s, 1);
  check_candidates(&s);
  check_going_on(&s);
  check_cancelling(&s);
  check_cache(&s);
  check_refusals(&s);
  griffin_tokenizer_free(s.tokenizer);
  griffin_model_free(s.model);
  puts("schedules: ok");
  return 0;
}
