// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <utility>

#include "formats/printable.h"
#include "generate/tokenizer/decoder.h"
#include "generate/tokenizer/json_file.h"
#include "generate/tokenizer/normalizer.h"
#include "generate/tokenizer/pre_tokenizer.h"
#include "generate/tokenizer/template.h"
#include "generate/utf8.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

class JsonTokenizer final : public Tokenizer::Impl {
 public:
  JsonTokenizer(TokenizerJson json, const std::string& name, const TokenizerConfig& config)
      : bpe_(std::move(json.bpe)),
        normalizer_(JsonFields(name, &json.rest)["normalizer"]),
        pre_tokenizer_(JsonFields(name, &json.rest)["pre_tokenizer"]),
        decoder_(JsonFields(name, &json.rest)["decoder"]) {
    for (AddedToken& token : json.added_tokens) add(std::move(token));
    for (const AddedToken& token : config.added_tokens) {
      if (!find(token.content)) add(token);
    }
    for (const bool special : {false, true}) {
      for (const AddedToken& token : added_) {
        if (token.special == special) look_for(token);
      }
    }
    spell(name);
    bos_id = token_in_front(JsonFields(name, &json.rest)["post_processor"]);
    adds_bos = config.add_bos_token.value_or(bos_id.has_value());
  }

  std::int32_t size() const noexcept override {
    return static_cast<std::int32_t>(spellings_.size());
  }
  std::int32_t pieces() const noexcept override { return bpe_.size(); }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    const auto add_token = [&](std::int32_t id) { ids.push_back(id); };
    const auto add_text = [&](Match part) {
      const std::string normal = normalizer_.apply(text.substr(part.begin, part.end - part.begin));
      const auto add_words = [&](Match rest) {
        const bool begins_text = part.begin == 0 && rest.begin == 0;
        encode_words({normal.substr(rest.begin, rest.end - rest.begin), begins_text}, ids);
      };
      in_normalized_.split(normal, add_words, add_token);
    };
    in_text_.split(text, add_text, add_token);
    return ids;
  }

  std::string decode(std::span<const std::int32_t> ids) const override {
    std::vector<std::string> tokens;
    for (const std::int32_t id : ids) {
      std::string token = spelling(id);
      if (!token.empty()) tokens.push_back(std::move(token));
    }
    return to_utf8(decoder_.decode(std::move(tokens)), InvalidUtf8::parts);
  }

  void append_piece(std::int32_t id, std::string& text) const override {
    if (id < 0 || id >= size()) return;
    const auto at = static_cast<std::size_t>(id);
    text.append(texts_, text_begins_[at], text_begins_[at + 1] - text_begins_[at]);
  }

  std::optional<std::int32_t> find(std::string_view piece) const override {
    const auto added = added_ids_.find(std::string(piece));
    return added == added_ids_.end() ? bpe_.find(piece) : std::optional(added->second);
  }

  std::string spelling(std::int32_t id) const override {
    if (id < 0 || id >= size()) return {};
    return std::string(spellings_[static_cast<std::size_t>(id)]);
  }

  bool is_control(std::int32_t id) const override { return special_[static_cast<std::size_t>(id)]; }

  bool is_byte(std::int32_t id) const override {
    return !is_control(id) && decoder_.is_byte(spellings_[static_cast<std::size_t>(id)]);
  }

  bool replaces_parts() const noexcept override { return decoder_.replaces_parts(); }

 private:
  void add(AddedToken token) {
    if (!added_ids_.emplace(token.content, token.id).second) return;
    added_tokens.push_back(token);
    if (token.normalized) token.content = normalizer_.apply(token.content);  // decoded as such, too
    added_.push_back(std::move(token));
  }

  void look_for(const AddedToken& token) {
    if (token.content.empty()) return;
    (token.normalized ? in_normalized_ : in_text_).add(token.content, token);
  }

  void encode_words(Word text, std::vector<std::int32_t>& ids) const {
    for (const Word& word : pre_tokenizer_.cut(std::move(text))) bpe_.encode(word.text, ids);
  }

  /// Fills spellings_ and texts_.
  void spell(const std::string& name) {
    std::int32_t size = bpe_.size();
    for (const AddedToken& token : added_) size = std::max(size, token.id + 1);
    spellings_.resize(static_cast<std::size_t>(size));
    for (const auto& [piece, id] : bpe_.pieces()) {
      std::string_view& spelling = spellings_[static_cast<std::size_t>(id)];
      if (!spelling.empty()) {
        throw Error(ErrorCode::format, name + ": model: vocab: " + printable(piece) + " and " +
                                           printable(spelling) + " have the same id");
      }
      spelling = piece;
    }
    special_.resize(spellings_.size());
    for (const AddedToken& token : added_) {
      spellings_[static_cast<std::size_t>(token.id)] = token.content;
      special_[static_cast<std::size_t>(token.id)] = token.special;
    }
    text_begins_.reserve(spellings_.size() + 1);
    for (std::size_t id = 0; id < spellings_.size(); ++id) {
      text_begins_.push_back(texts_.size());
      if (special_[id] || spellings_[id].empty()) continue;
      texts_ += decoder_.piece(std::string(spellings_[id]));
    }
    text_begins_.push_back(texts_.size());
  }

  Bpe bpe_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Decoder decoder_;
  std::deque<AddedToken> added_;
  std::unordered_map<std::string, std::int32_t> added_ids_;
  AddedTokenFinder in_text_;
  AddedTokenFinder in_normalized_;
  std::vector<std::string_view> spellings_;  // by id
  std::vector<bool> special_;                // by id
  std::string texts_;                        // what every id adds to a text, one after the other
  std::vector<std::size_t> text_begins_;     // by id, and where the last one ends
};

}  // namespace

std::unique_ptr<const Tokenizer::Impl> parse_tokenizer_json(std::string_view text,
                                                            const std::string& name,
                                                            const TokenizerConfig& config) {
  return std::make_unique<const JsonTokenizer>(read_tokenizer_json(text, name), name, config);
}

}  // namespace griffin
