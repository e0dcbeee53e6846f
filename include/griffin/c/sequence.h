// SPDX-License-Identifier: Apache-2.0
// What a model remembers of a text: forked, saved, gone back to.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/model.h"

GRIFFIN_C_BEGIN

/// What a model remembers of one text: a fixed number of bytes, but for global attention.
typedef struct griffin_sequence griffin_sequence;
/// What a sequence remembered at some point. Immutable.
typedef struct griffin_snapshot griffin_snapshot;

typedef struct griffin_sequence_options {
  size_t struct_size;
  int64_t capacity;  ///< positions; 0: no end, which global attention cannot give
  griffin_dtype kv;  ///< of keys and values: f32, the default, or bf16
  int32_t reserved;  ///< 0
} griffin_sequence_options;

GRIFFIN_C_API griffin_status griffin_sequence_new(const griffin_model* model,
                                                  const griffin_sequence_options* options,
                                                  griffin_sequence** sequence,
                                                  griffin_error* error);
GRIFFIN_C_API void griffin_sequence_free(griffin_sequence* sequence);

/// An independent copy that continues from the same point, unread tokens included.
GRIFFIN_C_API griffin_status griffin_sequence_fork(const griffin_sequence* sequence,
                                                   griffin_sequence** copy, griffin_error* error);
/// The same into a sequence that is there, without an allocation but for unread tokens.
/// GRIFFIN_MISMATCH where model or options are others.
GRIFFIN_C_API griffin_status griffin_sequence_copy(griffin_sequence* to,
                                                   const griffin_sequence* from,
                                                   griffin_error* error);
/// Back to position 0.
GRIFFIN_C_API void griffin_sequence_reset(griffin_sequence* sequence);

/// Tokens consumed so far; -1 for NULL.
GRIFFIN_C_API int64_t griffin_sequence_position(const griffin_sequence* sequence);
/// Bytes of memory, and of those that hold something by now.
GRIFFIN_C_API uint64_t griffin_sequence_bytes(const griffin_sequence* sequence);
GRIFFIN_C_API uint64_t griffin_sequence_used_bytes(const griffin_sequence* sequence);

/// Writes the state to a file, which appears when it is complete and on the disk. `unread` [count]
/// are tokens to keep with it that were chosen but not consumed yet, 2^20 of them at most.
GRIFFIN_C_API griffin_status griffin_sequence_save(const griffin_sequence* sequence,
                                                   const char* file, const int32_t* unread,
                                                   size_t count, griffin_error* error);
/// Takes on a saved state, from which everything continues to the same bits. Where it fails nothing
/// is changed: GRIFFIN_FORMAT for what is damaged or no state, _MISMATCH for one of another model
/// or type, _CAPACITY for one that does not fit, _IO.
GRIFFIN_C_API griffin_status griffin_sequence_restore(griffin_sequence* sequence, const char* file,
                                                      griffin_error* error);
/// The same to and from memory. What follows the state in a buffer that is read is left alone.
GRIFFIN_C_API griffin_status griffin_sequence_write(const griffin_sequence* sequence,
                                                    const int32_t* unread, size_t count,
                                                    void* buffer, size_t capacity, size_t* needed,
                                                    griffin_error* error);
GRIFFIN_C_API griffin_status griffin_sequence_read(griffin_sequence* sequence, const void* buffer,
                                                   size_t size, griffin_error* error);
/// The unread tokens of the state that was last restored or read, [count]; valid until the sequence
/// is changed, by which they are gone.
GRIFFIN_C_API const int32_t* griffin_sequence_unread(const griffin_sequence* sequence,
                                                     size_t* count);
/// The position that a file's state is at: what a capacity has to allow for.
GRIFFIN_C_API griffin_status griffin_sequence_saved_position(const char* file, int64_t* position,
                                                             griffin_error* error);

GRIFFIN_C_API griffin_status griffin_sequence_snapshot(const griffin_sequence* sequence,
                                                       griffin_snapshot** snapshot,
                                                       griffin_error* error);
/// Back (or on) to where a snapshot was taken, of this sequence or another one of its model.
GRIFFIN_C_API griffin_status griffin_sequence_rollback(griffin_sequence* sequence,
                                                       const griffin_snapshot* snapshot,
                                                       griffin_error* error);
GRIFFIN_C_API int64_t griffin_snapshot_position(const griffin_snapshot* snapshot);
GRIFFIN_C_API uint64_t griffin_snapshot_bytes(const griffin_snapshot* snapshot);
GRIFFIN_C_API void griffin_snapshot_free(griffin_snapshot* snapshot);

GRIFFIN_C_END
