// SPDX-License-Identifier: Apache-2.0
// What a fuzz target gives the C API: arguments with and without a meaning, and handles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "c/handles.h"
#include "fuzz/target.h"
#include "fuzz/tiny_model.h"
#include "griffin/griffin_c.h"

namespace griffin::fuzz {

inline griffin_model* handle_of(const ModelConfig& config) {
  return new griffin_model{Model::random(config, Dtype::f32, 1)};
}

inline griffin_tokenizer* embedded_tokenizer() {
  griffin_tokenizer* tokenizer = nullptr;
  require(griffin_tokenizer_load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model",
                                 nullptr, &tokenizer, nullptr) == GRIFFIN_OK);
  return tokenizer;
}

/// Some handles of a kind, one of which is always NULL.
template <class T>
class Handles {
 public:
  explicit Handles(void (*free)(T*)) : free_(free) {}
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    for (T* handle : all_) free_(handle);
  }

  T* any(Numbers& numbers) const noexcept {
    return all_[static_cast<std::size_t>(numbers.below(size))];
  }
  /// In the place of another one.
  void put(Numbers& numbers, T* handle) noexcept {
    T*& place = all_[static_cast<std::size_t>(1 + numbers.below(size - 1))];
    free_(place);
    place = handle;
  }

 private:
  static constexpr int size = 4;
  void (*free_)(T*);
  T* all_[size] = {};
};

/// An error of any size; checks what a call says with it.
class Status {
 public:
  explicit Status(Numbers& numbers) {
    error_.struct_size =
        numbers.yes() ? sizeof(error_) : static_cast<std::size_t>(numbers.below(40));
    std::memset(error_.message, 'x', sizeof(error_.message));
    error_.status = -1;
  }
  griffin_error* error() noexcept { return &error_; }
  bool holds(griffin_status status) {
    require(status >= GRIFFIN_OK && status <= GRIFFIN_NO_EVENT && status != GRIFFIN_INTERNAL);
    if (error_.struct_size == sizeof(error_)) {
      require(error_.status == status);
      require(std::memchr(error_.message, 0, sizeof(error_.message)) != nullptr);
      require((error_.message[0] == 0) == (status == GRIFFIN_OK));
    }
    return status == GRIFFIN_OK;
  }

 private:
  griffin_error error_;
};

/// Arguments that an input stands for.
class Arguments {
 protected:
  explicit Arguments(Numbers numbers) : numbers_(numbers) {}

  /// Of all kinds: small, none, negative, huge.
  std::int64_t number() {
    switch (numbers_.below(8)) {
      case 0:
        return -1 - numbers_.below(3);
      case 1:
        return static_cast<std::int64_t>(numbers_.bytes(8));
      default:
        return numbers_.below(20);
    }
  }
  /// What takes memory for each.
  std::int64_t count() {
    const std::int64_t any = number();
    return any > 64 && any < std::int64_t{1} << 40U ? 3 : any;
  }
  std::int32_t flag() { return numbers_.below(16) == 0 ? 2 : numbers_.below(2); }
  float real() {
    constexpr float odd[] = {-1, 2, 1e30F, NAN, INFINITY, 0, 0, 0};
    return numbers_.yes() ? static_cast<float>(numbers_.below(11)) / 10 : odd[numbers_.below(8)];
  }
  /// Any, also one that ends within a member.
  template <class T>
  std::size_t size_of_struct() {
    return numbers_.below(8) == 0 ? static_cast<std::size_t>(numbers_.below(256)) : sizeof(T);
  }
  /// Options where the caller may not have, or may have more than, what he says.
  template <class T>
  const T* given(const T& options) {
    if (numbers_.below(8) == 0) return nullptr;
    auto& bytes = structs_.emplace_back(std::max<std::size_t>(options.struct_size, sizeof(T)) + 8);
    std::memcpy(bytes.data(), &options, sizeof(T));
    if (numbers_.below(8) == 0) bytes[sizeof(T) + static_cast<std::size_t>(numbers_.below(8))] = 1;
    return reinterpret_cast<const T*>(bytes.data());
  }

  griffin_model* model() {
    static griffin_model* const all[] = {nullptr, handle_of(tiny(griffin_pattern())),
                                         handle_of(tiny(hawk_pattern())),
                                         handle_of(tiny(transformer_pattern()))};
    return all[numbers_.below(16) == 0 ? 0 : 1 + numbers_.below(3)];
  }
  griffin_tokenizer* tokenizer() {
    static griffin_tokenizer* const embedded = embedded_tokenizer();
    return numbers_.below(8) == 0 ? nullptr : embedded;
  }

  std::vector<std::int32_t> ids() {
    std::vector<std::int32_t> all(static_cast<std::size_t>(numbers_.below(24)));
    for (std::int32_t& id : all) id = numbers_.below(vocab);
    if (!all.empty() && numbers_.below(8) == 0) all.back() = numbers_.yes() ? -1 : vocab;
    return all;
  }

  griffin_sequence_options sequence_options() {
    griffin_sequence_options o{};
    o.struct_size = size_of_struct<griffin_sequence_options>();
    o.capacity = numbers_.below(4) == 0 ? number() : 40;
    if (o.capacity > 4096) o.capacity = 4096;
    o.kv = numbers_.below(4) == 0 ? numbers_.below(8) - 1 : numbers_.below(3);
    o.reserved = numbers_.below(16) == 0 ? 1 : 0;
    return o;
  }

  griffin_generate_options generate_options() {
    griffin_generate_options o{};
    o.struct_size = size_of_struct<griffin_generate_options>();
    o.max_new_tokens = std::min<std::int64_t>(number(), 12);
    if (o.max_new_tokens == 0 || o.max_new_tokens == GRIFFIN_UNLIMITED) o.max_new_tokens = 9;
    if (numbers_.yes()) {
      o.temperature = real();
      o.top_p = real();
      o.min_p = real();
      o.repeat_penalty = real();
      o.presence_penalty = real();
      o.frequency_penalty = real();
      o.top_k = static_cast<std::int32_t>(number());
      o.penalty_last_n = static_cast<std::int32_t>(std::min<std::int64_t>(number(), 100));
      o.seed = numbers_.bytes(1);
    }
    static const griffin_logit_bias bias = {3, 2.0F};
    static const std::int32_t stops[] = {5, 6, 7};
    static const griffin_text texts[] = {
        {"a", 1}, {"", 0}, {nullptr, 2}, {"bc", GRIFFIN_TERMINATED}};
    if (numbers_.below(4) == 0) o.logit_bias = &bias, o.logit_bias_count = 1;
    if (numbers_.below(4) == 0) o.stop_ids = stops, o.stop_id_count = 3;
    if (numbers_.below(4) == 0) o.stop_strings = &texts[numbers_.below(4)], o.stop_string_count = 1;
    if (numbers_.below(8) == 0) o.seen_count = 1;
    o.logprobs = numbers_.below(4) == 0 ? static_cast<std::int32_t>(number()) : numbers_.below(3);
    o.prompt_logprobs = numbers_.below(4) == 0 ? static_cast<std::int32_t>(number()) : 0;
    o.no_model_stop_ids = flag();
    o.prompt_not_seen = flag();
    o.tokenizer = tokenizer();
    return o;
  }

  Numbers numbers_;

 private:
  std::vector<std::vector<char>> structs_;
};

}  // namespace griffin::fuzz
