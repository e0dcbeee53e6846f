/* SPDX-License-Identifier: Apache-2.0 */
/* outside_c MODEL_FOLDER TEXT: what follows the text, as the program for C++ prints it. */
#include <stdio.h>
#include <string.h>

#include <griffin/griffin_c.h>

enum { most_tokens = 256 };

/* The ids of a text, with what the model wants in front. */
static griffin_status ids_of(const char* text, const griffin_model* model,
                             const griffin_tokenizer* tokenizer, int32_t* ids, size_t* count,
                             griffin_error* error) {
  size_t first = 0;
  griffin_status status = griffin_tokenizer_bos(tokenizer, model, ids, error);
  if (status != GRIFFIN_OK) return status;
  if (ids[0] >= 0) first = 1;
  status = griffin_tokenizer_encode(tokenizer, text, GRIFFIN_TERMINATED, ids + first,
                                    most_tokens - first, count, error);
  *count += first;
  return status;
}

int main(int argc, char** argv) {
  griffin_error error = {sizeof(error), 0, ""};
  griffin_model* model = NULL;
  griffin_tokenizer* tokenizer = NULL;
  griffin_sequence* sequence = NULL;
  griffin_generator* generator = NULL;
  griffin_result* result = NULL;
  griffin_generate_options options;
  int32_t ids[most_tokens];
  size_t count = 0;
  if (argc != 3) return 2;
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  if (griffin_model_load(argv[1], NULL, &model, &error) == GRIFFIN_OK &&
      griffin_tokenizer_load(argv[1], model, &tokenizer, &error) == GRIFFIN_OK &&
      ids_of(argv[2], model, tokenizer, ids, &count, &error) == GRIFFIN_OK &&
      griffin_sequence_new(model, NULL, &sequence, &error) == GRIFFIN_OK &&
      griffin_generator_new(model, NULL, &generator, &error) == GRIFFIN_OK) {
    options.tokenizer = tokenizer;
    griffin_generate(generator, sequence, ids, count, &options, &result, &error);
  }
  puts(error.status == GRIFFIN_OK ? griffin_result_text(result, NULL) : error.message);
  griffin_result_free(result);
  griffin_generator_free(generator);
  griffin_sequence_free(sequence);
  griffin_tokenizer_free(tokenizer);
  griffin_model_free(model);
  return error.status;
}
