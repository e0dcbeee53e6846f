/* SPDX-License-Identifier: Apache-2.0 */
/* What the C programs that test the C API have in common. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "griffin/griffin_c.h"

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

/* The call is given `&error`, which this declares. */
#define STATUS(expected, call)                                                                    \
  do {                                                                                            \
    griffin_error error = {sizeof(error), 99, "nothing"};                                         \
    const griffin_status answer_ = (call);                                                        \
    if (answer_ != (expected) || error.status != (expected)) {                                    \
      fprintf(stderr, "%s:%d: expected \"%s\" of %s, found \"%s\": %s\n", __FILE__, __LINE__,     \
              griffin_status_name(expected), #call, griffin_status_name(answer_), error.message); \
      exit(1);                                                                                    \
    }                                                                                             \
    CHECK(answer_ == GRIFFIN_OK ? error.message[0] == '\0' : error.message[0] != 0);              \
  } while (0)

#define OK(call) STATUS(GRIFFIN_OK, call)

enum { most_tokens = 4096 };

/* The ids of a text, BOS first, in ids [most_tokens]; how many there are is returned. */
static inline size_t ids_of(const griffin_model* model, const griffin_tokenizer* tokenizer,
                            const char* text, int32_t* ids) {
  size_t count = 0;
  OK(griffin_tokenizer_bos(tokenizer, model, ids, &error));
  const size_t first = ids[0] < 0 ? 0 : 1;
  OK(griffin_tokenizer_encode(tokenizer, text, GRIFFIN_TERMINATED, ids + first, most_tokens - first,
                              &count, &error));
  return first + count;
}

static inline int same_tokens(const griffin_result* a, const griffin_result* b) {
  size_t count_a = 0, count_b = 0;
  const int32_t* of_a = griffin_result_tokens(a, &count_a);
  const int32_t* of_b = griffin_result_tokens(b, &count_b);
  return count_a == count_b && memcmp(of_a, of_b, count_a * sizeof(int32_t)) == 0;
}

static inline griffin_result_info info_of(const griffin_result* result) {
  griffin_result_info info = {.struct_size = sizeof(info)};
  OK(griffin_result_get_info(result, &info, &error));
  return info;
}
