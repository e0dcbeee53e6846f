// SPDX-License-Identifier: Apache-2.0
// From Oniguruma's syntax (Ruby's, which has ^ and $ at every line) to PCRE2's (Perl's). What is
// not known to mean the same, or to be sayable, is refused.
#include <cctype>
#include <vector>

#include "formats/printable.h"
#include "generate/tokenizer/regex.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::string_view word_list = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
// Outside lists Oniguruma has six characters of Latin-1 with them that are no digits in Unicode.
constexpr std::string_view more_of_word = "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
constexpr std::string_view hex_list = "0-9a-fA-F";

class Translator {
 public:
  Translator(std::string_view in, const std::string& name) : in_(in), name_(name) {}

  std::string translate() {
    while (at_ < in_.size()) {
      switch (in_[at_]) {
        case '\\':
          begin_atom(), escape(false);
          break;
        case '[':
          begin_atom(), list();
          break;
        case '(':
          open_group();
          break;
        case ')':
          close_group();
          break;
        case '{':
          interval();
          break;
        case '*':
        case '+':
        case '?':
        case '|':
          out_ += in_[at_++];
          break;
        default:
          begin_atom(), copy_code_point();
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::unsupported,
                name_ + ": regular expression " + printable(in_) + ": " + what + " is not known");
  }
  char next() const { return at_ + 1 < in_.size() ? in_[at_ + 1] : '\0'; }

  void begin_atom() { atom_ = out_.size(); }

  void copy_code_point() {
    do {
      out_ += in_[at_++];
    } while (at_ < in_.size() && (static_cast<unsigned char>(in_[at_]) & 0xC0U) == 0x80U);
  }

  void open_group() {
    begin_atom();
    groups_.push_back(out_.size());
    out_ += in_[at_++];
    if (in_.substr(at_).starts_with("*")) refuse("\"(*\"");
    if (!in_.substr(at_).starts_with("?")) return;
    out_ += in_[at_++];
    if (in_.substr(at_).starts_with("#")) refuse("a comment");
    if (in_.substr(at_).starts_with("<=") || in_.substr(at_).starts_with("<!")) {
      out_ += in_.substr(at_, 2);
      at_ += 2;
      return;
    }
    while (at_ < in_.size() &&
           (std::isalpha(static_cast<unsigned char>(in_[at_])) != 0 || in_[at_] == '-')) {
      option(in_[at_++]);
    }
  }

  /// Of "(?i-m:": Ruby's m lets the dot match line feeds.
  void option(char letter) {
    if (letter == 'i' || letter == '-') {
      out_ += letter;
    } else if (letter == 'm') {
      out_ += 's';
    } else {
      refuse(std::string("(?") + letter);
    }
  }

  void close_group() {
    if (groups_.empty()) refuse("a \")\" without \"(\"");
    atom_ = groups_.back();
    groups_.pop_back();
    out_ += in_[at_++];
  }

  /// "{2,3}+" is greedy in Ruby, and repeated; "{,3}" begins at 0.
  void interval() {
    const std::size_t end = in_.find('}', at_);
    const std::string_view inside =
        end == std::string_view::npos ? "" : in_.substr(at_ + 1, end - at_ - 1);
    if (inside.empty() || inside.find_first_not_of("0123456789,") != std::string_view::npos) {
      begin_atom();
      out_ += "\\{";
      ++at_;
      return;
    }
    out_ += inside.front() == ',' ? "{0" : "{";
    out_ += inside;
    out_ += '}';
    at_ = end + 1;
    const bool fixed = inside.find(',') == std::string_view::npos;
    if (fixed && at_ < in_.size() && in_[at_] == '?') refuse("\"?\" behind a fixed number");
    if (at_ < in_.size() && in_[at_] == '+') {
      out_.insert(atom_, "(?:");
      out_ += ')';
    }
  }

  void list() {
    out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == ']') refuse("a list that begins with \"]\"");
    while (at_ < in_.size() && in_[at_] != ']') {
      if (in_[at_] == '\\') {
        escape(true);
      } else if (in_[at_] == '[') {
        if (next() != ':') refuse("a list within a list");
        refuse("a POSIX class");
      } else if (in_.substr(at_).starts_with("&&")) {
        refuse("an intersection of lists");
      } else {
        copy_code_point();
      }
    }
    if (at_ == in_.size()) refuse("a list without end");
    out_ += in_[at_++];
  }

  void escape(bool in_list) {
    const char c = next();
    if (c == '\0') refuse("\"\\\" at the end");
    if (static_cast<unsigned char>(c) >= 0x80) {
      ++at_;
      copy_code_point();
      return;
    }
    at_ += 2;
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      out_ += '\\';
      out_ += c;
    } else if (!character(c) && !property(c, in_list)) {
      const std::string_view same = in_list ? "bdD" : "dDAzZGRXKk123456789";
      if (same.find(c) == std::string_view::npos) refuse(std::string("\\") + c);
      out_ += '\\';
      out_ += c;
    }
  }

  /// An escape that stands for one character.
  bool character(char c) {
    switch (c) {
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        out_ += std::string("\\") + c;
        return true;
      case 'v':
        out_ += "\\x0B";
        return true;
      case 'u':
        out_ += "\\x{" + std::string(hex(4)) + "}";
        return true;
      case 'x':
        hex_escape();
        return true;
      default:
        return false;
    }
  }

  std::string_view hex(std::size_t digits) {
    const std::string_view found = in_.substr(at_, digits);
    if (found.size() != digits ||
        found.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      refuse("an escape without its digits");
    }
    at_ += digits;
    return found;
  }

  void hex_escape() {
    if (in_.substr(at_).starts_with("{")) {
      const std::size_t end = in_.find('}', at_);
      if (end == std::string_view::npos) refuse("\\x{ without }");
      out_ += "\\x" + std::string(in_.substr(at_, end + 1 - at_));
      at_ = end + 1;
      return;
    }
    const std::string_view byte = hex(2);
    if (byte.front() > '7') refuse("a single byte of a character");
    out_ += "\\x" + std::string(byte);
  }

  /// An escape that stands for one of several characters, or for a place.
  bool property(char c, bool in_list) {
    const std::string word = std::string(word_list) + (in_list ? "" : std::string(more_of_word));
    switch (c) {
      case 's':
        out_ += "\\p{White_Space}";
        return true;
      case 'S':
        out_ += "\\P{White_Space}";
        return true;
      case 'p':
      case 'P':
        property_by_name(c);
        return true;
      case 'h':
        out_ += in_list ? std::string(hex_list) : "[" + std::string(hex_list) + "]";
        return true;
      case 'w':
        out_ += in_list ? word : "[" + word + "]";
        return true;
      case 'H':
      case 'W':
        if (in_list) refuse(std::string("\\") + c + " in a list");
        out_ += "[^" + (c == 'W' ? word : std::string(hex_list)) + "]";
        return true;
      case 'b':
        if (in_list) return false;
        out_ += "(?:(?<=[" + word + "])(?![" + word + "])|(?<![" + word + "])(?=[" + word + "]))";
        return true;
      case 'B':
        if (in_list) return false;
        out_ += "(?:(?<=[" + word + "])(?=[" + word + "])|(?<![" + word + "])(?![" + word + "]))";
        return true;
      default:
        return false;
    }
  }

  void property_by_name(char c) {
    const std::size_t end = in_.find('}', at_);
    if (!in_.substr(at_).starts_with("{") || end == std::string_view::npos) {
      refuse(std::string("\\") + c + " without {}");
    }
    std::string_view name = in_.substr(at_ + 1, end - at_ - 1);
    out_ += std::string("\\") + c + '{';
    if (name.starts_with('^')) {
      out_ += '^';
      name.remove_prefix(1);
    }
    // PCRE2 would take characters with it that several scripts share.
    if (is_script(name)) out_ += "sc:";
    out_ += std::string(name) + '}';
    at_ = end + 1;
  }

  std::string_view in_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;             // in out_, where what a quantifier repeats begins
  std::vector<std::size_t> groups_;  // in out_, where open ones begin
};

}  // namespace

std::string to_pcre2(std::string_view pattern, const std::string& name) {
  return Translator(pattern, name).translate();
}

}  // namespace griffin
