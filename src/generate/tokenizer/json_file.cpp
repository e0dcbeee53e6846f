// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/json_file.h"

#include <algorithm>
#include <utility>

#include "formats/printable.h"
#include "generate/tokenizer/tokenizer_config.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  TokenizerJson read(std::string_view text) {
    const JsonPart parts[] = {{"model", "vocab", [this](JsonMember&& m) { add_piece(m); }},
                              {"model", "merges", [this](JsonMember&& m) { add_merge(m); }}};
    JsonObject all;
    read_json(
        text, name_, [&](JsonMember&& m) { all.push_back(std::move(m)); }, parts);
    std::sort(all.begin(), all.end(),
              [](const JsonMember& a, const JsonMember& b) { return a.key < b.key; });
    const JsonFields fields(name_, &all);
    complete(fields["model"]);
    read_added_tokens(fields["added_tokens"]);
    json_.rest = std::move(all);
    return std::move(json_);
  }

 private:
  /// A model of another kind has another vocabulary; its kind may come behind it.
  void complain(const JsonField& field, const std::string& expected) {
    if (complaint_.empty()) {
      complaint_ = field.path() + ": expected " + expected + ", found " + describe(*field.value());
    }
  }

  void add_piece(JsonMember& member) {
    const JsonField field(name_ + ": model: vocab: " + printable(member.key), &member.value);
    const auto* id = member.value.as<std::uint64_t>();
    if (id == nullptr || *id >= static_cast<std::uint64_t>(most_token_ids)) {
      complain(field, "an id below " + std::to_string(most_token_ids));
    } else if (member.key.size() > Bpe::longest_piece) {
      complain(field, "a piece of at most " + std::to_string(Bpe::longest_piece) + " bytes");
    } else if (!json_.bpe.add_piece(std::move(member.key), static_cast<std::int32_t>(*id))) {
      complain(field, "every piece once");
    }
  }

  /// "left right", or an array of both.
  void add_merge(const JsonMember& member) {
    const auto* array = member.value.as<JsonArray>();
    if (const auto* line = member.value.as<std::string>()) {
      const std::size_t space = line->find(' ');
      if (line->starts_with("#version")) return;
      if (space != std::string::npos && line->find(' ', space + 1) == std::string::npos) {
        const std::string_view both = *line;
        json_.bpe.add_merge(both.substr(0, space), both.substr(space + 1));
        return;
      }
    } else if (array != nullptr && array->size() == 2) {
      const auto* left = (*array)[0].as<std::string>();
      const auto* right = (*array)[1].as<std::string>();
      if (left != nullptr && right != nullptr) {
        json_.bpe.add_merge(*left, *right);
        return;
      }
    }
    complain(JsonField(name_ + ": model: merges", &member.value), "two pieces");
  }

  void complete(const JsonField& model) {
    const JsonFields fields(model.path(), model.object());
    const JsonField type = fields["type"];
    const JsonField merges = fields["merges"];
    // Files of the first versions do not say the type.
    if (merges.value() == nullptr || type.unless_null().text().value_or("BPE") != "BPE") {
      type.fail(ErrorCode::unsupported, "BPE with vocab and merges");
    }
    if (!complaint_.empty()) throw Error(ErrorCode::format, complaint_);
    if (fields["vocab"].object() == nullptr) fields["vocab"].fail(ErrorCode::format, "an object");
    if (merges.array() == nullptr) merges.fail(ErrorCode::format, "an array");
    if (fields["dropout"].unless_null().real(0, 1).value_or(0) != 0) {
      fields["dropout"].fail(ErrorCode::unsupported, "null or 0");
    }
    for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const JsonField field = fields[affix].unless_null();
      if (!field.text().value_or("").empty()) {
        field.fail(ErrorCode::unsupported, "null or an empty string");
      }
    }
    const auto flag = [&](const char* key) {
      return fields[key].unless_null().boolean().value_or(false);
    };
    BpeOptions options{.unknown = std::nullopt,
                       .fuse_unknown = flag("fuse_unk"),
                       .byte_fallback = flag("byte_fallback"),
                       .ignore_merges = flag("ignore_merges")};
    const JsonField unknown = fields["unk_token"].unless_null();
    if (const auto piece = unknown.text()) options.unknown = std::string(*piece);
    if (const auto merge = json_.bpe.complete(std::move(options))) {
      throw Error(ErrorCode::format, merges.path() + ": " + printable(*merge) +
                                         ": expected both halves and the whole in vocab");
    }
  }

  void read_added_tokens(const JsonField& field) {
    const JsonArray* array = field.unless_null().array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      const JsonField token(field.path() + "[" + std::to_string(i) + "]", &(*array)[i]);
      const JsonFields fields(token.path(), token.object());
      const std::optional<std::int64_t> id = fields["id"].integer(0, most_token_ids - 1);
      if (!id) fields["id"].fail(ErrorCode::format, "an id");
      json_.added_tokens.push_back(read_added_token(fields, static_cast<std::int32_t>(*id)));
      const AddedToken& added = json_.added_tokens.back();
      const std::optional<std::int32_t> piece = json_.bpe.find(added.content);
      if (piece && *piece != added.id) {
        fields["id"].fail(ErrorCode::mismatch, "the id in vocab, " + std::to_string(*piece) +
                                                   ", of " + printable(added.content));
      }
    }
  }

  const std::string& name_;
  TokenizerJson json_;
  std::string complaint_;  // the first about vocab or merges
};

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, const std::string& name) {
  return Reader(name).read(text);
}

}  // namespace griffin
