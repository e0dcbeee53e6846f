// SPDX-License-Identifier: Apache-2.0
// A disk that is full: a real one, of a few pages.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

constexpr int no_disk = 77;  // what a child exits with where it may mount nothing

/// Calls `test` in a child with a file system of so many bytes at `folder`. Returns what it is
/// wrong about; empty: nothing.
std::string with_small_disk(const fs::path& folder, std::size_t bytes,
                            const std::function<std::string()>& test) {
  const fs::path complaint = folder.string() + ".complaint";
  const pid_t child = ::fork();
  if (child == 0) {
    const int own = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    const std::string size = "size=" + std::to_string(bytes);
    if (::unshare(own) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.c_str(), "tmpfs", 0, size.c_str()) != 0) {
      ::_exit(no_disk);
    }
    std::string found;
    try {
      found = test();
    } catch (const std::exception& error) {
      found = error.what();
    }
    std::ofstream(complaint) << found;
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == no_disk) return "no disk";
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "the child died";
  return content_of(complaint);
}

/// What is said where there is no room.
bool says_full(const Error& error, const fs::path& folder) {
  const std::string what = error.what();
  return error.code() == ErrorCode::io && what.starts_with(folder.string()) &&
         what.ends_with(std::strerror(ENOSPC));
}

class FullDisk : public testing::Test {
 protected:
  FullDisk() { fs::create_directory(disk_); }

  /// Leaves so many pages for `write`, from none on, until it succeeds. `is_clean` says whether the
  /// disk is as it was. Returns what is wrong.
  std::string grow(const std::function<void()>& write,
                   const std::function<bool()>& is_clean) const {
    for (std::size_t pages = 0; pages < 200; ++pages) {
      fill_but(pages);
      try {
        write();
        return pages == 0 ? "there was no need for room" : "";
      } catch (const Error& error) {
        if (!says_full(error, disk_)) return error.what();
      }
      if (!is_clean()) return "not clean with " + std::to_string(pages) + " pages";
    }
    return "it never succeeds";
  }

  void fill_but(std::size_t pages) const {
    fs::remove(disk_ / "filler");
    const auto room = static_cast<std::size_t>(fs::space(disk_).available);
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::string zeros(room > pages * page ? room - pages * page : 0, '\0');
    std::ofstream(disk_ / "filler", std::ios::binary) << zeros;
  }

  TempFolder scratch_{fast_folder()};
  fs::path disk_ = scratch_.path() / "disk";
};

TEST_F(FullDisk, KeepsTheOldState) {
  const Model model = small_model();
  Sequence sequence = model.new_sequence();
  ForwardPass pass(model, {.threads = 1, .max_rows = 12});
  pass.add(sequence, random_tokens(model.config(), 12, 1));
  pass.run();
  const Sequence old = model.new_sequence();
  const std::string complaint = with_small_disk(disk_, 256 << 10, [&] {
    old.save(disk_ / "state");
    const std::string before = content_of(disk_ / "state");
    const std::vector<std::int32_t> unread(10000, 1);  // some pages
    return grow([&] { sequence.save(disk_ / "state", unread); },
                [&] {
                  return content_of(disk_ / "state") == before &&
                         names_in_folder(disk_) == std::vector<std::string>{"filler", "state"};
                });
  });
  if (complaint == "no disk") GTEST_SKIP() << "nothing can be mounted here";
  EXPECT_EQ(complaint, "");
}

TEST_F(FullDisk, HoldsNoHalfCheckpoint) {
  const OneCore one_core;
  CheckpointToWrite checkpoint = random_checkpoint(two_layers(), Dtype::f32, 1);
  checkpoint.shards = 2;
  const fs::path from = scratch_.path() / "from";
  checkpoint.write(from);
  const std::string complaint = with_small_disk(disk_, 1 << 20, [&] {
    std::string found = grow([&] { quantize(from, disk_ / "to"); },
                             [&] {
                               bool clean = !fs::exists(disk_ / "to" / "config.json");
                               for (const std::string& name : names_in_folder(disk_ / "to")) {
                                 clean = clean && !name.ends_with(".part");
                               }
                               return clean;
                             });
    Model::load(disk_ / "to");
    return found;
  });
  if (complaint == "no disk") GTEST_SKIP() << "nothing can be mounted here";
  EXPECT_EQ(complaint, "");
}

}  // namespace
}  // namespace griffin::test
