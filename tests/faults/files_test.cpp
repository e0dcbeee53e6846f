// SPDX-License-Identifier: Apache-2.0
// Files and disks that fail: every call of the system fails once, in every way that fits.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "faults/resources.h"
#include "faults/small_model.h"
#include "faults/small_tokenizer.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/quantize.h"
#include "support/checkpoint_writer.h"
#include "support/faults/system_calls.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

/// One way for a kind of call to go wrong.
struct Way {
  Call call;
  CallFault::Kind kind;
  int error;
  /// Whether the operation has to succeed all the same.
  bool is_got_over = false;
};

using Kind = CallFault::Kind;

const std::vector<Way> ways = {
    {Call::open, Kind::error, EMFILE},        {Call::open, Kind::error, EIO},
    {Call::read, Kind::error, EIO},           {Call::read, Kind::error, EINTR, true},
    {Call::read, Kind::half, 0, true},        {Call::write, Kind::error, ENOSPC},
    {Call::write, Kind::error, EIO},          {Call::write, Kind::half, 0, true},
    {Call::map, Kind::error, ENOMEM},         {Call::map, Kind::error, ENODEV, true},
    {Call::sync, Kind::error, EIO},           {Call::rename, Kind::error, EIO},
    {Call::remove, Kind::error, EIO},         {Call::close, Kind::error, EIO},
    {Call::stat, Kind::error, EIO},           {Call::list, Kind::error, EIO},
    {Call::make_folder, Kind::error, ENOSPC}, {Call::change, Kind::error, EIO, true},
};

/// Calls fail in `run` alone.
struct Operation {
  std::function<void()> prepare = [] {};
  std::function<void()> run;
  std::function<void()> after_success = [] {};
  std::function<void(const Way&)> after_fault = [](const Way&) {};
};

class Files : public testing::Test {
 protected:
  Files() {
    checkpoint_.shards = 2;
    checkpoint_.write(folder_.path());
    folder_.write("tokenizer.json", small_tokenizer());
  }
  void SetUp() override {
    if (!WatchedCalls::possible()) GTEST_SKIP() << "this system lets nobody watch calls";
  }

  /// Returns how many calls failed, of each kind.
  std::map<Call, int> sweep(const Operation& operation) {
    std::map<Call, int> failed;
    WatchedCalls::run([&](WatchedCalls& calls) {
      operation.prepare();
      operation.run();  // what a thread needs once
      for (const Way& way : ways) {
        SCOPED_TRACE(std::string(name_of(way.call)) + ", " + std::to_string(way.error));
        failed[way.call] += fail_each(calls, way, operation);
      }
    });
    return failed;
  }

  /// Every call of a kind in turn.
  int fail_each(WatchedCalls& calls, const Way& way, const Operation& operation) const {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(nth);
      operation.prepare();
      const std::int64_t descriptors = open_descriptors();
      calls.inject({.call = way.call, .nth = nth, .kind = way.kind, .error = way.error});
      const std::string complaint = complaint_of(operation.run);
      if (!calls.stop()) return nth - 1;
      if (complaint.empty()) operation.after_success();
      EXPECT_TRUE(complaint.empty() || (names_a_file(complaint) && !way.is_got_over)) << complaint;
      EXPECT_EQ(open_descriptors(), descriptors);
      EXPECT_EQ(mappings_of(folder_.path()), 0);
      operation.after_fault(way);
      operation.prepare();
      EXPECT_NO_THROW(operation.run());
      operation.after_success();
      if (HasFailure()) return nth;
    }
  }

  /// What an operation says; empty if it succeeds.
  static std::string complaint_of(const std::function<void()>& run) {
    try {
      run();
      return {};
    } catch (const Error& error) {
      return error.code() == ErrorCode::io ? error.what() : std::string("not io: ") + error.what();
    } catch (const std::exception& error) {
      return std::string("no Error: ") + error.what();
    }
  }
  bool names_a_file(const std::string& complaint) const {
    return complaint.starts_with(folder_.path().string()) ||
           complaint.starts_with(scratch_.path().string());
  }

  /// Nothing half written stays, unless that is what failed: to remove it.
  void expect_no_part(const fs::path& folder, const Way& way) const {
    if (way.call == Call::remove) return;
    for (const std::string& name : names_in_folder(folder)) {
      EXPECT_FALSE(name.ends_with(".part")) << name;
    }
  }

  CheckpointToWrite checkpoint_ = random_checkpoint(two_layers(), Dtype::f32, 1);
  TempFolder folder_{fast_folder()};
  TempFolder scratch_{fast_folder()};
};

TEST_F(Files, Loaded) {
  const std::vector<float> expected = logits_of(Model::load(folder_.path()));
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    std::vector<float> found;
    Operation load;
    load.run = [&] { found = logits_of(Model::load(folder_.path(), {.access = access})); };
    load.after_success = [&] { EXPECT_EQ(found, expected); };
    std::map<Call, int> failed = sweep(load);
    for (const Call call : {Call::open, Call::read, Call::stat, Call::list, Call::close}) {
      EXPECT_GT(failed[call], 1) << name_of(call);
    }
    EXPECT_EQ(failed[Call::map] > 0, access == FileAccess::map);
    EXPECT_EQ(failed[Call::write], 0);
  }
}

TEST_F(Files, Tokenizers) {
  std::vector<std::int32_t> ids;
  Operation encode;
  encode.run = [&] { ids = Tokenizer::load(folder_.path()).encode(text_of_all_kinds); };
  encode.after_success = [&] { EXPECT_EQ(ids.size(), 12U); };
  EXPECT_GT(sweep(encode)[Call::read], 0);
}

class FilesOfStates : public Files {
 protected:
  FilesOfStates() {
    ForwardPass pass(model_, {.threads = 1, .max_rows = 12});
    pass.add(sequence_, random_tokens(model_.config(), 4, 1));
    pass.run();
    sequence_.save(file_);
    old_ = content_of(file_);
    pass.add(sequence_, random_tokens(model_.config(), 8, 1));
    pass.run();
    sequence_.save(file_);
    whole_ = content_of(file_);
  }

  fs::path file_ = scratch_.path() / "state";
  Model model_ = small_model();
  Sequence sequence_ = model_.new_sequence();
  std::string old_;
  std::string whole_;
};

TEST_F(FilesOfStates, Saved) {
  Operation save;
  save.prepare = [&] { scratch_.write("state", old_); };
  save.run = [&] { sequence_.save(file_); };
  save.after_success = [&] { EXPECT_TRUE(content_of(file_) == whole_); };
  save.after_fault = [&](const Way& way) {
    const std::string found = content_of(file_);
    EXPECT_TRUE(found == old_ || found == whole_);
    expect_no_part(scratch_.path(), way);
  };
  std::map<Call, int> failed = sweep(save);
  for (const Call call : {Call::open, Call::write, Call::sync, Call::rename, Call::stat}) {
    EXPECT_GT(failed[call], 0) << name_of(call);
  }
}

/// Over what a process left that was killed.
TEST_F(FilesOfStates, SavedOverAnAbandonedOne) {
  Operation save;
  save.prepare = [&] {
    fs::remove(file_);
    scratch_.write("state.griffin.part", "half");
  };
  save.run = [&] { sequence_.save(file_); };
  save.after_success = [&] {
    EXPECT_TRUE(content_of(file_) == whole_);
    // It is left where it cannot be told that nobody writes it, which the next run can.
    fs::remove(scratch_.path() / "state.griffin.part");
  };
  save.after_fault = [&](const Way&) {
    EXPECT_TRUE(!fs::exists(file_) || content_of(file_) == whole_);
  };
  EXPECT_GT(sweep(save)[Call::remove], 0);
}

TEST_F(FilesOfStates, Restored) {
  Sequence other = model_.new_sequence();
  Operation restore;
  restore.prepare = [&] { other.reset(); };
  restore.run = [&] { other.restore(file_); };
  restore.after_success = [&] { EXPECT_EQ(state_of(other), state_of(sequence_)); };
  restore.after_fault = [&](const Way&) {
    EXPECT_TRUE(other.position() == 0 || other.position() == 12);
  };
  EXPECT_GT(sweep(restore)[Call::read], 1);
}

class FilesOfQuantising : public Files {
 protected:
  using Contents = std::map<std::string, std::string>;

  Contents contents() const {
    Contents found;
    for (const std::string& name : names_in_folder(to_)) found[name] = content_of(to_ / name);
    return found;
  }

  /// Over files of an interrupted run.
  std::map<Call, int> sweep_over(const std::vector<std::string>& left) {
    const OneCore one_core;
    quantize(folder_.path(), to_);
    const Contents whole = contents();
    Operation run;
    run.prepare = [&] {
      fs::remove_all(to_);
      if (!left.empty()) fs::create_directory(to_);
      for (const std::string& name : left) scratch_.write("to/" + name, whole.at(name));
    };
    run.run = [&] { quantize(folder_.path(), to_); };
    run.after_success = [&] { EXPECT_TRUE(contents() == whole); };
    run.after_fault = [&](const Way& way) {
      expect_no_part(to_, way);
      if (!fs::exists(to_ / "config.json")) quantize(folder_.path(), to_);  // needs no help
      EXPECT_TRUE(contents() == whole);
    };
    return sweep(run);
  }

  fs::path to_ = scratch_.path() / "to";
};

TEST_F(FilesOfQuantising, IntoAFolderOfItsOwn) {
  std::map<Call, int> failed = sweep_over({});
  for (const Way& way : ways) {
    EXPECT_TRUE(failed[way.call] > 0 || way.call == Call::remove) << name_of(way.call);
  }
}

TEST_F(FilesOfQuantising, AfterAnInterruptedRun) {
  std::map<Call, int> failed = sweep_over({"model-1.safetensors", "model.safetensors.index.json"});
  EXPECT_EQ(failed[Call::remove], 2);
}

}  // namespace
}  // namespace griffin::test
