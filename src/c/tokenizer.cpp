// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/tokenizer.h"

#include <string>
#include <vector>

#include "c/boundary.h"
#include "c/handles.h"
#include "griffin/generate/chat_template.h"
#include "griffin/generate/conversation.h"
#include "griffin/generate/text_encoder.h"

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

namespace {

const griffin::Tokenizer& tokenizer_of(const griffin_tokenizer* handle) {
  return *required(handle, "tokenizer").tokenizer;
}

griffin::Conversation conversation_of(const griffin_tokenizer* tokenizer,
                                      const griffin_model* model) {
  return {tokenizer_of(tokenizer), required(model, "model").model.config().bos_id};
}

void copy_text(std::string_view from, char* to, size_t capacity, size_t* needed) {
  copy_out(std::span<const char>(from), to, capacity, needed);
}

std::vector<griffin::Turn> turns_of(const griffin_turn* turns, size_t count) {
  std::vector<griffin::Turn> all;
  for (const griffin_turn& turn : array(turns, count, "turns")) {
    const auto role = choice_of(turn.role, 2, "turns.role") == GRIFFIN_USER ? griffin::Role::user
                                                                            : griffin::Role::model;
    all.push_back({role, std::string(text_of(turn.text, "turns.text"))});
  }
  return all;
}

}  // namespace

griffin_status griffin_tokenizer_load(const char* folder_or_file, const griffin_model* model,
                                      griffin_tokenizer** tokenizer, griffin_error* error) {
  return guarded(error, [&] {
    griffin_tokenizer*& out = cleared(tokenizer, "tokenizer");
    required(folder_or_file, "folder_or_file");
    const std::int64_t vocab = model == nullptr ? INT64_MAX : model->model.config().vocab;
    out = new griffin_tokenizer{std::make_shared<const griffin::Tokenizer>(
        griffin::Tokenizer::load(folder_or_file, vocab))};
  });
}

void griffin_tokenizer_free(griffin_tokenizer* tokenizer) {
  delete tokenizer;
}

int32_t griffin_tokenizer_size(const griffin_tokenizer* tokenizer) {
  return tokenizer == nullptr ? 0 : tokenizer->tokenizer->size();
}

griffin_status griffin_tokenizer_bos(const griffin_tokenizer* tokenizer, const griffin_model* model,
                                     int32_t* id, griffin_error* error) {
  return guarded(error, [&] {
    const griffin::Tokenizer& of = tokenizer_of(tokenizer);
    required(id, "id") =
        (model == nullptr ? of.template_bos() : of.bos(model->model.text_bos())).value_or(-1);
  });
}

griffin_status griffin_tokenizer_encode(const griffin_tokenizer* tokenizer, const char* text,
                                        size_t size, int32_t* ids, size_t capacity, size_t* needed,
                                        griffin_error* error) {
  return guarded(error, [&] {
    const std::vector<std::int32_t> all =
        griffin::encode_in_parts(tokenizer_of(tokenizer), text_of(text, size, "text"));
    copy_out(std::span(all), ids, capacity, needed);
  });
}

griffin_status griffin_tokenizer_decode(const griffin_tokenizer* tokenizer, const int32_t* ids,
                                        size_t count, char* text, size_t capacity, size_t* needed,
                                        griffin_error* error) {
  return guarded(error, [&] {
    copy_text(tokenizer_of(tokenizer).decode(array(ids, count, "ids")), text, capacity, needed);
  });
}

griffin_piece_kind griffin_tokenizer_piece_kind(const griffin_tokenizer* tokenizer, int32_t id) {
  try {
    const griffin::Tokenizer& of = tokenizer_of(tokenizer);
    if (of.spelling(id).empty()) return GRIFFIN_PIECE_NONE;
    if (of.is_control(id)) return GRIFFIN_PIECE_CONTROL;
    return of.is_byte(id) ? GRIFFIN_PIECE_BYTE : GRIFFIN_PIECE_TEXT;
  } catch (...) {
    return GRIFFIN_PIECE_NONE;
  }
}

griffin_status griffin_tokenizer_piece(const griffin_tokenizer* tokenizer, int32_t id, char* text,
                                       size_t capacity, size_t* needed, griffin_error* error) {
  return guarded(error,
                 [&] { copy_text(tokenizer_of(tokenizer).piece(id), text, capacity, needed); });
}

griffin_status griffin_tokenizer_piece_bytes(const griffin_tokenizer* tokenizer, int32_t id,
                                             char* bytes, size_t capacity, size_t* needed,
                                             griffin_error* error) {
  return guarded(
      error, [&] { copy_text(tokenizer_of(tokenizer).piece_bytes(id), bytes, capacity, needed); });
}

griffin_status griffin_tokenizer_find(const griffin_tokenizer* tokenizer, const char* piece,
                                      size_t size, int32_t* id, griffin_error* error) {
  return guarded(error, [&] {
    const auto found = tokenizer_of(tokenizer).find(text_of(piece, size, "piece"));
    required(id, "id") = found.value_or(-1);
  });
}

griffin_status griffin_chat_encode(const griffin_tokenizer* tokenizer, const griffin_model* model,
                                   const griffin_turn* turns, size_t count, int32_t* ids,
                                   size_t capacity, size_t* needed, griffin_error* error) {
  return guarded(error, [&] {
    const std::vector<std::int32_t> all =
        conversation_of(tokenizer, model).encode(turns_of(turns, count));
    copy_out(std::span(all), ids, capacity, needed);
  });
}

griffin_status griffin_chat_stop_ids(const griffin_tokenizer* tokenizer, const griffin_model* model,
                                     int32_t* ids, size_t capacity, size_t* needed,
                                     griffin_error* error) {
  return guarded(error, [&] {
    const griffin::Conversation conversation = conversation_of(tokenizer, model);
    const std::vector<std::int32_t> all = conversation.stop_ids(model->model.stop_ids());
    copy_out(std::span(all), ids, capacity, needed);
  });
}

griffin_status griffin_chat_find_format(const char* folder, griffin_chat_format* format,
                                        griffin_error* error) {
  static_assert(GRIFFIN_CHAT_UNKNOWN == static_cast<int>(griffin::ChatFormat::unknown) &&
                GRIFFIN_CHAT_NONE == static_cast<int>(griffin::ChatFormat::none) &&
                GRIFFIN_CHAT_GEMMA == static_cast<int>(griffin::ChatFormat::gemma) &&
                GRIFFIN_CHAT_OTHER == static_cast<int>(griffin::ChatFormat::other));
  return guarded(error, [&] {
    required(folder, "folder");
    required(format, "format") =
        static_cast<griffin_chat_format>(griffin::find_chat_template(folder).format);
  });
}
