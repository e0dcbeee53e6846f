// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/normalizer.h"

#include <algorithm>
#include <utility>

#include "generate/tokenizer/white_space.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t most_growth = 64;  // of a text; NFKD makes 11 times the bytes of U+FDFA
constexpr std::size_t always_allowed = 1 << 20;  // bytes

std::string stripped(std::string_view text, bool left, bool right) {
  if (left) text.remove_prefix(leading_space(text));
  if (right) text.remove_suffix(trailing_space(text));
  return std::string(text);
}

}  // namespace

Normalizer::Normalizer(const JsonField& field) {
  if (field.unless_null().value() != nullptr) add(Component(field));
}

void Normalizer::add(const Component& component) {
  const std::string_view type = component.type();
  const auto then = [&](Change change) { steps_.push_back({component.path(), std::move(change)}); };
  if (type == "Sequence") {
    for (const Component& part : component.parts("normalizers")) add(part);
  } else if (type == "NFC") {
    then(UnicodeForm::nfc);
  } else if (type == "NFD") {
    then(UnicodeForm::nfd);
  } else if (type == "NFKC") {
    then(UnicodeForm::nfkc);
  } else if (type == "NFKD") {
    then(UnicodeForm::nfkd);
  } else if (type == "Replace") {
    then(Replace{Pattern(component), std::string(component.text("content"))});
  } else if (type == "Prepend") {
    then(Prepend{std::string(component.text("prepend"))});
  } else if (type == "Strip") {
    then(Strip{component.boolean("strip_left", true), component.boolean("strip_right", true)});
  } else {
    component.refuse_type("NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence, Strip");
  }
}

std::string Normalizer::apply(const Change& change, std::string text, std::size_t most) {
  if (const auto* form = std::get_if<UnicodeForm>(&change)) return to_unicode_form(text, *form);
  if (const auto* replace = std::get_if<Replace>(&change)) {
    return replace->pattern.replace(text, replace->content, most);
  }
  if (const auto* prepend = std::get_if<Prepend>(&change)) {
    return text.empty() ? text : prepend->content + text;
  }
  const auto* strip = std::get_if<Strip>(&change);
  return stripped(text, strip->left, strip->right);
}

std::string Normalizer::apply(std::string_view text) const {
  const std::size_t most = most_growth * text.size() + always_allowed;
  std::string normalized(text);
  for (const Step& step : steps_) {
    normalized = apply(step.change, std::move(normalized), most);
    if (normalized.size() > most) {
      throw Error(ErrorCode::unsupported, step.path + ": expected at most " + std::to_string(most) +
                                              " bytes for a text of " +
                                              std::to_string(text.size()) + ", found more");
    }
  }
  return normalized;
}

}  // namespace griffin
