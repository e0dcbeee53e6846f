// SPDX-License-Identifier: Apache-2.0
// What all of the C API has in common.
//
// Handles (griffin_model, griffin_sequence, ...) are opaque; each has one function that frees it,
// which does nothing for NULL. They may be freed in any order: what needs another one keeps it
// alive. There is nothing to initialise or to shut down.
//
// Options and infos are structs that begin with struct_size, which the caller sets to the sizeof of
// the struct. Members are only ever added at the end, and zero means the default, so that a caller
// of an older header gets along with a newer library, and the other way round where he leaves new
// members zero; else he is refused. Options may be NULL: all defaults. All pointers in them are
// read during the call only, but for functions and their `user`.
//
// A function that can fail returns a griffin_status and takes a griffin_error last, which may be
// NULL. What it gives through other parameters is set only where it succeeds; handles are NULL
// where it fails. No function throws, whatever happens in it.
//
// What is copied to a caller's buffer goes by (buffer, capacity, needed): `needed` is set to how
// much there is; where the capacity is less, the buffer is left alone and the status is
// GRIFFIN_CAPACITY, so that a call with capacity 0 asks for the size. `needed` may not be NULL.
//
// Where memory runs out the status is GRIFFIN_OUT_OF_MEMORY, or GRIFFIN_CAPACITY where much is
// taken at once (weights, states, the memory of a pass); all stays as it was. SentencePiece alone
// may crash of it: when a tokenizer.model is loaded and when a text is encoded.
//
// Text is UTF-8, with a length in bytes, or GRIFFIN_TERMINATED where a zero ends it. Paths end with
// a zero, and are bytes as the system has them.
//
// Threads: any number may use a model or a tokenizer at once, and read a snapshot or a result; all
// else one thread at a time, but what griffin/c/scheduler.h says. Callbacks may not throw or
// longjmp; one of C++ that throws all the same ends its call, or its text, with GRIFFIN_CALLBACK.
// After fork(2) a child may use what its parent made; if the library was built with OpenMP, with
// one thread only.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define GRIFFIN_C_BEGIN extern "C" {
#define GRIFFIN_C_END }
#else
#define GRIFFIN_C_BEGIN
#define GRIFFIN_C_END
#endif
#define GRIFFIN_C_API __attribute__((visibility("default")))

GRIFFIN_C_BEGIN

typedef int32_t griffin_status;
enum {
  GRIFFIN_OK = 0,
  GRIFFIN_INVALID_ARGUMENT = 1,  ///< the caller asked for something that has no meaning
  GRIFFIN_IO = 2,                ///< a file could not be opened, read or written
  GRIFFIN_FORMAT = 3,            ///< a file is not what its name says: damaged or of another kind
  GRIFFIN_MISMATCH = 4,          ///< well formed, but disagrees with the model or with another file
  GRIFFIN_UNSUPPORTED = 5,       ///< well formed, but outside what this library implements
  GRIFFIN_CAPACITY = 6,          ///< more than there is room for; for buffers see above
  GRIFFIN_CANCELLED = 7,         ///< a callback asked to stop
  GRIFFIN_OUT_OF_MEMORY = 8,
  GRIFFIN_CALLBACK = 9,   ///< a callback, of C++, threw
  GRIFFIN_INTERNAL = 10,  ///< a fault of this library
  GRIFFIN_NO_EVENT = 11   ///< nothing to report now: griffin_scheduler_next_event()
};

/// "invalid argument" for GRIFFIN_INVALID_ARGUMENT, and so on; "unknown status" for other numbers.
GRIFFIN_C_API const char* griffin_status_name(griffin_status status);

/// One line, naming file, tensor, expected and found as far as they apply; empty after a success.
/// Control characters in it, of a name, are "?"; else names are the bytes that they are. Always
/// terminated; what does not fit is cut off at a code point. Its members are final.
typedef struct griffin_error {
  size_t struct_size;
  griffin_status status;
  char message[1024];
} griffin_error;

/// A text that belongs to somebody else. These small structs have no size, and stay as they are.
typedef struct griffin_text {
  const char* data;
  size_t size;
} griffin_text;

typedef struct griffin_token_logprob {
  int32_t id;
  float logprob;  ///< natural logarithm
} griffin_token_logprob;

#define GRIFFIN_TERMINATED SIZE_MAX

/// How weights, or keys and values, are stored.
typedef int32_t griffin_dtype;
enum {
  GRIFFIN_DTYPE_DEFAULT = 0,
  GRIFFIN_F32 = 1,
  GRIFFIN_BF16 = 2,
  GRIFFIN_F16 = 3,
  GRIFFIN_INT8 = 4,
  GRIFFIN_INT4 = 5
};

/// The library's version, "0.1.0"; and 1000000 major + 1000 minor + patch.
GRIFFIN_C_API const char* griffin_version(void);
GRIFFIN_C_API int32_t griffin_version_number(void);
/// The number of the binary interface, which is that of libgriffin_c.so.0: 0.
GRIFFIN_C_API int32_t griffin_abi(void);
/// The instruction set whose kernels run here, "avx512_bf16"; GRIFFIN_ISA in the environment names
/// another one. "" where it names none that runs.
GRIFFIN_C_API const char* griffin_isa(void);
/// The library's own sizeof of a struct of this API, for bindings that write its members down
/// again: "griffin_load_options" and so on; 0 for other names.
GRIFFIN_C_API size_t griffin_sizeof(const char* type);

GRIFFIN_C_END
