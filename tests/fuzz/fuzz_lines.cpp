// SPDX-License-Identifier: Apache-2.0
// Any bytes as the lines of a file: those that a plain search for line feeds finds, up to a limit,
// which the first byte says.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/memory_file.h"
#include "support/lines.h"

namespace griffin::fuzz {
namespace {

void read_lines(const MemoryFile& file, std::string_view text, std::size_t limit) {
  examples::Lines lines(file.path(), limit);
  require(lines.size() == text.size());
  std::size_t at = 0;
  while (const auto line = lines.next(examples::Lines::for_ever)) {
    require(at <= text.size());
    const std::string_view expected = text.substr(at, text.find('\n', at) - at);
    const bool has_end = at + expected.size() < text.size();
    require(line->bytes == expected.size() + (has_end ? 1 : 0));
    require(line->too_long == (expected.size() > limit));
    require(line->text == (line->too_long ? "" : expected));
    at += line->bytes;
  }
  require(at == text.size() && lines.over());
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  static const MemoryFile file;
  if (size == 0) return 0;
  std::string text(text_of(data, size).substr(1));
  // A byte 255 stands for a stretch that does not fit into a block of what is read.
  if (const std::size_t stretch = text.find('\xFF'); stretch != std::string::npos) {
    text.insert(stretch, 70000, 'x');
  }
  file.put(text);
  read_lines(file, text, data[0] % 64U);
  read_lines(file, text, griffin::examples::Lines::default_limit);
  return 0;
}
