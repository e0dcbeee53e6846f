// SPDX-License-Identifier: Apache-2.0
#include "c/convert.h"

#include <string>
#include <vector>

#include "c/handles.h"

namespace griffin::c {
namespace {

constexpr Dtype dtypes[] = {Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::int8, Dtype::int4};

SamplingOptions sampling_options(const griffin_generate_options& given) {
  SamplingOptions sampling;
  sampling.temperature = given.temperature;
  sampling.top_k = given.top_k;
  sampling.top_p = given.top_p == 0 ? 1.0F : given.top_p;
  sampling.min_p = given.min_p;
  sampling.repeat_penalty = given.repeat_penalty == 0 ? 1.0F : given.repeat_penalty;
  sampling.presence_penalty = given.presence_penalty;
  sampling.frequency_penalty = given.frequency_penalty;
  if (given.penalty_last_n != 0) {
    sampling.penalty_last_n = given.penalty_last_n == -1 ? 0 : given.penalty_last_n;
  }
  for (const griffin_logit_bias& bias :
       array(given.logit_bias, given.logit_bias_count, "logit_bias")) {
    sampling.logit_bias.push_back({bias.id, bias.bias});
  }
  sampling.seed = given.seed;
  sampling.first_draw = given.first_draw;
  const auto seen = array(given.seen, given.seen_count, "seen");
  sampling.seen.assign(seen.begin(), seen.end());
  sampling.prompt_counts_as_seen = !flag_of(given.prompt_not_seen, "prompt_not_seen");
  if (given.on_logits != nullptr) {
    sampling.on_logits = [call = given.on_logits,
                          user = given.on_logits_user](std::span<float> logits) {
      try {
        call(logits.data(), static_cast<std::int64_t>(logits.size()), user);
      } catch (...) {
        throw CallbackThrew();
      }
    };
  }
  return sampling;
}

std::optional<std::int32_t> logprobs_of(std::int32_t given, const char* name) {
  if (given < 0) refuse(std::string(name) + ": expected 0 or more, found " + std::to_string(given));
  return given == 0 ? std::nullopt : std::optional(given - 1);
}

std::int64_t max_new_tokens(std::int64_t given) {
  switch (given) {
    case 0:
      return GenerateOptions().max_new_tokens;
    case GRIFFIN_UNLIMITED:
      return GenerateOptions::unlimited;
    case GRIFFIN_NO_TOKENS:
      return 0;
    default:
      if (given < 0) refuse("max_new_tokens: expected -2 or more, found " + std::to_string(given));
      return given;
  }
}

}  // namespace

std::optional<Dtype> dtype_of(griffin_dtype dtype, const char* name) {
  const std::int32_t choice = choice_of(dtype, GRIFFIN_INT4 + 1, name);
  if (choice == GRIFFIN_DTYPE_DEFAULT) return {};
  return dtypes[choice - 1];
}

griffin_dtype dtype_of(Dtype dtype) noexcept {
  griffin_dtype number = 1;
  while (dtypes[number - 1] != dtype) ++number;
  return number;
}

int threads_of(std::int64_t threads, const char* name) {
  if (threads < 0 || threads > INT32_MAX) {
    refuse(std::string(name) + ": expected 0 or more threads, found " + std::to_string(threads));
  }
  return static_cast<int>(threads);
}

SequenceOptions sequence_options(const griffin_sequence_options* given) {
  const auto options = options_of(given, "griffin_sequence_options");
  check_reserved(options.reserved, "griffin_sequence_options");
  return {options.capacity,
          dtype_of(options.kv, "griffin_sequence_options.kv").value_or(Dtype::f32)};
}

GenerateOptions generate_options(const griffin_generate_options& given, const Model& model) {
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens(given.max_new_tokens);
  options.sampling = sampling_options(given);
  std::vector<std::int32_t>& stop_ids = options.stop_ids.emplace();
  if (!flag_of(given.no_model_stop_ids, "no_model_stop_ids")) {
    stop_ids.assign(model.stop_ids().begin(), model.stop_ids().end());
  }
  const auto more = array(given.stop_ids, given.stop_id_count, "stop_ids");
  stop_ids.insert(stop_ids.end(), more.begin(), more.end());
  for (const griffin_text& text :
       array(given.stop_strings, given.stop_string_count, "stop_strings")) {
    options.stop_strings.emplace_back(text_of(text, "stop_strings"));
  }
  options.top_logprobs = logprobs_of(given.logprobs, "logprobs");
  options.prompt_logprobs = logprobs_of(given.prompt_logprobs, "prompt_logprobs");
  if (given.tokenizer != nullptr) options.tokenizer = given.tokenizer->tokenizer.get();
  return options;
}

DraftOptions draft_options(const griffin_model* model, std::int64_t most) {
  DraftOptions draft;
  if (model != nullptr) draft.model = model->model;
  if (most != 0) draft.most = most;
  return draft;
}

Guessing guessing_of(std::int32_t always, const char* name) {
  return flag_of(always, name) ? Guessing::always : Guessing::adapted;
}

}  // namespace griffin::c
