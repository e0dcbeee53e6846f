/* SPDX-License-Identifier: Apache-2.0 */
/* threads MODEL_FOLDER: eight threads use one model, one tokenizer and one scheduler. */
#include <pthread.h>

#include "check.h"

enum { users = 8, rounds = 6 };

typedef struct shared {
  griffin_model* model;
  griffin_tokenizer* tokenizer;
  griffin_scheduler* scheduler;
} shared;

typedef struct user {
  pthread_t thread;
  const shared* all;
  size_t number;
} user;

static griffin_generate_options options_of(const shared* all, size_t seed) {
  griffin_generate_options options = {.struct_size = sizeof(options), .max_new_tokens = 8};
  options.temperature = 0.8F;
  options.seed = seed;
  options.logprobs = 2;
  options.tokenizer = all->tokenizer;
  return options;
}

static griffin_result* alone(const shared* all, const int32_t* ids, size_t count, size_t seed) {
  const griffin_generate_options options = options_of(all, seed);
  const griffin_generator_options one = {.struct_size = sizeof(one), .threads = 1};
  griffin_generator* generator = NULL;
  griffin_sequence* sequence = NULL;
  griffin_result* result = NULL;
  OK(griffin_generator_new(all->model, &one, &generator, &error));
  OK(griffin_sequence_new(all->model, NULL, &sequence, &error));
  OK(griffin_generate(generator, sequence, ids, count, &options, &result, &error));
  griffin_sequence_free(sequence);
  griffin_generator_free(generator);
  return result;
}

/* Polls until the text is over; other threads' events go by, too. */
static griffin_result* wait_for(const shared* all, uint64_t id) {
  for (;;) {
    griffin_event event = {.struct_size = sizeof(event)};
    griffin_result* result = NULL;
    if (griffin_scheduler_take_result(all->scheduler, id, 0, &result, NULL) == GRIFFIN_OK) {
      return result;
    }
    (void)griffin_scheduler_wait_event(all->scheduler, 1, NULL);
    (void)griffin_scheduler_next_event(all->scheduler, &event, NULL);
  }
}

static void* use(void* argument) {
  const user* me = argument;
  const shared* all = me->all;
  int32_t* ids = malloc(most_tokens * sizeof(int32_t));
  CHECK(ids != NULL);
  const size_t count = ids_of(all->model, all->tokenizer, "In the beginning God created", ids);
  for (size_t round = 0; round < rounds; ++round) {
    const griffin_generate_options options = options_of(all, me->number * rounds + round);
    const griffin_request request = {.struct_size = sizeof(request),
                                     .prompt = ids,
                                     .prompt_count = count - me->number % 3,
                                     .options = &options,
                                     .cache_key = me->number % 2};
    uint64_t id = 0, other = 0;
    int32_t was = 0;
    OK(griffin_scheduler_submit(all->scheduler, &request, &id, &error));
    OK(griffin_scheduler_submit(all->scheduler, &request, &other, &error));
    OK(griffin_scheduler_cancel(all->scheduler, other, &was, &error));
    griffin_scheduler_forget(all->scheduler, other);
    griffin_statistics statistics = {.struct_size = sizeof(statistics)};
    OK(griffin_scheduler_get_statistics(all->scheduler, &statistics, &error));
    griffin_result* found = wait_for(all, id);
    griffin_result* expected = alone(all, ids, request.prompt_count, options.seed);
    CHECK(same_tokens(found, expected));
    griffin_result_free(found);
    griffin_result_free(expected);
  }
  free(ids);
  return NULL;
}

int main(int argc, char** argv) {
  CHECK(argc >= 2);
  shared all = {0};
  OK(griffin_model_load(argv[1], NULL, &all.model, &error));
  OK(griffin_tokenizer_load(argv[1], all.model, &all.tokenizer, &error));
  const griffin_scheduler_options options = {.struct_size = sizeof(options),
                                             .threads = 2,
                                             .max_sequences = 4,
                                             .prefix_cache_bytes = 1 << 20};
  OK(griffin_scheduler_new(all.model, &options, &all.scheduler, &error));
  OK(griffin_scheduler_start(all.scheduler, &error));
  user threads[users];
  for (size_t i = 0; i < users; ++i) {
    threads[i] = (user){.all = &all, .number = i};
    CHECK(pthread_create(&threads[i].thread, NULL, use, &threads[i]) == 0);
  }
  for (size_t i = 0; i < users; ++i) CHECK(pthread_join(threads[i].thread, NULL) == 0);
  griffin_scheduler_free(all.scheduler); /* which stops it */
  griffin_tokenizer_free(all.tokenizer);
  griffin_model_free(all.model);
  puts("threads: ok");
  return 0;
}
