// SPDX-License-Identifier: Apache-2.0
// Between C and C++: no exception gets out, and structs of any size get in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "griffin/c/base.h"
#include "griffin/core/error.h"

namespace griffin::c {

/// What a callback threw, which has no meaning here.
struct CallbackThrew {};

/// Fills an error, if there is one, with a status and a message. Returns the status.
griffin_status report(griffin_error* error, griffin_status status,
                      std::string_view message) noexcept;
/// The same for the exception that is being handled.
griffin_status report_exception(griffin_error* error) noexcept;

/// Runs the body of a function of the C API.
template <class Body>
griffin_status guarded(griffin_error* error, const Body& body) noexcept {
  try {
    body();
    return report(error, GRIFFIN_OK, {});
  } catch (...) {
    return report_exception(error);
  }
}

[[noreturn]] inline void refuse(const std::string& message) {
  throw Error(ErrorCode::invalid_argument, message);
}

/// What may not be NULL.
template <class T>
T& required(T* argument, const char* name) {
  if (argument == nullptr) refuse(std::string(name) + ": expected a pointer, found NULL");
  return *argument;
}

/// Where a new handle goes: NULL until it is there.
template <class Handle>
Handle*& cleared(Handle** out, const char* name) {
  required(out, name) = nullptr;
  return *out;
}

template <class T>
std::span<T> array(T* data, std::size_t count, const char* name) {
  if (data == nullptr && count > 0) {
    refuse(std::string(name) + ": expected " + std::to_string(count) + " elements, found NULL");
  }
  return {data, count};
}

/// Size or GRIFFIN_TERMINATED.
std::string_view text_of(const char* data, std::size_t size, const char* name);
std::string_view text_of(const griffin_text& text, const char* name);

/// Throws for what no struct of this API can have as its struct_size.
void check_is_size(std::size_t size, const char* name);

/// The bytes that a caller's struct has and ours does not have to be zero: he would otherwise be
/// asking for what this library does not know.
void check_size(const void* given, std::size_t given_size, std::size_t known_size,
                const char* name);

/// A struct of options that a caller with a shorter or longer one gave; NULL: all zero.
template <class T>
T options_of(const T* given, const char* name) {
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
  T known{};
  if (given == nullptr) return known;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  check_size(given, size, sizeof(T), name);
  std::memcpy(&known, given, std::min(size, sizeof(T)));
  return known;
}

/// Fills as much of a caller's struct as he has, and zeroes what this library does not know.
template <class T>
void fill(T* out, T filled, const char* name) {
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
  const std::size_t size = required(out, name).struct_size;
  check_is_size(size, name);
  filled.struct_size = size;
  std::memcpy(out, &filled, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(reinterpret_cast<char*>(out) + sizeof(T), 0, size - sizeof(T));
}

/// Copies what there is to a caller's buffer of `capacity` elements, if it is large enough. Throws
/// Error(capacity) if not. `needed` is set in either case.
template <class T>
void copy_out(std::span<const T> from, T* to, std::size_t capacity, std::size_t* needed) {
  required(needed, "needed");
  *needed = from.size();
  if (from.size() > capacity) {
    throw Error(ErrorCode::capacity, "the buffer has room for " + std::to_string(capacity) +
                                         " elements, expected " + std::to_string(from.size()));
  }
  if (!from.empty()) std::copy(from.begin(), from.end(), &required(to, "the buffer"));
}

/// A choice of [0, count).
inline std::int32_t choice_of(std::int32_t value, std::int32_t count, const char* name) {
  if (value < 0 || value >= count) {
    refuse(std::string(name) + ": expected 0 to " + std::to_string(count - 1) + ", found " +
           std::to_string(value));
  }
  return value;
}
inline bool flag_of(std::int32_t value, const char* name) {
  return choice_of(value, 2, name) == 1;
}

/// What is there for later versions.
inline void check_reserved(std::int32_t value, const char* name) {
  if (value != 0) refuse(std::string(name) + ".reserved: expected 0");
}

inline std::int64_t or_default(std::int64_t value, std::int64_t otherwise) noexcept {
  return value == 0 ? otherwise : value;
}

}  // namespace griffin::c
