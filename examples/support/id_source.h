// SPDX-License-Identifier: Apache-2.0
// The token ids of a text or a list, piece by piece: both may be longer than memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/text_encoder.h"
#include "support/input.h"

namespace griffin::examples {

/// Ids in their order. Whoever takes a piece knows whether it is the last.
class IdSource {
 public:
  static constexpr std::int64_t piece = 1 << 14;  // ids of a piece at least, but for the last

  IdSource() = default;
  virtual ~IdSource() = default;
  IdSource(const IdSource&) = delete;
  IdSource& operator=(const IdSource&) = delete;

  /// The next ids; none if there are no more. Throws what reading does.
  std::vector<std::int32_t> next() {
    fill();
    std::vector<std::int32_t> ids = std::exchange(ahead_, {});
    taken_ += std::ssize(ids);
    fill();
    return ids;
  }

  /// Whether there are no more.
  bool over() {
    fill();
    return ahead_.empty();
  }

  /// Reads on until there are more than `limit` ids, which next() then gives at once. Returns how
  /// many there are.
  std::int64_t gather(std::int64_t limit = INT64_MAX) {
    while (!ended_ && std::ssize(ahead_) <= limit) ended_ = !read(ahead_);
    return std::ssize(ahead_);
  }

  /// How many there are in all; 0 if that cannot be told yet. A guess, where more is to be read.
  std::uint64_t total() const {
    const auto known = static_cast<double>(taken_ + std::ssize(ahead_));
    return static_cast<std::uint64_t>(ended_ ? known : known * whole());
  }

 protected:
  /// Appends ids. Returns whether there may be more.
  virtual bool read(std::vector<std::int32_t>& ids) = 0;
  /// All there is to read as a multiple of what was read; 0 if it is not known.
  virtual double whole() const { return 0; }

 private:
  void fill() { gather(piece - 1); }

  std::vector<std::int32_t> ahead_;
  std::int64_t taken_ = 0;
  bool ended_ = false;
};

/// Ids that are there.
class GivenIds : public IdSource {
 public:
  explicit GivenIds(std::vector<std::int32_t> ids) : ids_(std::move(ids)) {}

 private:
  bool read(std::vector<std::int32_t>& ids) override {
    ids.insert(ids.end(), ids_.begin(), ids_.end());
    return false;
  }

  std::vector<std::int32_t> ids_;
};

class IdsOfFile : public IdSource {
 protected:
  explicit IdsOfFile(InputFile file) : file_(std::move(file)) {}

  double whole() const override {
    if (file_.bytes_read() == 0) return 0;
    return static_cast<double>(file_.size()) / static_cast<double>(file_.bytes_read());
  }

  InputFile file_;
};

/// The whitespace-separated token ids of a file. Throws Error(format) for what is no number of the
/// vocabulary.
class ListedIds : public IdsOfFile {
 public:
  ListedIds(InputFile file, std::int64_t vocab) : IdsOfFile(std::move(file)), vocab_(vocab) {}

 private:
  bool read(std::vector<std::int32_t>& ids) override {
    const std::string block = file_.next();
    cut_ += block;
    // The last word may go on in the next block, if it may be a number at all.
    const std::size_t last_space = cut_.find_last_of(id_separators);
    std::size_t end = last_space == std::string::npos ? 0 : last_space + 1;
    if (block.empty() || cut_.size() - end > longest) end = cut_.size();
    append_ids(std::string_view(cut_).substr(0, end), vocab_, file_.path(), items_, ids);
    cut_.erase(0, end);
    return !block.empty();
  }

  static constexpr std::size_t longest = 1 << 16;  // a word that is no number, if it is longer

  std::int64_t vocab_;
  std::int64_t items_ = 0;
  std::string cut_;  // what may be the beginning of a word
};

/// What to do with the text of a file.
struct TextRules {
  std::optional<std::int32_t> first;  // an id before the text
  /// Editors end a file with a line feed that is no part of its text, or with CR and line feed.
  bool leaves_out_last_line_feed = false;
};

/// The ids of the text in a file.
class EncodedText : public IdsOfFile {
 public:
  EncodedText(InputFile file, const Tokenizer& tokenizer, const TextRules& rules)
      : IdsOfFile(std::move(file)), encoder_(tokenizer), rules_(rules) {}

  /// Whether lines end with CR and line feed, as far as was read and kept of it.
  bool has_crlf() const { return has_crlf_; }
  /// The beginning of the text.
  const std::string& beginning() const { return beginning_; }

 private:
  bool read(std::vector<std::int32_t>& ids) override {
    if (rules_.first) ids.push_back(*std::exchange(rules_.first, std::nullopt));
    const std::string block = file_.next();
    if (beginning_.empty()) beginning_ = block.substr(0, 64);
    if (block.empty()) {
      if (rules_.leaves_out_last_line_feed) leave_out_line_feed();
      push(held_, ids);
      encoder_.finish(ids);
      return false;
    }
    held_ += block;
    // What may be the end of the last line is kept for the end.
    const bool line_feed = held_.ends_with('\n');
    const std::size_t kept = held_.ends_with("\r\n")              ? 2
                             : line_feed || held_.ends_with('\r') ? 1
                                                                  : 0;
    const std::size_t line_end = held_.size() - kept;
    push(std::string_view(held_).substr(0, line_end), ids);
    held_.erase(0, line_end);
    return true;
  }

  void push(std::string_view text, std::vector<std::int32_t>& ids) {
    has_crlf_ = has_crlf_ || text.find("\r\n") != std::string_view::npos ||
                (ends_with_cr_ && text.starts_with('\n'));
    if (!text.empty()) ends_with_cr_ = text.back() == '\r';
    encoder_.push(text, ids);
  }

  void leave_out_line_feed() {
    if (!held_.ends_with('\n')) return;
    held_.pop_back();
    if (held_.ends_with('\r')) held_.pop_back();
  }

  TextEncoder encoder_;
  TextRules rules_;
  std::string beginning_;
  std::string held_;
  bool has_crlf_ = false;
  bool ends_with_cr_ = false;
};

}  // namespace griffin::examples
