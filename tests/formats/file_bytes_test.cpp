// SPDX-License-Identifier: Apache-2.0
#include "formats/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "refused.h"
#include "support/temp_folder.h"

namespace {
bool files_can_be_mapped = true;
}

/// In place of the C library's: some file systems map no files.
extern "C" void* mmap(void* at, std::size_t bytes, int protection, int flags, int descriptor,
                      off_t offset) {
  if (descriptor >= 0 && !files_can_be_mapped) {
    errno = ENODEV;
    return MAP_FAILED;
  }
  const long result = syscall(SYS_mmap, at, bytes, protection, flags, descriptor, offset);
  return reinterpret_cast<void*>(result);
}

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

TEST_P(FileBytesTest, ALinkToNothing) {
  const auto link = folder_.path() / "link";
  std::filesystem::create_symlink("../blobs/none", link);
  expect_refused(ErrorCode::io, {link.string(), "symbolic link to ../blobs/none"},
                 [&] { FileBytes(link, GetParam()); });
}

TEST_P(FileBytesTest, IsReadWhereFilesCannotBeMapped) {
  const auto path = folder_.write("file", "content");
  EXPECT_EQ(FileBytes(path, GetParam()).are_read(), GetParam() == FileAccess::read);
  files_can_be_mapped = false;
  const FileBytes file(path, GetParam());
  files_can_be_mapped = true;
  EXPECT_TRUE(file.are_read());
  EXPECT_EQ(file.text(), "content");
}

INSTANTIATE_TEST_SUITE_P(Access, FileBytesTest, testing::Values(FileAccess::map, FileAccess::read),
                         [](const testing::TestParamInfo<FileAccess>& access) {
                           return access.param == FileAccess::map ? "map" : "read";
                         });

}  // namespace
}  // namespace griffin::test
