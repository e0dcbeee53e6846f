/* SPDX-License-Identifier: Apache-2.0 */
/* models MODEL_FOLDER TEMPORARY_FOLDER: library, models and tokenizers through the C API. */
#include <math.h>

#include "check.h"

static void check_library(void) {
  CHECK(strcmp(griffin_version(), "0.1.0") == 0);
  CHECK(griffin_version_number() == 1000);
  CHECK(griffin_abi() == 0);
  CHECK(strlen(griffin_isa()) > 2);
  CHECK(strcmp(griffin_status_name(GRIFFIN_OK), "ok") == 0);
  CHECK(strcmp(griffin_status_name(GRIFFIN_OUT_OF_MEMORY), "out of memory") == 0);
  CHECK(strcmp(griffin_status_name(GRIFFIN_NO_EVENT), "no event") == 0);
  CHECK(strcmp(griffin_status_name(-1), "unknown status") == 0);
  CHECK(strcmp(griffin_status_name(GRIFFIN_NO_EVENT + 1), "unknown status") == 0);
  CHECK(griffin_sizeof("griffin_load_options") == sizeof(griffin_load_options));
  CHECK(griffin_sizeof("griffin_event") == sizeof(griffin_event));
  CHECK(griffin_sizeof("griffin_model") == 0);
}

typedef struct seen {
  uint64_t calls, done, total, stop_after;
} seen;

static int32_t watch(uint64_t done, uint64_t total, void* user) {
  seen* all = user;
  CHECK(done > all->done && done <= total);
  all->done = done;
  all->total = total;
  return ++all->calls == all->stop_after;
}

static griffin_model_info model_info(const griffin_model* model) {
  griffin_model_info info = {.struct_size = sizeof(info)};
  OK(griffin_model_get_info(model, &info, &error));
  return info;
}

static void check_loading(const char* folder) {
  griffin_model* model = NULL;
  seen all = {0};
  griffin_load_options options = {.struct_size = sizeof(options), .progress = watch};
  options.progress_user = &all;
  OK(griffin_model_load(folder, &options, &model, &error));
  CHECK(all.calls > 10 && all.done == all.total);
  const griffin_model_info info = model_info(model);
  CHECK(info.vocab == 2048 && info.width == 192 && info.depth == 6 && info.window == 64 &&
        info.dtype == GRIFFIN_BF16 && info.bos == 2);
  CHECK(info.needs_capacity == 0 && info.greedy_head == 0 && info.fingerprint != 0);
  CHECK(info.weight_bytes > (uint64_t)info.parameters && info.load_seconds > 0);

  griffin_model* other = NULL;
  OK(griffin_model_share(model, &other, &error));
  griffin_model_free(model);
  CHECK(model_info(other).fingerprint == info.fingerprint);
  size_t count = 0;
  const int32_t* stop_ids = griffin_model_stop_ids(other, &count);
  CHECK(count == 1 && stop_ids[0] == 1);
  griffin_model_free(other);

  all = (seen){.stop_after = 3};
  STATUS(GRIFFIN_CANCELLED, griffin_model_load(folder, &options, &model, &error));
  CHECK(all.calls == 3 && model == NULL);
}

static void check_types(const char* folder) {
  griffin_model* model = NULL;
  griffin_load_options options = {.struct_size = sizeof(options), .weights = GRIFFIN_INT8};
  OK(griffin_model_load(folder, &options, &model, &error));
  const griffin_model_info int8 = model_info(model);
  CHECK(int8.dtype == GRIFFIN_INT8);
  griffin_model_free(model);

  options = (griffin_load_options){.struct_size = sizeof(options), .greedy_head = 1};
  OK(griffin_model_load(folder, &options, &model, &error));
  CHECK(model_info(model).greedy_head == 1 && model_info(model).fingerprint != int8.fingerprint);
  griffin_model_free(model);

  options = (griffin_load_options){.struct_size = sizeof(options), .window = 7};
  options.activations = GRIFFIN_ACTIVATIONS_F32;
  options.access = GRIFFIN_READ;
  OK(griffin_model_load(folder, &options, &model, &error));
  CHECK(model_info(model).window == 7);
  griffin_model_free(model);

  STATUS(GRIFFIN_IO, griffin_model_load("/nowhere", NULL, &model, &error));
  options.access = 2;
  STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_model_load(folder, &options, &model, &error));
  options = (griffin_load_options){.struct_size = sizeof(options), .weights = GRIFFIN_INT4 + 1};
  STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_model_load(folder, &options, &model, &error));
  options = (griffin_load_options){.struct_size = sizeof(options), .activations = -1};
  STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_model_load(folder, &options, &model, &error));
  STATUS(GRIFFIN_INVALID_ARGUMENT, griffin_model_random("gpt", 0, 1, &model, &error));
  CHECK(model == NULL);
}

static void check_quantizing(const char* from, const char* folder) {
  char to[4096];
  snprintf(to, sizeof(to), "%s/int4", folder);
  griffin_quantize_options options = {.struct_size = sizeof(options), .dtype = GRIFFIN_INT4};
  OK(griffin_quantize(from, to, &options, &error));
  griffin_model* model = NULL;
  OK(griffin_model_load(to, NULL, &model, &error));
  CHECK(model_info(model).dtype == GRIFFIN_INT4);
  griffin_model_free(model);
  STATUS(GRIFFIN_IO, griffin_quantize(from, to, &options, &error)); /* it is there */
}

static void check_pieces(const griffin_tokenizer* tokenizer, const griffin_model* model) {
  char text[64];
  size_t needed = 0;
  int32_t id = 0;
  CHECK(griffin_tokenizer_size(tokenizer) == 2048);
  OK(griffin_tokenizer_find(tokenizer, "<bos>", GRIFFIN_TERMINATED, &id, &error));
  CHECK(id == 2 && griffin_tokenizer_piece_kind(tokenizer, id) == GRIFFIN_PIECE_CONTROL);
  OK(griffin_tokenizer_find(tokenizer, "<0xE2>", 6, &id, &error));
  CHECK(griffin_tokenizer_piece_kind(tokenizer, id) == GRIFFIN_PIECE_BYTE);
  OK(griffin_tokenizer_piece(tokenizer, id, text, sizeof(text), &needed, &error));
  CHECK(needed == 6 && memcmp(text, "<0xE2>", 6) == 0);
  OK(griffin_tokenizer_piece_bytes(tokenizer, id, text, sizeof(text), &needed, &error));
  CHECK(needed == 1 && text[0] == '\xE2');
  OK(griffin_tokenizer_find(tokenizer, "no such piece", 13, &id, &error));
  CHECK(id == -1 && griffin_tokenizer_piece_kind(tokenizer, id) == GRIFFIN_PIECE_NONE);
  CHECK(griffin_tokenizer_piece_kind(tokenizer, 2048) == GRIFFIN_PIECE_NONE);
  CHECK(griffin_tokenizer_piece_kind(tokenizer, 2047) == GRIFFIN_PIECE_TEXT);
  OK(griffin_tokenizer_bos(tokenizer, model, &id, &error));
  CHECK(id == 2);
  OK(griffin_tokenizer_bos(tokenizer, NULL, &id, &error)); /* a tokenizer.model does not say */
  CHECK(id == -1);
}

static void check_texts(const griffin_tokenizer* tokenizer) {
  const char text[] = "The LORD is my shepherd; caf\xC3\xA9 \xE2\x82\xAC";
  int32_t ids[64];
  char back[sizeof(text)];
  size_t needed = 0, again = 0;
  STATUS(GRIFFIN_CAPACITY,
         griffin_tokenizer_encode(tokenizer, text, sizeof(text) - 1, NULL, 0, &needed, &error));
  CHECK(needed > 8 && needed < 64);
  ids[needed - 1] = -7;
  STATUS(GRIFFIN_CAPACITY, griffin_tokenizer_encode(tokenizer, text, GRIFFIN_TERMINATED, ids,
                                                    needed - 1, &again, &error));
  CHECK(again == needed && ids[needed - 1] == -7);
  OK(griffin_tokenizer_encode(tokenizer, text, GRIFFIN_TERMINATED, ids, needed, &again, &error));
  CHECK(again == needed && ids[needed - 1] >= 0);
  OK(griffin_tokenizer_decode(tokenizer, ids, needed, back, sizeof(back), &again, &error));
  CHECK(again == sizeof(text) - 1 && memcmp(text, back, again) == 0);
  OK(griffin_tokenizer_encode(tokenizer, "a\0b", 3, ids, 64, &needed, &error));
  OK(griffin_tokenizer_decode(tokenizer, ids, needed, back, sizeof(back), &again, &error));
  CHECK(again == 3 && memcmp(back, "a\0b", 3) == 0);
  OK(griffin_tokenizer_encode(tokenizer, NULL, 0, NULL, 0, &needed, &error));
  CHECK(needed == 0);
  STATUS(GRIFFIN_INVALID_ARGUMENT,
         griffin_tokenizer_encode(tokenizer, "\xFF", 1, ids, 64, &needed, &error));
}

static void check_chat(const griffin_tokenizer* tokenizer, const griffin_model* model,
                       const char* folder) {
  const griffin_turn turns[] = {{GRIFFIN_USER, {"Hi", 2}}};
  int32_t ids[64];
  size_t needed = 0;
  /* The embedded model is a base model: it has no turns, and its folder says so. */
  STATUS(GRIFFIN_UNSUPPORTED,
         griffin_chat_encode(tokenizer, model, turns, 1, ids, 64, &needed, &error));
  STATUS(GRIFFIN_UNSUPPORTED, griffin_chat_stop_ids(tokenizer, model, ids, 64, &needed, &error));
  griffin_chat_format format = -1;
  OK(griffin_chat_find_format(folder, &format, &error));
  CHECK(format == GRIFFIN_CHAT_UNKNOWN || format == GRIFFIN_CHAT_NONE);
}

static void check_tokenizer(const char* folder) {
  griffin_model* model = NULL;
  griffin_tokenizer* tokenizer = NULL;
  OK(griffin_model_load(folder, NULL, &model, &error));
  OK(griffin_tokenizer_load(folder, model, &tokenizer, &error));
  check_pieces(tokenizer, model);
  check_texts(tokenizer);
  check_chat(tokenizer, model, folder);
  griffin_tokenizer_free(tokenizer);
  STATUS(GRIFFIN_IO, griffin_tokenizer_load("/nowhere", model, &tokenizer, &error));
  CHECK(tokenizer == NULL);
  griffin_model_free(model);
}

int main(int argc, char** argv) {
  CHECK(argc == 3);
  check_library();
  check_loading(argv[1]);
  check_types(argv[1]);
  check_quantizing(argv[1], argv[2]);
  check_tokenizer(argv[1]);
  puts("models: ok");
  return 0;
}
