// SPDX-License-Identifier: Apache-2.0
#include "c/boundary.h"

#include <new>

#include "generate/utf8.h"

namespace griffin::c {
namespace {

static_assert(GRIFFIN_INVALID_ARGUMENT == static_cast<int>(ErrorCode::invalid_argument) + 1);
static_assert(GRIFFIN_IO == static_cast<int>(ErrorCode::io) + 1);
static_assert(GRIFFIN_FORMAT == static_cast<int>(ErrorCode::format) + 1);
static_assert(GRIFFIN_MISMATCH == static_cast<int>(ErrorCode::mismatch) + 1);
static_assert(GRIFFIN_UNSUPPORTED == static_cast<int>(ErrorCode::unsupported) + 1);
static_assert(GRIFFIN_CAPACITY == static_cast<int>(ErrorCode::capacity) + 1);
static_assert(GRIFFIN_CANCELLED == static_cast<int>(ErrorCode::cancelled) + 1);

/// The longest beginning of at most `room` bytes that ends with a whole code point.
std::string_view cut(std::string_view text, std::size_t room) noexcept {
  if (text.size() <= room) return text;
  const auto is_inside = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  std::size_t end = room;
  while (end > 0 && room - end < 4 && is_inside(end)) --end;
  return text.substr(0, is_inside(end) ? room : end);
}

/// A name may have line feeds and escapes; a message is one line.
char printable(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F ? '?' : c;
}

}  // namespace

griffin_status report(griffin_error* error, griffin_status status,
                      std::string_view message) noexcept {
  constexpr std::size_t at_status = offsetof(griffin_error, status);
  constexpr std::size_t at_message = offsetof(griffin_error, message);
  if (error == nullptr) return status;
  const std::size_t size = std::min(error->struct_size, sizeof(griffin_error));
  if (size >= at_status + sizeof(status)) error->status = status;
  if (size > at_message) {
    const std::string_view kept = cut(message, size - at_message - 1);
    std::transform(kept.begin(), kept.end(), error->message, printable);
    error->message[kept.size()] = '\0';
  }
  return status;
}

griffin_status report_exception(griffin_error* error) noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return report(error, static_cast<griffin_status>(e.code()) + 1, e.what());
  } catch (const std::bad_alloc&) {
    return report(error, GRIFFIN_OUT_OF_MEMORY, "out of memory");
  } catch (const CallbackThrew&) {
    return report(error, GRIFFIN_CALLBACK, "a callback threw an exception");
  } catch (const std::exception& e) {
    return report(error, GRIFFIN_INTERNAL, e.what());
  } catch (...) {
    return report(error, GRIFFIN_INTERNAL, "an exception of no known type");
  }
}

std::string_view text_of(const char* data, std::size_t size, const char* name) {
  if (size == 0) return {};
  required(data, name);
  return size == GRIFFIN_TERMINATED ? std::string_view(data) : std::string_view(data, size);
}

std::string_view text_of(const griffin_text& text, const char* name) {
  return text_of(text.data, text.size, name);
}

void check_is_size(std::size_t size, const char* name) {
  constexpr std::size_t step = sizeof(std::size_t), largest = 4096;
  if (size >= step && size <= largest && size % step == 0) return;
  refuse(std::string(name) + ".struct_size: expected the sizeof of the struct, found " +
         std::to_string(size));
}

void check_size(const void* given, std::size_t given_size, std::size_t known_size,
                const char* name) {
  check_is_size(given_size, name);
  const char* bytes = static_cast<const char*>(given);
  for (std::size_t at = known_size; at < given_size; ++at) {
    if (bytes[at] != 0) {
      refuse(std::string(name) + ": byte " + std::to_string(at) + " is set, this library knows " +
             std::to_string(known_size) + " bytes: it is older than its caller's header");
    }
  }
}

}  // namespace griffin::c
