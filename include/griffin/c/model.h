// SPDX-License-Identifier: Apache-2.0
// Models: loaded, quantised, shared.
#pragma once

#include "griffin/c/base.h"

GRIFFIN_C_BEGIN

/// An immutable model. The weights live as long as any handle, sequence, pass, generator or
/// scheduler of it.
typedef struct griffin_model griffin_model;

/// What activations are multiplied as.
typedef int32_t griffin_activations;
enum {
  GRIFFIN_ACTIVATIONS_DEFAULT = 0,  ///< what goes with the weights
  GRIFFIN_ACTIVATIONS_F32 = 1,      ///< the reference mode: float32 arithmetic throughout
  GRIFFIN_ACTIVATIONS_BF16 = 2,
  GRIFFIN_ACTIVATIONS_INT8 = 3
};

typedef int32_t griffin_access;
enum {
  GRIFFIN_MAP = 0,  ///< files are mapped, and must not be cut or rewritten in place meanwhile
  GRIFFIN_READ = 1  ///< and read into memory
};

/// Called after every tensor with the bytes done and those there are; other answers than 0 end the
/// load with GRIFFIN_CANCELLED.
typedef int32_t (*griffin_progress)(uint64_t done, uint64_t total, void* user);
/// Called with a sentence for each oddity of a folder that is no error.
typedef void (*griffin_notice)(const char* sentence, void* user);

typedef struct griffin_load_options {
  size_t struct_size;
  griffin_dtype weights;  ///< converted to, or quantised to; default: as stored
  griffin_activations activations;
  int64_t window;  ///< of local attention; 0: as config.json says
  griffin_progress progress;
  void* progress_user;
  griffin_notice notice;
  void* notice_user;
  griffin_access access;
  int32_t greedy_head;  ///< 1: an int8 copy of a bf16 head, with which greedy texts are faster
} griffin_load_options;

/// Reads a Hugging Face folder: config.json, and model.safetensors or the shards of its index.
/// Errors: GRIFFIN_IO, _FORMAT, _MISMATCH, _UNSUPPORTED, _CANCELLED; _INVALID_ARGUMENT for options
/// that do not go together.
GRIFFIN_C_API griffin_status griffin_model_load(const char* folder,
                                                const griffin_load_options* options,
                                                griffin_model** model, griffin_error* error);

/// A model of a preset's shape ("recurrentgemma-2b", "griffin-400m") with random weights, the same
/// for the same seed: for benchmarks and tests. Default dtype: bf16.
GRIFFIN_C_API griffin_status griffin_model_random(const char* preset, griffin_dtype dtype,
                                                  uint64_t seed, griffin_model** model,
                                                  griffin_error* error);

/// One more handle on the same weights.
GRIFFIN_C_API griffin_status griffin_model_share(const griffin_model* model, griffin_model** other,
                                                 griffin_error* error);
GRIFFIN_C_API void griffin_model_free(griffin_model* model);

typedef struct griffin_model_info {
  size_t struct_size;
  int64_t vocab;
  int64_t width;
  int64_t depth;   ///< layers
  int64_t window;  ///< of local attention; INT64_MAX: there is none
  int64_t parameters;
  uint64_t weight_bytes;
  uint64_t fingerprint;  ///< tells models apart whose states cannot be exchanged
  double load_seconds;
  griffin_dtype dtype;     ///< of the embedding table
  int32_t bos;             ///< what a text begins with; -1: nothing. See griffin_tokenizer_bos()
  int32_t needs_capacity;  ///< 1: of global attention, so that sequences need a capacity
  int32_t greedy_head;     ///< 1: it has one
} griffin_model_info;

GRIFFIN_C_API griffin_status griffin_model_get_info(const griffin_model* model,
                                                    griffin_model_info* info, griffin_error* error);

/// Tokens that end a text, [count]; valid while the model lives. NULL has none.
GRIFFIN_C_API const int32_t* griffin_model_stop_ids(const griffin_model* model, size_t* count);

typedef struct griffin_quantize_options {
  size_t struct_size;
  griffin_dtype dtype;  ///< int8, int4 or bf16; default: int8
  griffin_access access;
  griffin_progress progress;
  void* progress_user;
} griffin_quantize_options;

/// Writes the checkpoint in a folder to another one, in another storage type. Files that are there
/// already are not touched: GRIFFIN_IO. config.json is written last.
GRIFFIN_C_API griffin_status griffin_quantize(const char* from, const char* to,
                                              const griffin_quantize_options* options,
                                              griffin_error* error);

GRIFFIN_C_END
