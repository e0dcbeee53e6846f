// SPDX-License-Identifier: Apache-2.0
// How a text is cut into the words that are encoded each alone.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "generate/tokenizer/component.h"

namespace griffin {

/// A part of a text on its way to the vocabulary.
struct Word {
  std::string text;
  bool begins_text;  // nothing of the whole text is before it
};

class PreTokenizer {
 public:
  /// Null and absent: the text is one word. Throws Error(unsupported) for a kind that is not known
  /// and Error(format), both naming the part.
  explicit PreTokenizer(const JsonField& field);

  /// None of the words is empty.
  std::vector<Word> cut(Word text) const;

 private:
  /// What becomes of the parts that match.
  enum class Behavior { removed, isolated, contiguous, merged_with_previous, merged_with_next };
  struct Split {
    Pattern pattern;
    Behavior behavior;
    bool invert;
  };
  struct ByteLevel {
    bool add_prefix_space;
  };
  struct Metaspace {
    enum class Prepend { always, first, never };
    std::string replacement;
    Prepend prepend;
  };
  /// Words are spelled in the alphabet of bytes.
  struct SpellBytes {};
  using Step = std::variant<Split, ByteLevel, Metaspace, SpellBytes>;
  struct Part;

  void add(const Component& component);
  void add_byte_level(const Component& component);
  void add_metaspace(const Component& component);
  static Behavior behavior(const Component& component);
  static Metaspace::Prepend prepend(const Component& component);
  static std::vector<Part> parts(const Split& split, std::string_view text);
  static void cut(const Split& split, Word word, std::vector<Word>& words);
  static void change(const Step& step, Word& word);

  std::vector<Step> steps_;
};

}  // namespace griffin
