// SPDX-License-Identifier: Apache-2.0
// The numbers of fields are those of sentencepiece_model.proto.
#include "generate/tokenizer/sentencepiece_file.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::size_t longest_piece = 4096;  // bytes: a level of recursion each
constexpr std::int64_t most_pieces = 1 << 22;
constexpr std::size_t most_units = 1 << 20;  // of a normaliser's trie

struct Field {
  std::uint64_t number;
  std::uint64_t value;     // of a varint
  std::string_view bytes;  // of a string or a message
  bool is_bytes;
};

/// The fields of a message, one by one.
class Fields {
 public:
  Fields(std::string_view message, const std::string& what) : rest_(message), what_(what) {}

  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{key >> 3, 0, {}, false};
    if (field.number == 0 || field.number > most_number) fail();
    switch (key & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        field.is_bytes = true;
        break;
      case 5:
        take(4);
        break;
      default:
        fail();  // groups, which SentencePiece does not have
    }
    return field;
  }

 private:
  static constexpr std::uint64_t most_number = (1 << 29) - 1;

  [[noreturn]] void fail() const {
    throw Error(ErrorCode::format, what_ + ": not a SentencePiece model: damaged");
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  std::string_view rest_;
  const std::string& what_;
};

/// The trie of a normaliser, a double array of Darts-clone, as its prefix search walks it.
class Trie {
 public:
  /// Of one unit at least.
  explicit Trie(std::string_view bytes) : units_(bytes.size() / sizeof(std::uint32_t)) {
    std::memcpy(units_.data(), bytes.data(), units_.size() * sizeof(std::uint32_t));
  }

  /// Whether no text leads the search out of the array, or to a value of `text_size` or more.
  bool is_sound(std::size_t text_size) const {
    std::vector<bool> seen(units_.size());
    std::vector<std::size_t> nodes = {offset(units_[0])};
    while (!nodes.empty()) {
      const std::size_t node = nodes.back();
      nodes.pop_back();
      if ((node | 0xFF) >= units_.size()) return false;  // any byte may be tried
      if (seen[node]) continue;
      seen[node] = true;
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const std::uint32_t unit = units_[node ^ byte];
        if (label(unit) != byte) continue;
        const std::size_t child = node ^ byte ^ offset(unit);
        if (has_leaf(unit) && (child >= units_.size() || value(units_[child]) >= text_size)) {
          return false;
        }
        nodes.push_back(child);
      }
    }
    return true;
  }

 private:
  static bool has_leaf(std::uint32_t unit) noexcept { return (unit >> 8 & 1U) != 0; }
  static std::uint32_t value(std::uint32_t unit) noexcept { return unit & 0x7FFFFFFFU; }
  static std::uint32_t label(std::uint32_t unit) noexcept { return unit & 0x800000FFU; }
  static std::size_t offset(std::uint32_t unit) noexcept {
    return static_cast<std::size_t>(unit >> 10) << ((unit & 1U << 9) >> 6);
  }

  std::vector<std::uint32_t> units_;
};

class Checker {
 public:
  explicit Checker(const std::string& name) : name_(name) {}

  void check(std::string_view bytes) {
    Fields fields(bytes, name_);
    while (const auto field = fields.next()) {
      if (!field->is_bytes) continue;
      switch (field->number) {
        case 1:
          check_piece(field->bytes);
          break;
        case 2:
          check_trainer(field->bytes);
          break;
        case 3:
        case 5:
          check_normalizer(field->bytes);
          break;
        case 4:
          check_self_test(field->bytes);
          break;
        default:
          break;
      }
    }
    if (pieces_ == 0) fail("no pieces");
    if (unknown_ != 1) fail("expected one unknown piece, found " + std::to_string(unknown_));
    if (unknown_id_ >= static_cast<std::uint64_t>(pieces_)) fail("unk_id is no piece");
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::format, name_ + ": not a SentencePiece model: " + what);
  }

  void check_piece(std::string_view message) {
    constexpr std::uint64_t unknown = 2;
    std::string_view text;
    std::uint64_t type = 1;
    Fields fields(message, name_);
    while (const auto field = fields.next()) {
      if (field->number == 1) text = field->bytes;
      if (field->number == 3) type = field->value;
    }
    if (text.empty() || text.size() > longest_piece || text.find('\0') != std::string_view::npos) {
      fail("piece " + std::to_string(pieces_) + ": expected 1 to " + std::to_string(longest_piece) +
           " bytes, none of them 0, found " + std::to_string(text.size()));
    }
    unknown_ += type == unknown ? 1 : 0;
    if (++pieces_ > most_pieces) fail("more than " + std::to_string(most_pieces) + " pieces");
  }

  void check_trainer(std::string_view message) {
    Fields fields(message, name_);
    while (const auto field = fields.next()) {
      if (field->number == 40) unknown_id_ = field->value;
    }
  }

  void check_normalizer(std::string_view message) {
    Fields fields(message, name_);
    while (const auto field = fields.next()) {
      if (field->number == 2 && !field->bytes.empty()) check_tables(field->bytes);
    }
  }

  /// The size of the trie in 4 bytes, the trie, and the texts that it points into.
  void check_tables(std::string_view tables) {
    std::uint32_t size = 0;
    if (tables.size() < sizeof size) fail("a normaliser without its tables");
    std::memcpy(&size, tables.data(), sizeof size);
    tables.remove_prefix(sizeof size);
    if (size == 0 || size >= tables.size() || size % sizeof(std::uint32_t) != 0 ||
        size / sizeof(std::uint32_t) > most_units) {
      fail("the trie of a normaliser has " + std::to_string(size) + " bytes");
    }
    if (!Trie(tables.substr(0, size)).is_sound(tables.size() - size)) {
      fail("the trie of a normaliser leads out of its tables");
    }
  }

  void check_self_test(std::string_view message) {
    Fields samples(message, name_);
    while (const auto sample = samples.next()) {
      if (!sample->is_bytes) continue;
      Fields fields(sample->bytes, name_);
      while (fields.next()) continue;
    }
  }

  const std::string& name_;
  std::int64_t pieces_ = 0;
  std::int64_t unknown_ = 0;      // pieces of that type
  std::uint64_t unknown_id_ = 0;  // as the trainer left it
};

}  // namespace

void check_sentencepiece_model(std::string_view bytes, const std::string& name) {
  Checker(name).check(bytes);
}

}  // namespace griffin
