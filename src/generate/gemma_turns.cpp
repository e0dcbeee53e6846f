// SPDX-License-Identifier: Apache-2.0
#include "generate/gemma_turns.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "generate/jinja_statements.h"

namespace griffin {
namespace {

using Kind = JinjaStatement::Kind;

constexpr std::size_t most_bytes = 1 << 16;  // Gemma's have less than 2000
constexpr int most_levels = 16;              // of blocks in one another, and of parentheses
const JinjaTokens of_system = {"messages", "[", "0", "]", ".", "role", "==", "'system"};

std::ptrdiff_t offset(std::size_t i) {
  return static_cast<std::ptrdiff_t>(i);
}

std::size_t count(const JinjaTokens& tokens, std::string_view token) {
  return static_cast<std::size_t>(std::count(tokens.begin(), tokens.end(), token));
}

/// Without parentheses around the whole.
JinjaTokens bare(JinjaTokens tokens) {
  for (int level = 0; level < most_levels; ++level) {
    if (tokens.size() < 2 || tokens.front() != "(" || tokens.back() != ")") break;
    std::size_t open = 0;
    std::size_t i = 0;
    do {
      if (tokens[i] == "(") ++open;
      if (tokens[i] == ")") --open;
    } while (open > 0 && ++i < tokens.size());
    if (i + 1 != tokens.size()) break;
    tokens.pop_back();
    tokens.erase(tokens.begin());
  }
  return tokens;
}

/// "for m in messages" names a message m. Called message, unless that is another thing.
void name_the_message(JinjaStatements& statements) {
  constexpr std::array<std::string_view, 3> names = {"m", "msg", "turn"};
  std::string name;
  for (const JinjaStatement& statement : statements) {
    if (statement.kind == Kind::text) continue;
    if (count(statement.tokens, "message") > 0) return;
    if (name.empty() && statement.is_block("for") && statement.tokens.size() > 1) {
      name = statement.tokens[1];
    }
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) return;
  for (JinjaStatement& statement : statements) {
    if (statement.kind == Kind::text) continue;
    JinjaTokens& tokens = statement.tokens;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] == name && (i == 0 || tokens[i - 1] != ".")) tokens[i] = "message";
    }
  }
}

bool only_raises(const JinjaStatement& statement) {
  const JinjaTokens& tokens = statement.tokens;
  return statement.kind == Kind::output && tokens.size() > 2 && tokens[0] == "raise_exception" &&
         tokens[1] == "(" && tokens.back() == ")" && count(tokens, "(") == 1 &&
         count(tokens, ")") == 1;
}

/// Leaves out what raises, branches without a rest, and branches for a system's turn.
class Pruner {
 public:
  explicit Pruner(JinjaStatements& statements) : statements_(statements) {}

  /// Nothing for blocks that do not fit together.
  std::optional<JinjaStatements> prune() {
    JinjaStatements all = body(0);
    if (failed_ || at_ < statements_.size()) return std::nullopt;
    return all;
  }

 private:
  struct Branch {
    JinjaStatement head;  // if, elif or else
    JinjaStatements body;
  };

  bool is_at(std::string_view name) const {
    return at_ < statements_.size() && statements_[at_].is_block(name);
  }

  /// Up to what ends a block, or a branch of one.
  JinjaStatements body(int level) {
    JinjaStatements all;
    if (level > most_levels) failed_ = true;
    while (!failed_ && at_ < statements_.size()) {
      if (is_at("elif") || is_at("else") || is_at("endif") || is_at("endfor")) break;
      if (is_at("if")) {
        append(all, branches(level));
        continue;
      }
      JinjaStatement& statement = statements_[at_++];
      const bool loop = statement.is_block("for");
      if (!only_raises(statement)) all.push_back(std::move(statement));
      if (!loop) continue;
      append(all, body(level + 1));
      take("endfor", all);
    }
    return all;
  }

  JinjaStatements branches(int level) {
    std::vector<Branch> all;
    do {
      Branch branch{std::move(statements_[at_++]), {}};
      JinjaTokens& tokens = branch.head.tokens;
      JinjaTokens condition = bare({tokens.begin() + 1, tokens.end()});
      tokens.resize(1);
      tokens.insert(tokens.end(), condition.begin(), condition.end());
      branch.body = body(level + 1);
      all.push_back(std::move(branch));
    } while (is_at("elif") || is_at("else"));
    JinjaStatements end;
    take("endif", end);
    const JinjaTokens& first = all[0].head.tokens;
    if (std::equal(first.begin() + 1, first.end(), of_system.begin(), of_system.end())) {
      if (all.size() == 1) return {};
      if (all.size() == 2 && all[1].head.is_block("else")) return std::move(all[1].body);
    }
    while (!all.empty() && all.back().body.empty()) all.pop_back();
    JinjaStatements result;
    for (Branch& branch : all) {
      result.push_back(std::move(branch.head));
      append(result, std::move(branch.body));
    }
    if (!all.empty()) append(result, std::move(end));
    return result;
  }

  void take(std::string_view name, JinjaStatements& to) {
    failed_ = failed_ || !is_at(name);
    if (!failed_) to.push_back(std::move(statements_[at_++]));
  }

  static void append(JinjaStatements& all, JinjaStatements more) {
    for (JinjaStatement& statement : more) all.push_back(std::move(statement));
  }

  JinjaStatements& statements_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

/// A variable that is set once, before the messages, to them or to an empty text, is that.
void put_in_constants(JinjaStatements& statements) {
  while (!statements.empty()) {
    auto set = statements.begin();
    if (set->kind == Kind::output && set->tokens == JinjaTokens{"bos_token"}) ++set;
    if (set == statements.end() || !set->is_block("set") || set->tokens.size() != 4) return;
    const std::string name = set->tokens[1];
    const std::string value = set->tokens[3];
    if (set->tokens[2] != "=" || (value != "messages" && value != "'")) return;
    statements.erase(set);
    for (JinjaStatement& statement : statements) {
      if (statement.kind == Kind::text) continue;
      JinjaTokens& tokens = statement.tokens;
      // Set again, it becomes what is no known statement.
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] == name && (i == 0 || tokens[i - 1] != ".")) tokens[i] = value;
      }
    }
  }
}

void append_text(JinjaStatements& to, const std::string& text) {
  if (text.empty()) return;
  if (!to.empty() && to.back().kind == Kind::text) {
    to.back().tokens[0] += text;
  } else {
    to.push_back({Kind::text, {text}});
  }
}

/// A text is one; 'x' if ... else 'x', for an empty x, is nothing.
void append_summand(JinjaStatements& to, JinjaTokens tokens) {
  tokens = bare(std::move(tokens));
  if (tokens.size() == 1 && tokens[0][0] == '\'') {
    append_text(to, tokens[0].substr(1));
    return;
  }
  const std::size_t size = tokens.size();
  const bool nothing = size > 4 && tokens[0] == "'" && tokens[1] == "if" &&
                       tokens[size - 2] == "else" && tokens[size - 1] == "'" &&
                       count(tokens, "if") == 1 && count(tokens, "else") == 1;
  if (!nothing) to.push_back({Kind::output, std::move(tokens)});
}

int level_change(std::string_view token) {
  if (token == "(" || token == "[" || token == "{") return 1;
  return token == ")" || token == "]" || token == "}" ? -1 : 0;
}

/// Whether a sum is all that an output is: nothing in it binds less than + and ~.
bool is_sum(const JinjaTokens& tokens) {
  constexpr std::array<std::string_view, 13> loose = {"if", "else", "and", "or", "not", "in", "is",
                                                      "=",  "!",    "<",   ">",  "==",  "!="};
  int level = 0;
  for (const std::string& token : tokens) {
    level += level_change(token);
    const bool splits = std::find(loose.begin(), loose.end(), token) != loose.end();
    if (level < 0 || (level == 0 && splits)) return false;
  }
  return level == 0;
}

/// {{ 'a' + b }} as a{{ b }}.
JinjaStatements without_sums(JinjaStatements statements) {
  JinjaStatements result;
  for (JinjaStatement& statement : statements) {
    if (statement.kind == Kind::block) {
      result.push_back(std::move(statement));
      continue;
    }
    if (statement.kind == Kind::text) {
      append_text(result, statement.tokens[0]);
      continue;
    }
    const JinjaTokens tokens = bare(std::move(statement.tokens));
    const bool sum = is_sum(tokens);
    int level = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= tokens.size(); ++i) {
      const std::string token = i < tokens.size() ? tokens[i] : "+";
      level += level_change(token);
      const bool plus = sum && level == 0 && (token == "+" || token == "~");
      if (i < tokens.size() && !plus) continue;
      append_summand(result, {tokens.begin() + offset(begin), tokens.begin() + offset(i)});
      begin = i + 1;
    }
  }
  return result;
}

/// Nothing for what is no template.
std::optional<JinjaStatements> plain(std::string_view jinja) {
  auto statements = jinja_statements(jinja);
  if (!statements) return std::nullopt;
  name_the_message(*statements);
  auto pruned = Pruner(*statements).prune();
  if (!pruned) return std::nullopt;
  put_in_constants(*pruned);
  JinjaStatements result = without_sums(std::move(*pruned));
  const JinjaStatement bos{Kind::output, {"bos_token"}};
  if (!result.empty() && result.front() == bos) result.erase(result.begin());
  return result;
}

/// What stands in the loop over the messages.
constexpr std::array<std::string_view, 6> known_turns = {
    // Gemma 1 and 2
    R"({% if message.role == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message.role %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message.content | trim + '<end_of_turn>\n' }})",
    // Gemma 3
    R"({% if message.role == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message.role %}{% endif %}{{ '<start_of_turn>' + role + '\n' }}{% if message.content is string %}{{ message.content | trim }}{% elif message.content is iterable %}{% for item in message.content %}{% if item.type == 'image' %}{{ '<start_of_image>' }}{% elif item.type == 'text' %}{{ item.text | trim }}{% endif %}{% endfor %}{% endif %}{{ '<end_of_turn>\n' }})",
    // shorter ones that write the same
    R"({{ '<start_of_turn>' + message.role + '\n' + message.content | trim + '<end_of_turn>\n' }})",
    R"({{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' + message.content | trim + '<end_of_turn>\n' }})",
    R"({% if message.role == 'user' %}{{ '<start_of_turn>user\n' + message.content | trim + '<end_of_turn>\n' }}{% elif message.role == 'assistant' %}{{ '<start_of_turn>model\n' + message.content | trim + '<end_of_turn>\n' }}{% endif %})",
    R"({% if message.role == 'user' %}{{ '<start_of_turn>user\n' + message.content | trim + '<end_of_turn>\n' }}{% else %}{{ '<start_of_turn>model\n' + message.content | trim + '<end_of_turn>\n' }}{% endif %})"};

constexpr std::array<std::string_view, 2> known_ends = {
    R"({% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %})",
    R"({{ '<start_of_turn>model\n' }})"};

}  // namespace

bool writes_gemma_turns(std::string_view jinja) {
  if (jinja.size() > most_bytes) return false;
  const auto statements = plain(jinja);
  if (!statements) return false;
  for (const std::string_view turn : known_turns) {
    for (const std::string_view end : known_ends) {
      const std::string known =
          "{% for message in messages %}" + std::string(turn) + "{% endfor %}" + std::string(end);
      if (plain(known) == statements) return true;
    }
  }
  return false;
}

}  // namespace griffin
