// SPDX-License-Identifier: Apache-2.0
#include "generate/tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "generate/tokenizer/byte_alphabet.h"

namespace griffin {
namespace {

/// GPT-2's.
constexpr std::string_view byte_level_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

/// Of a word: what matches, and what is between.
struct PreTokenizer::Part {
  Match range;
  bool matches;
};

PreTokenizer::PreTokenizer(const JsonField& field) {
  if (field.unless_null().value() != nullptr) add(Component(field));
}

void PreTokenizer::add(const Component& component) {
  const std::string_view type = component.type();
  if (type == "Sequence") {
    for (const Component& part : component.parts("pretokenizers")) add(part);
  } else if (type == "Split") {
    steps_.emplace_back(
        Split{Pattern(component), behavior(component), component.boolean("invert", false)});
  } else if (type == "ByteLevel") {
    add_byte_level(component);
  } else if (type == "Metaspace") {
    add_metaspace(component);
  } else if (type == "Digits") {
    const bool one_by_one = component.boolean("individual_digits", false);
    steps_.emplace_back(Split{Pattern(Regex("\\p{N}", component.path())),
                              one_by_one ? Behavior::isolated : Behavior::contiguous, false});
  } else {
    component.refuse_type("ByteLevel, Digits, Metaspace, Sequence, Split");
  }
}

void PreTokenizer::add_byte_level(const Component& component) {
  steps_.emplace_back(ByteLevel{component.boolean("add_prefix_space", true)});
  if (component.boolean("use_regex", true)) {
    steps_.emplace_back(
        Split{Pattern(Regex(byte_level_pattern, component.path())), Behavior::isolated, false});
  }
  steps_.emplace_back(SpellBytes{});
}

void PreTokenizer::add_metaspace(const Component& component) {
  std::string replacement(component.character("replacement"));
  steps_.emplace_back(Metaspace{replacement, prepend(component)});
  if (component.boolean("split", true)) {
    steps_.emplace_back(Split{Pattern(std::move(replacement)), Behavior::merged_with_next, false});
  }
}

PreTokenizer::Metaspace::Prepend PreTokenizer::prepend(const Component& component) {
  using Prepend = Metaspace::Prepend;
  // The older field, which wins where it says no.
  if (!component.boolean("add_prefix_space", true)) return Prepend::never;
  const JsonField scheme = component["prepend_scheme"].unless_null();
  const std::string_view name = scheme.text().value_or("always");
  if (name == "always") return Prepend::always;
  if (name == "first") return Prepend::first;
  if (name == "never") return Prepend::never;
  scheme.fail(ErrorCode::unsupported, "always, first or never");
}

PreTokenizer::Behavior PreTokenizer::behavior(const Component& component) {
  constexpr std::pair<std::string_view, Behavior> known[] = {
      {"Removed", Behavior::removed},
      {"Isolated", Behavior::isolated},
      {"Contiguous", Behavior::contiguous},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next}};
  const std::string_view name = component.text("behavior");
  for (const auto& [word, behavior] : known) {
    if (word == name) return behavior;
  }
  component["behavior"].fail(
      ErrorCode::unsupported,
      "one of Contiguous, Isolated, MergedWithNext, MergedWithPrevious, Removed");
}

std::vector<PreTokenizer::Part> PreTokenizer::parts(const Split& split, std::string_view text) {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (const Match match : split.pattern.find_all(text)) {
    if (match.begin != done) parts.push_back({{done, match.begin}, split.invert});
    parts.push_back({match, !split.invert});
    done = match.end;
  }
  if (done != text.size()) parts.push_back({{done, text.size()}, split.invert});
  return parts;
}

void PreTokenizer::cut(const Split& split, Word word, std::vector<Word>& words) {
  std::vector<Part> cut = parts(split, word.text);
  const bool from_the_end = split.behavior == Behavior::merged_with_next;
  if (from_the_end) std::reverse(cut.begin(), cut.end());
  const auto joins = [&](const Part& part, bool previous_matches) {
    switch (split.behavior) {
      case Behavior::removed:
      case Behavior::isolated:
        return false;
      case Behavior::contiguous:
        return part.matches == previous_matches;
      case Behavior::merged_with_previous:
      case Behavior::merged_with_next:
        break;
    }
    return part.matches && !previous_matches;
  };
  std::vector<Match> kept;
  bool previous_matches = false;
  for (const Part& part : cut) {
    if (split.behavior == Behavior::removed && part.matches) continue;
    if (!kept.empty() && joins(part, previous_matches)) {
      (from_the_end ? kept.back().begin : kept.back().end) =
          from_the_end ? part.range.begin : part.range.end;
    } else {
      kept.push_back(part.range);
    }
    previous_matches = part.matches;
  }
  if (from_the_end) std::reverse(kept.begin(), kept.end());
  for (const Match range : kept) {
    if (range.begin == range.end) continue;
    words.push_back({word.text.substr(range.begin, range.end - range.begin),
                     word.begins_text && range.begin == 0});
  }
}

void PreTokenizer::change(const Step& step, Word& word) {
  if (const auto* level = std::get_if<ByteLevel>(&step)) {
    if (level->add_prefix_space && !word.text.starts_with(' ')) word.text.insert(0, 1, ' ');
  } else if (const auto* space = std::get_if<Metaspace>(&step)) {
    static const Pattern blank(" ");
    word.text = blank.replace(word.text, space->replacement);
    const bool prepends = space->prepend == Metaspace::Prepend::always ||
                          (space->prepend == Metaspace::Prepend::first && word.begins_text);
    if (prepends && !word.text.starts_with(space->replacement)) {
      word.text.insert(0, space->replacement);
    }
  } else if (std::holds_alternative<SpellBytes>(step)) {
    word.text = ByteAlphabet::get().spell(word.text);
  }
}

std::vector<Word> PreTokenizer::cut(Word text) const {
  std::vector<Word> words;
  if (!text.text.empty()) words.push_back(std::move(text));
  for (const Step& step : steps_) {
    if (const auto* split = std::get_if<Split>(&step)) {
      std::vector<Word> all;
      for (Word& word : words) cut(*split, std::move(word), all);
      words = std::move(all);
    } else {
      for (Word& word : words) change(step, word);
    }
  }
  return words;
}

}  // namespace griffin
