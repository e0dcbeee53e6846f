// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "formats/json.h"
#include "formats/printable.h"
#include "formats/stand_in.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t max_header = 100'000'000;
constexpr std::size_t max_rank = 256;
constexpr const char* too_short = "; the download may not be complete";

struct StoredType {
  std::string_view name;
  std::uint64_t bits;
};
constexpr StoredType stored_types[] = {
    {"BOOL", 8},    {"U8", 8},          {"I8", 8},   {"F8_E5M2", 8},     {"F8_E4M3", 8},
    {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F4", 4},   {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6},
    {"F6_E3M2", 6}, {"I16", 16},        {"U16", 16}, {"F16", 16},        {"BF16", 16},
    {"I32", 32},    {"U32", 32},        {"F32", 32}, {"C64", 64},        {"F64", 64},
    {"I64", 64},    {"U64", 64},
};

/// An entry of the header, not yet compared with the others.
struct Entry {
  std::string name;
  StoredTensor tensor;      // data still empty
  std::uint64_t bits = 0;   // of an element
  std::uint64_t begin = 0;  // of the data, from the end of the header
  std::uint64_t end = 0;
};

std::string to_text(const std::vector<std::uint64_t>& numbers) {
  std::string text = "[";
  for (const std::uint64_t number : numbers) {
    if (text.size() > 1) text += ", ";
    if (text.size() > 200) return text + "...]";
    text += std::to_string(number);
  }
  return text + "]";
}

class Parser {
 public:
  Parser(std::span<const std::byte> file, const std::string& name, Metadata* metadata)
      : file_(file), name_(name), metadata_(metadata) {}

  TensorMap parse() {
    const std::uint64_t header = header_length();
    const auto* text = reinterpret_cast<const char*>(file_.data()) + length_bytes;
    read_json({text, static_cast<std::size_t>(header)}, name_ + ": header",
              [this](JsonMember&& member) { add(std::move(member)); });
    return attach(file_.subspan(static_cast<std::size_t>(length_bytes + header)));
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::format, name_ + ": " + what);
  }
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    fail("tensor " + printable(tensor) + ": " + what);
  }

  /// Else the file may be of another kind altogether, and the length a part of it.
  bool may_be_header(std::uint64_t length) const {
    if (length > max_header || length > file_.size() - length_bytes) return false;
    if (length == 0) return true;
    const auto first = static_cast<char>(file_[length_bytes]);
    return first == '{' || first == ' ' || first == '\n' || first == '\r' || first == '\t';
  }

  std::uint64_t header_length() const {
    if (file_.size() < length_bytes) {
      fail("expected the 8 bytes of a header length, found " + std::to_string(file_.size()) +
           too_short);
    }
    std::uint64_t length = 0;
    std::memcpy(&length, file_.data(), length_bytes);
    if (!may_be_header(length)) {
      refuse_other_weights({reinterpret_cast<const char*>(file_.data()), file_.size()}, name_);
    }
    if (length > max_header) {
      fail("expected a header of at most " + std::to_string(max_header) + " bytes, found " +
           std::to_string(length));
    }
    if (length > file_.size() - length_bytes) {
      fail("expected a header of " + std::to_string(length) + " bytes, found " +
           std::to_string(file_.size() - length_bytes) + too_short);
    }
    return length;
  }

  void read_metadata(const JsonValue& value) const {
    if (value.is_null()) return;
    const auto* object = value.as<JsonObject>();
    if (object == nullptr) fail("__metadata__: expected an object, found " + describe(value));
    for (const JsonMember& member : *object) {
      const auto* text = member.value.as<std::string>();
      if (text == nullptr) {
        fail("__metadata__: " + printable(member.key) + ": expected a string, found " +
             describe(member.value));
      }
      if (metadata_ != nullptr) metadata_->emplace(member.key, *text);
    }
  }

  void add(JsonMember&& member) {
    if (member.key == "__metadata__") return read_metadata(member.value);
    const auto* object = member.value.as<JsonObject>();
    if (object == nullptr) fail(member.key, "expected an object, found " + describe(member.value));
    Entry entry;
    entry.name = std::move(member.key);
    read_type(*object, entry);
    entry.tensor.shape = read_numbers(*object, entry, "shape");
    if (entry.tensor.shape.size() > max_rank) {
      fail(entry.name, "expected at most " + std::to_string(max_rank) + " dimensions, found " +
                           std::to_string(entry.tensor.shape.size()));
    }
    const std::vector<std::uint64_t> offsets = read_numbers(*object, entry, "data_offsets");
    if (offsets.size() != 2) {
      fail(entry.name, "data_offsets: expected 2 numbers, found " + std::to_string(offsets.size()));
    }
    entry.begin = offsets[0];
    entry.end = offsets[1];
    entries_.push_back(std::move(entry));
  }

  const JsonValue& field(const JsonObject& object, const Entry& entry, const char* key) const {
    const JsonValue* value = find(object, key);
    if (value == nullptr) fail(entry.name, std::string(key) + " is missing");
    return *value;
  }

  void read_type(const JsonObject& object, Entry& entry) const {
    const JsonValue& value = field(object, entry, "dtype");
    const auto* type = value.as<std::string>();
    const auto* known = std::find_if(std::begin(stored_types), std::end(stored_types),
                                     [&](const StoredType& t) { return type && *type == t.name; });
    if (known == std::end(stored_types)) {
      fail(entry.name,
           "dtype: expected one of the format's (F32, BF16, ...), found " + describe(value));
    }
    entry.tensor.dtype = *type;
    entry.bits = known->bits;
  }

  std::vector<std::uint64_t> read_numbers(const JsonObject& object, const Entry& entry,
                                          const char* key) const {
    const JsonValue& value = field(object, entry, key);
    const auto* array = value.as<JsonArray>();
    const auto wrong = [&](const JsonValue& found) {
      fail(entry.name,
           std::string(key) + ": expected an array of unsigned integers, found " + describe(found));
    };
    if (array == nullptr) wrong(value);
    std::vector<std::uint64_t> numbers;
    numbers.reserve(array->size());
    for (const JsonValue& element : *array) {
      const auto* number = element.as<std::uint64_t>();
      if (number == nullptr) wrong(element);
      numbers.push_back(*number);
    }
    return numbers;
  }

  /// Gives every tensor its data, which must fill the rest of the file without hole or overlap.
  TensorMap attach(std::span<const std::byte> data) {
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    TensorMap tensors;
    std::uint64_t last_end = 0;
    for (Entry& entry : entries_) {
      check_place(entry, last_end, data.size());
      check_size(entry);
      entry.tensor.data = data.subspan(static_cast<std::size_t>(entry.begin),
                                       static_cast<std::size_t>(entry.end - entry.begin));
      last_end = entry.end;
      tensors.emplace(std::move(entry.name), std::move(entry.tensor));
    }
    if (last_end != data.size()) {
      fail("expected " + std::to_string(last_end) + " bytes of tensors after the header, found " +
           std::to_string(data.size()));
    }
    return tensors;
  }

  void check_place(const Entry& entry, std::uint64_t last_end, std::uint64_t data_size) const {
    const auto expect = [&](bool holds, const std::string& expected, const char* more = "") {
      if (!holds) {
        fail(entry.name, "data_offsets: expected " + expected + ", found " +
                             to_text({entry.begin, entry.end}) + more);
      }
    };
    expect(entry.begin == last_end,
           "to begin where the data before end, at " + std::to_string(last_end));
    expect(entry.end >= entry.begin, "an end that is not before the beginning");
    expect(entry.end <= data_size,
           "an end within the " + std::to_string(data_size) + " bytes after the header", too_short);
  }

  void check_size(const Entry& entry) const {
    // From the left, and the type last: a product that overflows on the way is refused although a
    // later 0 would undo it; one that is 0 already stays 0.
    std::uint64_t bits = 1;
    const auto multiply = [&](std::uint64_t factor) {
      if (__builtin_mul_overflow(bits, factor, &bits)) {
        fail(entry.name, "shape: " + to_text(entry.tensor.shape) + " of " + entry.tensor.dtype +
                             " overflows 64 bits");
      }
    };
    for (const std::uint64_t extent : entry.tensor.shape) multiply(extent);
    multiply(entry.bits);
    const std::string kind = to_text(entry.tensor.shape) + " of " + entry.tensor.dtype;
    if (bits % 8 != 0) {
      fail(entry.name, "shape: expected whole bytes, found " + kind + " with " +
                           std::to_string(bits) + " bits");
    }
    if (bits / 8 != entry.end - entry.begin) {
      fail(entry.name, "data_offsets: expected " + std::to_string(bits / 8) + " bytes for " + kind +
                           ", found " + std::to_string(entry.end - entry.begin));
    }
  }

  std::span<const std::byte> file_;
  const std::string& name_;
  Metadata* metadata_;
  std::vector<Entry> entries_;
};

}  // namespace

TensorMap parse_safetensors(std::span<const std::byte> file, const std::string& name,
                            Metadata* metadata) {
  return Parser(file, name, metadata).parse();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path, FileAccess access)
    : path_(path),
      bytes_(path, access),
      tensors_(parse_safetensors(bytes_.bytes(), path.string(), &metadata_)) {
  const auto version = metadata_.find(blocks_key);
  if (version != metadata_.end() && version->second != blocks_version) {
    throw Error(ErrorCode::unsupported, path.string() +
                                            ": __metadata__: " + std::string(blocks_key) +
                                            ": expected version " + std::string(blocks_version) +
                                            ", found " + printable(version->second));
  }
}

bool SafetensorsFile::holds(const void* address) const noexcept {
  const std::span<const std::byte> bytes = bytes_.bytes();
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  return at >= begin && at - begin < bytes.size();
}

}  // namespace griffin
