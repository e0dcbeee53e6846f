// SPDX-License-Identifier: Apache-2.0
// Files that are something else than they are called: named as what they are.
#include "formats/stand_in.h"

#include <gtest/gtest.h>

#include <string>

#include "config_text.h"
#include "formats/safetensors.h"
#include "refused.h"
#include "safetensors_file.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

const std::string pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') +
    "\nsize 5366000000\n";
const std::string page =
    "<!DOCTYPE html>\n<html><head><title>Access is restricted</title></html>\n";

void parse_weights(const std::string& bytes) {
  parse_safetensors(as_bytes(bytes), "the-file");
}

TEST(StandIn, AGitLfsPointer) {
  expect_refused(ErrorCode::format, {"the-file", "Git LFS pointer", "git lfs pull"},
                 [] { parse_weights(pointer); });
}

TEST(StandIn, AWebPage) {
  for (const std::string& text :
       {page, "\n  <html>" + page, "\xEF\xBB\xBF" + page,
        std::string("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>")}) {
    expect_refused(ErrorCode::format, {"the-file", "web page (HTML)"},
                   [&] { parse_weights(text); });
  }
}

TEST(StandIn, OtherText) {
  expect_refused(ErrorCode::format, {"the-file", "text", "\"Entry not found\""},
                 [] { parse_weights("Entry not found"); });
  expect_refused(ErrorCode::format, {"the-file", "text", "Invalid username"},
                 [] { parse_weights(R"({"error":"Invalid username or password."})"); });
}

TEST(StandIn, OtherWeights) {
  const std::string rest(40, '\1');
  expect_refused(ErrorCode::format, {"the-file", "GGUF"},
                 [&] { parse_weights("GGUF\3" + std::string(3, '\0') + rest); });
  expect_refused(ErrorCode::format, {"the-file", "PyTorch"},
                 [&] { parse_weights("PK\3\4" + std::string(4, '\0') + rest); });
  expect_refused(ErrorCode::format, {"the-file", "PyTorch"},
                 [&] { parse_weights("\x80\x02\x8a\x0a" + rest); });
  expect_refused(ErrorCode::format, {"the-file", "HDF5"}, [&] { parse_weights("\x89HDF" + rest); });
}

/// The length of a header may begin with the same bytes.
TEST(StandIn, AFileThatIsWhatItIsCalled) {
  std::string header = "{";
  header.resize(0x028a80, ' ');  // 80 8a 02
  header += "}";
  header.resize(0x8a0280, ' ');  // 80 02 8a
  EXPECT_NO_THROW(parse_weights(safetensors_file(header, 0)));
}

TEST(StandIn, ConfigsToo) {
  const TempFolder folder;
  folder.write("config.json", pointer);
  expect_refused(ErrorCode::format, {"config.json", "Git LFS"},
                 [&] { read_config(folder.path()); });
  folder.write("config.json", good_config().dump());
  for (const char* name : {"generation_config.json", "tokenizer_config.json"}) {
    folder.write(name, page);
    expect_refused(ErrorCode::format, {name, "HTML"}, [&] { read_config(folder.path()); });
    std::filesystem::remove(folder.path() / name);
  }
}

}  // namespace
}  // namespace griffin::test
