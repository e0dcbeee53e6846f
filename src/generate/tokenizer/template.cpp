// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/template.h"

#include <string>

#include "formats/printable.h"
#include "generate/tokenizer/component.h"

namespace griffin {
namespace {

/// "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}
std::int32_t id_of(const Component& component, std::string_view name) {
  const JsonField tokens = component["special_tokens"];
  const JsonField token = JsonFields(tokens.path(), tokens.object())[name];
  const JsonField ids = JsonFields(token.path(), token.object())["ids"];
  const JsonArray* array = ids.array();
  if (array == nullptr || array->size() != 1) ids.fail(ErrorCode::unsupported, "one id");
  return static_cast<std::int32_t>(
      JsonField(ids.path() + "[0]", &array->front()).integer(0, INT32_MAX).value());
}

/// "single": [{"SpecialToken": {"id": "<bos>", ...}}, {"Sequence": {"id": "A", ...}}]
std::optional<std::int32_t> token_of_template(const Component& component) {
  const JsonField single = component["single"];
  const JsonArray* parts = single.array();
  if (parts == nullptr) single.fail(ErrorCode::format, "an array");
  std::optional<std::int32_t> found;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    const JsonField part(single.path() + "[" + std::to_string(i) + "]", &(*parts)[i]);
    const JsonFields fields(part.path(), part.object());
    if (fields["Sequence"].value() != nullptr) return found;
    const JsonField special = fields["SpecialToken"];
    const JsonField name = JsonFields(special.path(), special.object())["id"];
    if (!name.text()) part.fail(ErrorCode::format, "a Sequence or a SpecialToken with an id");
    if (found) part.fail(ErrorCode::unsupported, "one token in front of the text");
    found = id_of(component, *name.text());
  }
  single.fail(ErrorCode::format, "a template with a Sequence");
}

std::optional<std::int32_t> token_in_front(const Component& component) {
  const std::string_view type = component.type();
  if (type == "TemplateProcessing") return token_of_template(component);
  if (type == "ByteLevel") return std::nullopt;  // of offsets only
  if (type != "Sequence") component.refuse_type("ByteLevel, Sequence, TemplateProcessing");
  std::optional<std::int32_t> found;
  for (const Component& part : component.parts("processors")) {
    const auto id = token_in_front(part);
    if (id && found) {
      component["processors"].fail(ErrorCode::unsupported, "one token in front of the text");
    }
    if (id) found = id;
  }
  return found;
}

}  // namespace

std::optional<std::int32_t> token_in_front(const JsonField& post_processor) {
  if (post_processor.unless_null().value() == nullptr) return std::nullopt;
  return token_in_front(Component(post_processor));
}

}  // namespace griffin
