// SPDX-License-Identifier: Apache-2.0
// Files that appear when they are complete: what was there before, what is left behind.
#include "formats/output_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "griffin/core/error.h"
#include "support/temp_folder.h"

namespace {
int folders_synchronised = 0;
}

/// In place of the C library's: notes what is a folder.
extern "C" int fsync(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode)) ++folders_synchronised;
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& content) {
  OutputFile out(file);
  out.write(content);
  out.commit();
}

std::string refusal_of(const fs::path& file) {
  try {
    write(file, "new");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

std::int64_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), {});
}

/// No file may grow beyond that many bytes, until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : action_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, action_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*action_)(int);
};

TEST(OutputFile, ReplacesWhatWasThere) {
  const TempFolder folder;
  const fs::path file = folder.write("state", "old");
  write(file, "new");
  EXPECT_EQ(content_of(file), "new");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(OutputFile, WithoutCommitNothingChanges) {
  const TempFolder folder;
  const fs::path file = folder.write("state", "old");
  { OutputFile(file).write("new"); }
  EXPECT_EQ(content_of(file), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

/// As a process leaves behind that was killed.
TEST(OutputFile, WhatWasLeftBehindIsRemoved) {
  const TempFolder folder;
  const fs::path file = folder.path() / "state";
  folder.write("state.part", "someone else's");
  folder.write("state.griffin.part", "half");
  write(file, "new");
  EXPECT_EQ(content_of(file), "new");
  EXPECT_EQ(content_of(folder.path() / "state.part"), "someone else's");
  EXPECT_EQ(files_in(folder.path()), 2);
}

TEST(OutputFile, WhatIsBeingWrittenIsNotTouched) {
  const TempFolder folder;
  const fs::path file = folder.path() / "state";
  OutputFile first(file);
  OutputFile second(file);
  first.write("first");
  write(file, "third");
  second.write("second");
  first.commit();
  EXPECT_EQ(content_of(file), "first");
  second.commit();
  EXPECT_EQ(content_of(file), "second");
  EXPECT_EQ(files_in(folder.path()), 1);
}

/// A link, a folder or a pipe of that name is nothing that was left behind.
TEST(OutputFile, OnlyRegularFilesAreTakenForLeftBehind) {
  const TempFolder folder;
  const fs::path kept = folder.write("kept", "kept");
  fs::create_symlink(kept, folder.path() / "state.griffin.part");
  fs::create_directory(folder.path() / "state.griffin-1.part");
  ASSERT_EQ(::mkfifo((folder.path() / "state.griffin-2.part").c_str(), 0600), 0);
  write(folder.path() / "state", "new");
  EXPECT_EQ(content_of(folder.path() / "state"), "new");
  EXPECT_EQ(content_of(kept), "kept");
  EXPECT_EQ(files_in(folder.path()), 5);
}

TEST(OutputFile, TheLongestName) {
  const TempFolder folder;
  const fs::path file = folder.path() / std::string(255, 'n');
  write(file, "new");
  EXPECT_EQ(content_of(file), "new");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(OutputFile, TheFileThatIsReplacedKeepsItsPermissions) {
  const TempFolder folder;
  const fs::path file = folder.write("state", "old");
  for (const auto mode : {fs::perms(0600), fs::perms(0644), fs::perms(0660)}) {
    fs::permissions(file, mode);
    write(file, "new");
    EXPECT_EQ(fs::status(file).permissions(), mode);
  }
}

TEST(OutputFile, AFailedWriteKeepsTheOldFile) {
  const TempFolder folder;
  const fs::path file = folder.write("state", "old");
  {
    const FileSizeLimit limit(1000);
    EXPECT_THROW(write(file, std::string(100000, 'x')), Error);
    EXPECT_THROW(write(file, std::string(1001, 'x')), Error) << "when it is flushed";
  }
  EXPECT_EQ(content_of(file), "old");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(OutputFile, ALinkStaysALink) {
  const TempFolder folder;
  fs::create_directory(folder.path() / "there");
  const fs::path target = folder.path() / "there" / "state";
  const fs::path link = folder.path() / "link";
  fs::create_symlink("there/state", link);
  fs::create_symlink(link, folder.path() / "link to link");
  for (const char* name : {"link", "link to link"}) {  // to nothing at first
    write(folder.path() / name, name);
    EXPECT_TRUE(fs::is_symlink(folder.path() / name));
    EXPECT_EQ(content_of(target), name);
  }
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(target)));
  EXPECT_EQ(files_in(folder.path() / "there"), 1);
}

/// Devices are no others than pipes, and too good for a test that may fail.
TEST(OutputFile, RefusesWhatIsNoRegularFile) {
  const TempFolder folder;
  const fs::path pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(refusal_of(pipe).find("pipe: cannot be replaced: it is no regular file"),
            std::string::npos);
  EXPECT_TRUE(fs::is_fifo(pipe));
  refusal_of(folder.path());
  const fs::path circle = folder.path() / "circle";
  fs::create_symlink(circle, circle);
  refusal_of(circle);
  EXPECT_EQ(files_in(folder.path()), 2);
}

TEST(OutputFile, TwoWritersAtOnce) {
  const TempFolder folder;
  const fs::path file = folder.path() / "state";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b'}) {
    writers.emplace_back([&file, letter] {
      for (int i = 0; i < 50; ++i) write(file, std::string(20000, letter));
    });
  }
  for (std::thread& writer : writers) writer.join();
  const std::string content = content_of(file);
  EXPECT_EQ(content, std::string(20000, content.at(0))) << "one or the other";
  EXPECT_EQ(files_in(folder.path()), 1);
}

/// Else a power cut may bring back the old name, or none.
TEST(OutputFile, SynchronisesTheFolderToo) {
  const TempFolder folder;
  const int before = folders_synchronised;
  write(folder.path() / "file", "content");
  EXPECT_EQ(folders_synchronised, before + 1);
}

TEST(OutputFile, WhatBecameAFolderMeanwhileIsNoSuccess) {
  const TempFolder folder;
  const fs::path file = folder.path() / "state";
  OutputFile out(file);
  out.write(std::string("new"));
  fs::create_directory(file);
  EXPECT_THROW(out.commit(), Error);
  EXPECT_TRUE(fs::is_directory(file));
}

}  // namespace
}  // namespace griffin::test
