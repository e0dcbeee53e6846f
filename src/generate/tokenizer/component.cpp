// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/component.h"

#include "generate/utf8.h"

namespace griffin {

Component::Component(const JsonField& field) : path_(field.path()), object_(field.object()) {
  const std::optional<std::string_view> type = (*this)["type"].text();
  if (!type) (*this)["type"].fail(ErrorCode::format, "the name of a kind");
  type_ = *type;
}

bool Component::boolean(std::string_view key, bool if_absent) const {
  return (*this)[key].unless_null().boolean().value_or(if_absent);
}

std::string_view Component::text(std::string_view key) const {
  const std::optional<std::string_view> text = (*this)[key].text();
  if (!text) (*this)[key].fail(ErrorCode::format, "a string");
  return *text;
}

std::string_view Component::character(std::string_view key) const {
  const std::string_view found = text(key);
  if (found.empty() || utf8_prefix(found).length != found.size()) {
    (*this)[key].fail(ErrorCode::format, "one character");
  }
  return found;
}

std::vector<Component> Component::parts(std::string_view key) const {
  const JsonArray* array = (*this)[key].array();
  if (array == nullptr) (*this)[key].fail(ErrorCode::format, "an array");
  std::vector<Component> parts;
  for (std::size_t i = 0; i < array->size(); ++i) {
    parts.emplace_back(
        JsonField((*this)[key].path() + "[" + std::to_string(i) + "]", &(*array)[i]));
  }
  return parts;
}

void Component::refuse_type(const std::string& known) const {
  (*this)["type"].fail(ErrorCode::unsupported, "one of " + known);
}

std::variant<std::string, Regex> Pattern::read(const Component& component) {
  const JsonField field = component["pattern"];
  const JsonFields fields(field.path(), field.object());
  const JsonField literal = fields["String"];
  const JsonField regex = fields["Regex"];
  if ((literal.value() == nullptr) == (regex.value() == nullptr)) {
    field.fail(ErrorCode::format, "an object with String or Regex");
  }
  if (const auto pattern = regex.text()) return Regex(*pattern, regex.path());
  if (literal.text()->empty()) literal.fail(ErrorCode::format, "a string that is not empty");
  return std::string(*literal.text());
}

Pattern::Pattern(const Component& component) : pattern_(read(component)) {}

std::vector<Match> Pattern::find_all(std::string_view text) const {
  if (const auto* regex = std::get_if<Regex>(&pattern_)) return regex->find_all(text);
  const std::string& literal = *std::get_if<std::string>(&pattern_);
  std::vector<Match> matches;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    matches.push_back({at, at + literal.size()});
  }
  return matches;
}

std::string Pattern::replace(std::string_view text, std::string_view with, std::size_t most) const {
  std::string replaced;
  std::size_t done = 0;
  for (const Match match : find_all(text)) {
    replaced += text.substr(done, match.begin - done);
    replaced += with;
    if (replaced.size() > most) return replaced;
    done = match.end;
  }
  return replaced.append(text.substr(done));
}

bool Pattern::is_one_character() const {
  const auto* literal = std::get_if<std::string>(&pattern_);
  return literal != nullptr && utf8_prefix(*literal).length == literal->size();
}

}  // namespace griffin
