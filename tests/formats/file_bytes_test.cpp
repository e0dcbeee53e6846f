// SPDX-License-Identifier: Apache-2.0
#include "formats/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>

#include "refused.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

class FileBytesTest : public testing::TestWithParam<FileAccess> {
 protected:
  TempFolder folder_;
};

TEST_P(FileBytesTest, HasWhatTheFileHas) {
  const std::string content("a\0b\xFF", 4);
  const FileBytes file(folder_.write("file", content), GetParam());
  EXPECT_EQ(file.text(), content);
  EXPECT_EQ(file.bytes().size(), 4U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.bytes().data()) % cache_line, 0U);
}

TEST_P(FileBytesTest, AnEmptyFileIsAnEmptySpan) {
  const FileBytes file(folder_.write("file", ""), GetParam());
  EXPECT_TRUE(file.bytes().empty());
}

TEST_P(FileBytesTest, OutlivesTheNameOfTheFile) {
  const auto path = folder_.write("file", "content");
  const FileBytes file(path, GetParam());
  std::filesystem::remove(path);
  EXPECT_EQ(file.text(), "content");
}

TEST_P(FileBytesTest, MovesWithoutMovingTheBytes) {
  FileBytes first(folder_.write("first", "first"), GetParam());
  const auto* data = first.bytes().data();
  FileBytes second(std::move(first));
  EXPECT_EQ(second.bytes().data(), data);
  FileBytes third(folder_.write("third", "third"), GetParam());
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), data);
  EXPECT_EQ(third.text(), "first");
}

TEST_P(FileBytesTest, AMissingFile) {
  const auto path = folder_.path() / "missing";
  expect_refused(ErrorCode::io, {path.string(), "No such file"},
                 [&] { FileBytes(path, GetParam()); });
}

TEST_P(FileBytesTest, AFolder) {
  expect_refused(ErrorCode::io, {folder_.path().string(), "found a folder"},
                 [&] { FileBytes(folder_.path(), GetParam()); });
}

TEST_P(FileBytesTest, APipeIsRefusedWithoutWaiting) {
  const auto path = folder_.path() / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused(ErrorCode::io, {path.string(), "regular file"},
                 [&] { FileBytes(path, GetParam()); });
}

TEST_P(FileBytesTest, TheLimitIsTheLargestSizeAllowed) {
  const auto path = folder_.write("file", "12345");
  EXPECT_EQ(FileBytes(path, GetParam(), 5).text(), "12345");
  expect_refused(ErrorCode::format, {path.string(), "at most 4", "found 5"},
                 [&] { FileBytes(path, GetParam(), 4); });
}

INSTANTIATE_TEST_SUITE_P(Access, FileBytesTest, testing::Values(FileAccess::map, FileAccess::read),
                         [](const testing::TestParamInfo<FileAccess>& access) {
                           return access.param == FileAccess::map ? "map" : "read";
                         });

}  // namespace
}  // namespace griffin::test
