// SPDX-License-Identifier: Apache-2.0
// Text to ids and back; the turns of a conversation.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/model.h"

GRIFFIN_C_BEGIN

/// Text to ids and back. Immutable.
typedef struct griffin_tokenizer griffin_tokenizer;

/// From a model folder (tokenizer.model, else tokenizer.json) or from a file. The model, which may
/// be NULL, is the one that it has to fit: GRIFFIN_MISMATCH where it has more pieces.
GRIFFIN_C_API griffin_status griffin_tokenizer_load(const char* folder_or_file,
                                                    const griffin_model* model,
                                                    griffin_tokenizer** tokenizer,
                                                    griffin_error* error);
GRIFFIN_C_API void griffin_tokenizer_free(griffin_tokenizer* tokenizer);

/// The largest id plus one; 0 for NULL.
GRIFFIN_C_API int32_t griffin_tokenizer_size(const griffin_tokenizer* tokenizer);

/// What to put in front of a text for a model, or NULL: -1 for nothing.
GRIFFIN_C_API griffin_status griffin_tokenizer_bos(const griffin_tokenizer* tokenizer,
                                                   const griffin_model* model, int32_t* id,
                                                   griffin_error* error);

/// The ids of a text, nothing added: no BOS. GRIFFIN_INVALID_ARGUMENT for what is not UTF-8.
GRIFFIN_C_API griffin_status griffin_tokenizer_encode(const griffin_tokenizer* tokenizer,
                                                      const char* text, size_t size, int32_t* ids,
                                                      size_t capacity, size_t* needed,
                                                      griffin_error* error);

/// The text of some ids; no zero is added. Ids that there are no pieces for give nothing.
GRIFFIN_C_API griffin_status griffin_tokenizer_decode(const griffin_tokenizer* tokenizer,
                                                      const int32_t* ids, size_t count, char* text,
                                                      size_t capacity, size_t* needed,
                                                      griffin_error* error);

typedef int32_t griffin_piece_kind;
enum {
  GRIFFIN_PIECE_NONE = 0,  ///< there is no piece of that id
  GRIFFIN_PIECE_TEXT = 1,
  GRIFFIN_PIECE_CONTROL = 2,  ///< "<bos>"
  GRIFFIN_PIECE_BYTE = 3      ///< "<0xE2>"
};

GRIFFIN_C_API griffin_piece_kind griffin_tokenizer_piece_kind(const griffin_tokenizer* tokenizer,
                                                              int32_t id);
/// How the vocabulary spells an id. GRIFFIN_INVALID_ARGUMENT for one that there is no piece for.
GRIFFIN_C_API griffin_status griffin_tokenizer_piece(const griffin_tokenizer* tokenizer, int32_t id,
                                                     char* text, size_t capacity, size_t* needed,
                                                     griffin_error* error);
/// What an id adds to a text that goes on: possibly a part of a code point, possibly nothing.
GRIFFIN_C_API griffin_status griffin_tokenizer_piece_bytes(const griffin_tokenizer* tokenizer,
                                                           int32_t id, char* bytes, size_t capacity,
                                                           size_t* needed, griffin_error* error);
/// The id of a piece, as the vocabulary spells it; -1 if there is none.
GRIFFIN_C_API griffin_status griffin_tokenizer_find(const griffin_tokenizer* tokenizer,
                                                    const char* piece, size_t size, int32_t* id,
                                                    griffin_error* error);

typedef int32_t griffin_role;
enum { GRIFFIN_USER = 0, GRIFFIN_MODEL = 1 };

typedef struct griffin_turn {
  griffin_role role;
  griffin_text text;
} griffin_turn;

/// The ids of a conversation in Gemma's turns, from BOS up to where the model's next turn begins;
/// or, if the last turn is the model's, that turn left open, to be gone on with. Turns alternate,
/// from a user's on; a user's text cannot begin or end a turn. GRIFFIN_UNSUPPORTED for a tokenizer
/// without the pieces of turns.
GRIFFIN_C_API griffin_status griffin_chat_encode(const griffin_tokenizer* tokenizer,
                                                 const griffin_model* model,
                                                 const griffin_turn* turns, size_t count,
                                                 int32_t* ids, size_t capacity, size_t* needed,
                                                 griffin_error* error);
/// The ids that end a model's turn.
GRIFFIN_C_API griffin_status griffin_chat_stop_ids(const griffin_tokenizer* tokenizer,
                                                   const griffin_model* model, int32_t* ids,
                                                   size_t capacity, size_t* needed,
                                                   griffin_error* error);

/// Which turns the chat template of a folder writes.
typedef int32_t griffin_chat_format;
enum {
  GRIFFIN_CHAT_UNKNOWN = 0,  ///< the folder has nothing that would say
  GRIFFIN_CHAT_NONE = 1,     ///< no template: a base model's, not tuned for conversations
  GRIFFIN_CHAT_GEMMA = 2,    ///< those of griffin_chat_encode()
  GRIFFIN_CHAT_OTHER = 3
};
GRIFFIN_C_API griffin_status griffin_chat_find_format(const char* folder,
                                                      griffin_chat_format* format,
                                                      griffin_error* error);

GRIFFIN_C_END
