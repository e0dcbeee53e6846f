// SPDX-License-Identifier: Apache-2.0
#include "formats/stand_in.h"

#include <algorithm>
#include <cstddef>

#include "formats/printable.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
  throw Error(ErrorCode::format, name + ": " + what);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether a text begins so, upper or lower case, after white space.
bool begins_with(std::string_view text, std::string_view lower_case) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(),
                    [](char a, char b) { return a == lower(b); });
}

struct Magic {
  std::string_view bytes;
  const char* what;
};
constexpr Magic other_weights[] = {
    {"GGUF", "a GGUF file"},
    {{"PK\x03\x04", 4}, "a PyTorch file (or another zip archive)"},
    {{"\x80\x02\x8a", 3}, "a pickled PyTorch file"},
    {{"\x89HDF", 4}, "an HDF5 file"},
};

}  // namespace

void refuse_stand_in(std::string_view text, const std::string& name) {
  if (text.starts_with("version https://git-lfs.github.com/spec/")) {
    refuse(name,
           "a Git LFS pointer, not the file itself; get it with `git lfs pull`, or download it "
           "again");
  }
  for (const std::string_view page : {"<!doctype", "<html", "<?xml", "<head"}) {
    if (begins_with(text, page)) {
      refuse(name,
             "a web page (HTML), not the file itself; download it again, with access to the "
             "model if it is gated");
    }
  }
}

void refuse_other_weights(std::string_view bytes, const std::string& name) {
  refuse_stand_in(bytes, name);
  for (const Magic& other : other_weights) {
    if (bytes.starts_with(other.bytes)) {
      refuse(name, std::string(other.what) +
                       ", which is not read; expected the model's safetensors files");
    }
  }
  constexpr std::size_t length_bytes = 8;
  const std::string_view start = bytes.substr(0, length_bytes);
  const bool is_text =
      start.size() == length_bytes && std::all_of(start.begin(), start.end(), [](char c) {
        return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\r' || c == '\t';
      });
  if (is_text) {
    refuse(name, "text, not a safetensors file; it begins with " + printable(bytes.substr(0, 60)));
  }
}

}  // namespace griffin
