/* SPDX-License-Identifier: Apache-2.0 */
/* texts MODEL_FOLDER TEMPORARY_FOLDER: passes, sequences and single texts through the C API. */
#include <math.h>

#include "check.h"

static const char psalm[] = "The LORD is my shepherd; I shall not want.";

typedef struct setup {
  griffin_model* model;
  griffin_tokenizer* tokenizer;
  int32_t ids[most_tokens]; /* of the psalm, BOS first */
  size_t count;
  size_t vocab;
} setup;

static griffin_sequence* new_sequence(const griffin_model* model) {
  griffin_sequence* sequence = NULL;
  OK(griffin_sequence_new(model, NULL, &sequence, &error));
  return sequence;
}

static griffin_result* generate(const setup* s, griffin_sequence* sequence, const int32_t* ids,
                                size_t count, const griffin_generate_options* options) {
  griffin_generator* generator = NULL;
  griffin_result* result = NULL;
  OK(griffin_generator_new(s->model, NULL, &generator, &error));
  OK(griffin_generate(generator, sequence, ids, count, options, &result, &error));
  griffin_generator_free(generator); /* results do not need it */
  return result;
}

/* Logits of the psalm by a pass of so many rows at once, [count, vocab]. */
static float* logits_of(const setup* s, const griffin_pass_options* options) {
  griffin_pass* pass = NULL;
  OK(griffin_pass_new(s->model, options, &pass, &error));
  griffin_sequence* sequence = new_sequence(s->model);
  float* logits = malloc(s->count * s->vocab * sizeof(float));
  CHECK(logits != NULL);
  size_t rows = 0;
  OK(griffin_pass_run(pass, sequence, s->ids, s->count, GRIFFIN_LOGITS_ALL, logits, s->count, &rows,
                      &error));
  CHECK(rows == s->count && griffin_sequence_position(sequence) == (int64_t)s->count);
  griffin_sequence_free(sequence);
  griffin_pass_free(pass);
  return logits;
}

static void check_passes(const setup* s) {
  float* whole = logits_of(s, NULL);
  for (int64_t rows = 1; rows < 6; rows += 2) {
    const griffin_pass_options options = {sizeof(options), 1, rows, rows > 2 ? 2 : 1};
    float* parts = logits_of(s, &options);
    CHECK(memcmp(whole, parts, s->count * s->vocab * sizeof(float)) == 0);
    free(parts);
  }

  griffin_pass* pass = NULL;
  OK(griffin_pass_new(s->model, NULL, &pass, &error));
  griffin_sequence* sequence = new_sequence(s->model);
  float* last = malloc(s->vocab * sizeof(float));
  size_t rows = 9;
  CHECK(last != NULL);
  OK(griffin_pass_run(pass, sequence, s->ids, s->count - 1, GRIFFIN_LOGITS_NONE, NULL, 0, &rows,
                      &error));
  CHECK(rows == 0);
  OK(griffin_pass_run(pass, sequence, s->ids + s->count - 1, 1, GRIFFIN_LOGITS_LAST, last, 1, &rows,
                      &error));
  CHECK(rows == 1);
  CHECK(memcmp(last, whole + (s->count - 1) * s->vocab, s->vocab * sizeof(float)) == 0);

  /* What is refused leaves the sequence alone. */
  const int32_t bad[] = {3, (int32_t)s->vocab};
  const int64_t before = griffin_sequence_position(sequence);
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_run(pass, sequence, bad, 2, GRIFFIN_LOGITS_LAST, last, 1, NULL, &error));
  STATUS(GRIFFIN_CAPACITY,
         griffin_pass_run(pass, sequence, s->ids, 2, GRIFFIN_LOGITS_ALL, last, 1, &rows, &error));
  CHECK(rows == 2);
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_run(pass, sequence, s->ids, 0, GRIFFIN_LOGITS_NONE, NULL, 0, NULL, &error));
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_run(pass, sequence, s->ids, 1, 3, last, 1, NULL, &error));
  CHECK(griffin_sequence_position(sequence) == before);
  griffin_sequence_free(sequence);
  griffin_pass_free(pass);
  free(last);
  free(whole);
}

static void check_capacity(const setup* s) {
  const griffin_sequence_options options = {.struct_size = sizeof(options), .capacity = 5};
  griffin_sequence* sequence = NULL;
  griffin_pass* pass = NULL;
  OK(griffin_sequence_new(s->model, &options, &sequence, &error));
  OK(griffin_pass_new(s->model, &(griffin_pass_options){sizeof(griffin_pass_options), 1, 2, 1},
                      &pass, &error));
  STATUS(GRIFFIN_CAPACITY,
         griffin_pass_run(pass, sequence, s->ids, 6, GRIFFIN_LOGITS_NONE, NULL, 0, NULL, &error));
  CHECK(griffin_sequence_position(sequence) == 0);
  OK(griffin_pass_run(pass, sequence, s->ids, 5, GRIFFIN_LOGITS_NONE, NULL, 0, NULL, &error));
  CHECK(griffin_sequence_position(sequence) == 5);
  griffin_pass_free(pass);
  griffin_sequence_free(sequence);
}

/* Log-probabilities of a text are those of its logits. */
static void check_logprobs(const setup* s) {
  const griffin_generate_options options = {.struct_size = sizeof(options),
                                            .max_new_tokens = 12,
                                            .logprobs = 1 + 3,
                                            .prompt_logprobs = 1 + 2};
  griffin_sequence* sequence = new_sequence(s->model);
  griffin_result* result = generate(s, sequence, s->ids, s->count, &options);
  size_t tokens = 0, count = 0;
  const int32_t* ids = griffin_result_tokens(result, &tokens);
  const float* logprobs = griffin_result_logprobs(result, &count);
  CHECK(tokens == 12 && count == 12);
  const griffin_token_logprob* top = griffin_result_top_logprobs(result, &count);
  CHECK(count == 36 && top[0].id == ids[0] && top[0].logprob == logprobs[0]);
  CHECK(top[0].logprob >= top[1].logprob && top[1].logprob >= top[2].logprob);

  float* logits = logits_of(s, NULL);
  float of_prompt[most_tokens];
  griffin_pass* pass = NULL;
  OK(griffin_pass_new(s->model, NULL, &pass, &error));
  OK(griffin_pass_logprobs(pass, logits, s->count - 1, s->ids + 1, of_prompt, &error));
  const float* prompt = griffin_result_prompt_logprobs(result, &count);
  CHECK(count == s->count - 1 && memcmp(prompt, of_prompt, count * sizeof(float)) == 0);
  top = griffin_result_prompt_top_logprobs(result, &count);
  CHECK(count == 2 * (s->count - 1) && top[0].logprob >= top[1].logprob);
  OK(griffin_pass_logprobs(pass, logits + (s->count - 1) * s->vocab, 1, ids, of_prompt, &error));
  CHECK(of_prompt[0] == logprobs[0]);
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_logprobs(pass, logits, SIZE_MAX / 4, s->ids, of_prompt, &error));
  const int32_t outside = -1;
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_logprobs(pass, logits, 1, &outside, of_prompt, &error));
  griffin_pass_free(pass);
  free(logits);
  griffin_result_free(result);
  griffin_sequence_free(sequence);
}

static void forbid(float* logits, int64_t vocab, void* user) {
  const int32_t* id = user;
  CHECK(*id < vocab);
  logits[*id] = -INFINITY;
}

static void check_options(const setup* s) {
  const griffin_text stop = {"refuge", 6};
  griffin_generate_options options = {.struct_size = sizeof(options), .tokenizer = s->tokenizer};
  griffin_sequence* sequence = new_sequence(s->model);
  griffin_result* plain = generate(s, sequence, s->ids, s->count, &options);
  size_t count = 0;
  const int32_t first = griffin_result_tokens(plain, &count)[0];
  size_t size = 0;
  CHECK(strlen(griffin_result_text(plain, &size)) == size && count > 10 && size > count);
  CHECK(info_of(plain).reason == GRIFFIN_STOP_LENGTH ? count == 128 : info_of(plain).stop_id == 1);
  CHECK(isnan(info_of(plain).mean_logprob) && griffin_result_error(plain, NULL) == GRIFFIN_OK);

  options.stop_strings = &stop;
  options.stop_string_count = 1;
  options.max_new_tokens = GRIFFIN_NO_TOKENS;
  griffin_sequence_reset(sequence);
  griffin_result* none = generate(s, sequence, s->ids, s->count, &options);
  CHECK(griffin_result_tokens(none, &count) == NULL || count == 0);
  CHECK(count == 0 && griffin_sequence_position(sequence) == (int64_t)s->count);
  griffin_result_free(none);

  options.max_new_tokens = 8;
  options.stop_ids = &first;
  options.stop_id_count = 1;
  griffin_sequence_reset(sequence);
  griffin_result* stopped = generate(s, sequence, s->ids, s->count, &options);
  CHECK(info_of(stopped).reason == GRIFFIN_STOP_ID && info_of(stopped).stop_id == first);
  CHECK(strcmp(griffin_stop_reason_name(info_of(stopped).reason), "stop id") == 0);
  griffin_result_free(stopped);

  const griffin_logit_bias bias = {first, -INFINITY};
  options.stop_ids = NULL;
  options.stop_id_count = 0;
  options.logit_bias = &bias;
  options.logit_bias_count = 1;
  griffin_sequence_reset(sequence);
  griffin_result* biased = generate(s, sequence, s->ids, s->count, &options);
  options.logit_bias_count = 0;
  options.on_logits = forbid;
  options.on_logits_user = (void*)&first;
  griffin_sequence_reset(sequence);
  griffin_result* forbidden = generate(s, sequence, s->ids, s->count, &options);
  CHECK(same_tokens(biased, forbidden) && !same_tokens(biased, plain));
  griffin_result_free(biased);
  griffin_result_free(forbidden);
  griffin_result_free(plain);
  griffin_sequence_free(sequence);
}

static void check_refusals(const setup* s) {
  const griffin_generate_options bad[] = {
      {.struct_size = sizeof(bad[0]), .max_new_tokens = -3},
      {.struct_size = sizeof(bad[0]), .temperature = -1},
      {.struct_size = sizeof(bad[0]), .top_p = 2},
      {.struct_size = sizeof(bad[0]), .logprobs = -1},
      {.struct_size = sizeof(bad[0]), .logprobs = (int32_t)s->vocab + 2},
      {.struct_size = sizeof(bad[0]), .penalty_last_n = -2},
      {.struct_size = sizeof(bad[0]), .no_model_stop_ids = 2},
      {.struct_size = sizeof(bad[0]), .stop_id_count = 1},
      {.struct_size = sizeof(bad[0]), .logit_bias_count = 1},
      {.struct_size = sizeof(bad[0]), .seen_count = 1},
      {.struct_size = sizeof(bad[0]), .stop_string_count = 1},
  };
  griffin_generator* generator = NULL;
  griffin_result* result = NULL;
  griffin_sequence* sequence = new_sequence(s->model);
  OK(griffin_generator_new(s->model, NULL, &generator, &error));
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
    STATUS(GRIFFIN_INVALID_ARGUMENT,
           griffin_generate(generator, sequence, s->ids, s->count, &bad[i], &result, &error));
    CHECK(result == NULL && griffin_sequence_position(sequence) == 0);
  }
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_generate(generator, sequence, s->ids, 0, NULL, &result, &error));
  griffin_generator_free(generator);
  griffin_sequence_free(sequence);
}

/* A generator with guesses gives the same text as one without. */
static void check_guesses(const setup* s) {
  griffin_generator* plain = NULL;
  griffin_generator* guessing = NULL;
  griffin_model* draft = NULL;
  OK(griffin_model_share(s->model, &draft, &error));
  const griffin_generator_options options = {.struct_size = sizeof(options),
                                             .threads = 1,
                                             .chunk = 7,
                                             .lookup = 3,
                                             .draft = draft,
                                             .draft_most = 4,
                                             .always_guess = 1};
  OK(griffin_generator_new(s->model, NULL, &plain, &error));
  OK(griffin_generator_new(s->model, &options, &guessing, &error));
  griffin_model_free(draft);
  griffin_sequence* a = new_sequence(s->model);
  griffin_sequence* b = new_sequence(s->model);
  griffin_result* of_a = NULL;
  griffin_result* of_b = NULL;
  OK(griffin_generate(plain, a, s->ids, s->count, NULL, &of_a, &error));
  OK(griffin_generate(guessing, b, s->ids, s->count, NULL, &of_b, &error));
  CHECK(same_tokens(of_a, of_b));
  CHECK(info_of(of_a).guessed == 0 && info_of(of_b).accepted > 20);
  CHECK(info_of(of_b).accepted <= info_of(of_b).guessed && info_of(of_b).draft_passes > 0);
  CHECK(info_of(of_b).decode_passes < info_of(of_a).decode_passes / 2);
  griffin_result_free(of_a);
  griffin_result_free(of_b);
  griffin_sequence_free(a);
  griffin_sequence_free(b);
  griffin_generator_free(plain);
  griffin_generator_free(guessing);
}

/* However a state gets to a new sequence, the text goes on the same. */
static void check_states(const setup* s, const char* folder) {
  char file[4096];
  snprintf(file, sizeof(file), "%s/state", folder);
  griffin_sequence* sequence = new_sequence(s->model);
  const griffin_generate_options few = {.struct_size = sizeof(few), .max_new_tokens = 5};
  griffin_result* begun = generate(s, sequence, s->ids, s->count, &few);
  size_t tokens = 0, count = 0, needed = 0;
  const int32_t* ids = griffin_result_tokens(begun, &tokens);
  CHECK(tokens == 5 && info_of(begun).fed_back == 4);
  const int32_t* unread = ids + info_of(begun).fed_back;
  OK(griffin_sequence_save(sequence, file, unread, 1, &error));
  int64_t position = 0;
  OK(griffin_sequence_saved_position(file, &position, &error));
  CHECK(position == griffin_sequence_position(sequence));
  STATUS(GRIFFIN_CAPACITY, griffin_sequence_write(sequence, unread, 1, NULL, 0, &needed, &error));
  char* bytes = malloc(needed);
  CHECK(bytes != NULL && needed > griffin_sequence_used_bytes(sequence));
  CHECK(griffin_sequence_used_bytes(sequence) <= griffin_sequence_bytes(sequence));
  OK(griffin_sequence_write(sequence, unread, 1, bytes, needed, &count, &error));
  CHECK(count == needed);

  griffin_sequence* others[4];
  griffin_snapshot* snapshot = NULL;
  OK(griffin_sequence_snapshot(sequence, &snapshot, &error));
  CHECK(griffin_snapshot_position(snapshot) == position && griffin_snapshot_bytes(snapshot) > 0);
  OK(griffin_sequence_fork(sequence, &others[0], &error));
  for (int i = 1; i < 4; ++i) others[i] = new_sequence(s->model);
  OK(griffin_sequence_rollback(others[1], snapshot, &error));
  OK(griffin_sequence_restore(others[2], file, &error));
  OK(griffin_sequence_read(others[3], bytes, needed, &error));
  for (int i = 2; i < 4; ++i) {
    const int32_t* kept = griffin_sequence_unread(others[i], &count);
    CHECK(count == 1 && kept[0] == unread[0]);
  }

  griffin_sequence* copy = new_sequence(s->model);
  OK(griffin_sequence_copy(copy, others[3], &error));
  CHECK(griffin_sequence_unread(copy, &count)[0] == unread[0] && count == 1);
  griffin_sequence_reset(copy);
  CHECK(griffin_sequence_position(copy) == 0);
  (void)griffin_sequence_unread(copy, &count);
  CHECK(count == 0);
  griffin_sequence_free(copy);

  griffin_result* expected = generate(s, sequence, unread, 1, NULL);
  for (int i = 0; i < 4; ++i) {
    griffin_result* found = generate(s, others[i], unread, 1, NULL);
    CHECK(same_tokens(expected, found));
    (void)griffin_sequence_unread(others[i], &count);
    CHECK(count == 0);
    griffin_result_free(found);
  }

  bytes[needed / 2] ^= 1;
  const int64_t before = griffin_sequence_position(sequence);
  STATUS(GRIFFIN_FORMAT, griffin_sequence_read(sequence, bytes, needed, &error));
  STATUS(GRIFFIN_FORMAT, griffin_sequence_read(sequence, bytes, 7, &error));
  STATUS(GRIFFIN_FORMAT, griffin_sequence_read(sequence, NULL, 0, &error));
  STATUS(GRIFFIN_IO, griffin_sequence_restore(sequence, "/nowhere/state", &error));
  STATUS(GRIFFIN_IO, griffin_sequence_save(sequence, "/nowhere/state", NULL, 0, &error));
  CHECK(griffin_sequence_position(sequence) == before);
  griffin_result_free(expected);
  griffin_result_free(begun);
  for (int i = 0; i < 4; ++i) griffin_sequence_free(others[i]);
  griffin_snapshot_free(snapshot);
  griffin_sequence_free(sequence);
  free(bytes);
}

static void check_other_models(const setup* s) {
  griffin_model* other = NULL;
  OK(griffin_model_random("hawk-100m", GRIFFIN_INT4, 3, &other, &error));
  griffin_sequence* mine = new_sequence(s->model);
  griffin_sequence* foreign = new_sequence(other);
  griffin_pass* pass = NULL;
  OK(griffin_pass_new(s->model, NULL, &pass, &error));
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_pass_run(pass, foreign, s->ids, 1, GRIFFIN_LOGITS_NONE, NULL, 0, NULL, &error));
  STATUS(GRIFFIN_MISMATCH, griffin_sequence_copy(mine, foreign, &error));
  griffin_snapshot* snapshot = NULL;
  OK(griffin_sequence_snapshot(foreign, &snapshot, &error));
  STATUS(GRIFFIN_MISMATCH, griffin_sequence_rollback(mine, snapshot, &error));
  griffin_generator* generator = NULL;
  const griffin_generator_options draft = {.struct_size = sizeof(draft), .draft = other};
  STATUS(GRIFFIN_MISMATCH, griffin_generator_new(s->model, &draft, &generator, &error));
  CHECK(generator == NULL);
  griffin_snapshot_free(snapshot);
  griffin_pass_free(pass);
  griffin_sequence_free(mine);
  griffin_sequence_free(foreign);
  griffin_model_free(other);
}

int main(int argc, char** argv) {
  CHECK(argc == 3);
  setup s = {0};
  OK(griffin_model_load(argv[1], NULL, &s.model, &error));
  OK(griffin_tokenizer_load(argv[1], s.model, &s.tokenizer, &error));
  griffin_model_info info = {.struct_size = sizeof(info)};
  OK(griffin_model_get_info(s.model, &info, &error));
  s.vocab = (size_t)info.vocab;
  s.count = ids_of(s.model, s.tokenizer, psalm, s.ids);
  check_passes(&s);
  check_capacity(&s);
  check_logprobs(&s);
  check_options(&s);
  check_refusals(&s);
  check_guesses(&s);
  check_states(&s, argv[2]);
  check_other_models(&s);
  griffin_tokenizer_free(s.tokenizer);
  griffin_model_free(s.model);
  puts("texts: ok");
  return 0;
}
