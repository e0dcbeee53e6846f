// SPDX-License-Identifier: Apache-2.0
// Tokens that a text is cut at before anything else is done to it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "generate/tokenizer/regex.h"

namespace griffin {

struct AddedToken {
  std::int32_t id = 0;
  std::string content{};
  bool single_word = false;  // only where no word goes on before or behind it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and behind it
  bool normalized = false;   // looked for in the normalised text, and normalised itself
  bool special = false;      // no text: not handed out when a text is made
};

/// Finds tokens in a text: the first, and of several that begin there the longest.
class AddedTokenFinder {
 public:
  /// By what is looked for, which is not empty. Of two that are the same the first holds.
  void add(std::string_view pattern, const AddedToken& token);
  bool empty() const noexcept { return tokens_.empty(); }

  /// The text between tokens, where there is any, and the tokens, in their order.
  void split(std::string_view text, const std::function<void(Match)>& on_text,
             const std::function<void(std::int32_t)>& on_token) const;

 private:
  struct Node {
    std::map<unsigned char, std::size_t> next;
    std::ptrdiff_t token = -1;  // the one that ends here
  };
  struct Found {
    std::ptrdiff_t token = -1;
    std::size_t length = 0;
  };

  Found longest_at(std::string_view text) const;
  static bool is_single_word(std::string_view text, Match match);

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_ = {{}};
};

}  // namespace griffin
