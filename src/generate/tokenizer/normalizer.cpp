// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/normalizer.h"

#include <algorithm>

#include "generate/tokenizer/white_space.h"

namespace griffin {
namespace {

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
  if (type == "Sequence") {
    for (const Component& part : component.parts("normalizers")) add(part);
  } else if (type == "NFC") {
    steps_.emplace_back(UnicodeForm::nfc);
  } else if (type == "NFD") {
    steps_.emplace_back(UnicodeForm::nfd);
  } else if (type == "NFKC") {
    steps_.emplace_back(UnicodeForm::nfkc);
  } else if (type == "NFKD") {
    steps_.emplace_back(UnicodeForm::nfkd);
  } else if (type == "Replace") {
    steps_.emplace_back(Replace{Pattern(component), std::string(component.text("content"))});
  } else if (type == "Prepend") {
    steps_.emplace_back(Prepend{std::string(component.text("prepend"))});
  } else if (type == "Strip") {
    steps_.emplace_back(
        Strip{component.boolean("strip_left", true), component.boolean("strip_right", true)});
  } else {
    component.refuse_type("NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence, Strip");
  }
}

std::string Normalizer::apply(const Step& step, std::string text) {
  if (const auto* form = std::get_if<UnicodeForm>(&step)) return to_unicode_form(text, *form);
  if (const auto* replace = std::get_if<Replace>(&step)) {
    return replace->pattern.replace(text, replace->content);
  }
  if (const auto* prepend = std::get_if<Prepend>(&step)) {
    return text.empty() ? text : prepend->content + text;
  }
  const auto* strip = std::get_if<Strip>(&step);
  return stripped(text, strip->left, strip->right);
}

std::string Normalizer::apply(std::string_view text) const {
  std::string normalized(text);
  for (const Step& step : steps_) normalized = apply(step, std::move(normalized));
  return normalized;
}

}  // namespace griffin
