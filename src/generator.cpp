// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/generator.h"

#include <algorithm>
#include <string>

#include "griffin/core/error.h"
#include "seconds.h"

namespace griffin {
namespace {

void check(const Model& model, const Sequence& sequence, std::span<const std::int32_t> prompt,
           const GenerateOptions& options) {
  const auto refuse = [](ErrorCode code, const std::string& what) {
    throw Error(code, "generate: " + what);
  };
  if (prompt.empty()) refuse(ErrorCode::invalid_argument, "the prompt is empty; give at least BOS");
  if (options.max_new_tokens < GenerateOptions::unlimited) {
    refuse(ErrorCode::invalid_argument,
           "max_new_tokens: expected >= -1, found " + std::to_string(options.max_new_tokens));
  }
  const std::int64_t vocab = model.config().vocab;
  for (const std::int32_t id : prompt) {
    if (id < 0 || id >= vocab) {
      refuse(ErrorCode::invalid_argument, "prompt token " + std::to_string(id) +
                                              " is outside the vocabulary of " +
                                              std::to_string(vocab));
    }
  }
  const std::int64_t room = sequence.layout().capacity - sequence.position();
  const auto wanted = static_cast<std::int64_t>(prompt.size());
  if (wanted > room) {
    refuse(ErrorCode::capacity, "the sequence has room for " + std::to_string(room) +
                                    " more positions, the prompt has " + std::to_string(wanted) +
                                    " tokens");
  }
}

/// Room for all tokens of an ordinary call, so that taking one allocates nothing.
std::size_t tokens_to_reserve(std::int64_t max_new_tokens) {
  constexpr std::int64_t most = 1 << 16;
  const bool bounded = max_new_tokens != GenerateOptions::unlimited;
  return static_cast<std::size_t>(bounded ? std::min(max_new_tokens, most) : most);
}

}  // namespace

const char* name_of(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::stop_id:
      return "stop id";
    case StopReason::length:
      return "length";
    case StopReason::capacity:
      return "capacity";
    case StopReason::callback:
      return "callback";
  }
  return "unknown";
}

Generator::Generator(const Model& model, const GeneratorOptions& options)
    : model_(model),
      pass_(model, {.threads = options.threads,
                    .max_rows = options.chunk,
                    .max_logits = 1,
                    .kernels = options.kernels}) {}

Result Generator::generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                           const GenerateOptions& options) {
  check(model_, sequence, prompt, options);
  const double started = seconds_now();
  Result result;
  result.timings.load = model_.load_seconds();
  result.tokens.reserve(tokens_to_reserve(options.max_new_tokens));
  const std::optional<std::int32_t> first = prefill(sequence, prompt, options, result);
  const double prefilled = seconds_now();
  result.timings.prefill = prefilled - started;
  if (!first) {
    result.reason = StopReason::callback;
    return result;
  }
  std::int32_t token = *first;
  while (accept(token, options, result)) {
    if (result.tokens.size() == 1) result.timings.first_token = seconds_now() - started;
    if (!deliver(token, sequence, options, result)) break;
    pass_.add(sequence, {&token, 1});
    token = pass_.argmax(pass_.run(), 0);
    ++result.decode_passes;
  }
  result.timings.decode = seconds_now() - prefilled;
  return result;
}

/// Runs the prompt in chunks. Returns the token after it, or nothing if the callback said stop.
std::optional<std::int32_t> Generator::prefill(Sequence& sequence,
                                               std::span<const std::int32_t> prompt,
                                               const GenerateOptions& options, Result& result) {
  const auto total = static_cast<std::int64_t>(prompt.size());
  std::int32_t token = 0;
  while (result.prompt_tokens < total) {
    const std::int64_t count = std::min(pass_.max_rows(), total - result.prompt_tokens);
    const bool last = result.prompt_tokens + count == total;
    pass_.add(sequence,
              prompt.subspan(static_cast<std::size_t>(result.prompt_tokens),
                             static_cast<std::size_t>(count)),
              last ? Logits::last : Logits::none);
    const MatrixView logits = pass_.run();
    result.prompt_tokens += count;
    if (last) token = pass_.argmax(logits, 0);
    if (options.on_prefill && options.on_prefill(result.prompt_tokens, total) == Flow::stop) {
      return std::nullopt;
    }
  }
  return token;
}

/// Whether the token becomes part of the text.
bool Generator::accept(std::int32_t token, const GenerateOptions& options, Result& result) {
  if (options.max_new_tokens == 0) {
    result.reason = StopReason::length;
    return false;
  }
  if (std::find(options.stop_ids.begin(), options.stop_ids.end(), token) !=
      options.stop_ids.end()) {
    result.reason = StopReason::stop_id;
    result.stop_id = token;
    return false;
  }
  result.tokens.push_back(token);
  return true;
}

/// Hands the token out. Returns whether the text goes on after it.
bool Generator::deliver(std::int32_t token, const Sequence& sequence,
                        const GenerateOptions& options, Result& result) {
  if (options.on_token && options.on_token(token) == Flow::stop) {
    result.reason = StopReason::callback;
  } else if (static_cast<std::int64_t>(result.tokens.size()) == options.max_new_tokens) {
    result.reason = StopReason::length;
  } else if (sequence.position() >= sequence.layout().capacity) {
    result.reason = StopReason::capacity;
  } else {
    return true;
  }
  return false;
}

}  // namespace griffin
