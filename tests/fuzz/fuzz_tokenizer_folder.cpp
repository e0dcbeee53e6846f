// SPDX-License-Identifier: Apache-2.0
// Any texts as the files around a tokenizer: tokenizer_config.json, added_tokens.json,
// chat_template.json, chat_template.jinja and tokenizer.json, each up to a byte 0. A tokenizer of
// this folder, and what its chat template is, or griffin::Error.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/memory_file.h"
#include "fuzz/tokenizer_use.h"
#include "generate/tokenizer/tokenizer_config.h"
#include "generate/tokenizer/tokenizer_json.h"
#include "griffin/generate/chat_template.h"

namespace griffin::fuzz {
namespace {

namespace fs = std::filesystem;

/// For an input that does not bring its own.
constexpr std::string_view plain_tokenizer =
    R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"<bos>":3},"merges":["a b"]}})";

/// Links to files in memory, which are there where they have something in them.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("griffin_fuzz_" + std::to_string(getpid()))) {
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const fs::path& path() const { return path_; }
  void put(std::size_t file, std::string_view bytes) {
    Entry& entry = entries_.at(file);
    entry.contents.put(bytes);
    if (entry.is_there == bytes.empty()) {
      const fs::path link = path_ / entry.name;
      if (entry.is_there) fs::remove(link);
      if (!entry.is_there) fs::create_symlink(entry.contents.path(), link);
      entry.is_there = !entry.is_there;
    }
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    const char* name;
    MemoryFile contents = {};
    bool is_there = false;
  };

  fs::path path_;
  std::array<Entry, 4> entries_{{{.name = "tokenizer_config.json"},
                                 {.name = "added_tokens.json"},
                                 {.name = "chat_template.json"},
                                 {.name = "chat_template.jinja"}}};
};

void read_tokenizer(const fs::path& folder, std::string_view json) {
  std::unique_ptr<const Tokenizer::Impl> tokenizer;
  if (!accepts([&] {
        const TokenizerConfig config = read_tokenizer_config(folder);
        tokenizer = parse_tokenizer_json(json, "tokenizer.json", config);
      })) {
    return;
  }
  use(*tokenizer);
  require(!tokenizer->bos_id ||
          (*tokenizer->bos_id >= 0 && *tokenizer->bos_id < tokenizer->size()));
  for (const AddedToken& token : tokenizer->added_tokens) {
    require(token.id >= 0 && token.id < tokenizer->size() && !token.content.empty());
  }
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  static Folder folder;
  std::string_view rest = text_of(data, size);
  for (std::size_t i = 0; i < folder.size(); ++i) folder.put(i, take_part(rest, '\0'));
  read_tokenizer(folder.path(), rest.empty() ? plain_tokenizer : rest);
  accepts([&] {
    const griffin::ChatTemplate found = griffin::find_chat_template(folder.path());
    require((found.format == griffin::ChatFormat::unknown) == found.file.empty());
  });
  return 0;
}
