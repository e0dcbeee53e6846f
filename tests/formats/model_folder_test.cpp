// SPDX-License-Identifier: Apache-2.0
// Which files of a folder hold the weights, and what is said where there are none.
#include "models/model_folder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <string>
#include <vector>

#include "refused.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

class ModelFolderTest : public testing::Test {
 protected:
  void expect_no_model(std::initializer_list<std::string_view> words) const {
    expect_refused(ErrorCode::io, words, [&] { require_model_folder(folder_.path()); });
  }
  void expect_no_weights(std::initializer_list<std::string_view> words) const {
    expect_refused(ErrorCode::io, words, [&] { find(); });
  }
  WeightFiles find() const {
    notices_.clear();
    return find_weight_files(folder_.path(),
                             [&](std::string_view what) { notices_.emplace_back(what); });
  }
  std::vector<std::string> found() const {
    std::vector<std::string> names;
    for (const fs::path& file : find().files) names.push_back(file.filename().string());
    return names;
  }
  void write(std::initializer_list<const char*> names) const {
    for (const char* name : names) folder_.write(name, "");
  }

  TempFolder folder_;
  mutable std::vector<std::string> notices_;
};

TEST_F(ModelFolderTest, WhatIsNoFolder) {
  expect_refused(ErrorCode::io, {"nowhere: no such model folder"},
                 [&] { require_model_folder(folder_.path() / "nowhere"); });
  for (const char* name : {"model.safetensors", "config.json"}) {
    const fs::path file = folder_.write(name, "");
    expect_refused(ErrorCode::io, {name, "a file", "expected the folder"},
                   [&] { require_model_folder(file); });
  }
  const fs::path gguf = folder_.write("model.gguf", "GGUF");
  expect_refused(ErrorCode::io, {"model.gguf", "a file", "GGUF files are not read"},
                 [&] { require_model_folder(gguf); });
}

TEST_F(ModelFolderTest, AFolderWithoutAModelIsNamedAsWhatItIs) {
  expect_no_model({folder_.path().string(), "no config.json"});
  write({"pytorch_model.bin"});
  expect_no_model({"no config.json", "pytorch_model.bin", "PyTorch", "save_pretrained"});
  write({"model.Q4_K_M.gguf"});
  expect_no_model({"no config.json", "model.Q4_K_M.gguf", "GGUF"});
  write({"adapter_config.json", "adapter_model.safetensors"});
  expect_no_model({"no config.json", "adapter", "LoRA", "merge"});
  write({"config.json"});
  EXPECT_NO_THROW(require_model_folder(folder_.path()));
  expect_no_weights({"model.safetensors", "model.safetensors.index.json", "adapter", "merge"});
}

TEST_F(ModelFolderTest, WeightsOfOtherKinds) {
  const struct {
    const char* name;
    const char* words;
  } kinds[] = {{"pytorch_model-00001-of-00002.bin", "PyTorch"},
               {"griffin.pt", "PyTorch"},
               {"tf_model.h5", "another library"},
               {"flax_model.msgpack", "another library"},
               {"model.safetensors.incomplete", "unfinished download"},
               {"weights.safetensors", "rename"},
               {"x.gguf", "GGUF"}};
  for (const auto& kind : kinds) {
    write({kind.name});
    expect_no_weights({"found neither", kind.name, kind.words});
    fs::remove(folder_.path() / kind.name);
  }
  expect_no_weights({"found neither"});
}

/// Whatever else lies in the folder.
TEST_F(ModelFolderTest, WhatTellsMostIsTold) {
  write({"golden.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "a.bin"});
  expect_no_weights({"golden.safetensors is not looked for", "rename"});
  const struct {
    const char* name;
    const char* words;
  } better[] = {{"model-bf16.safetensors", "rename"},
                {"flax_model.msgpack", "another library"},
                {"consolidated.00.pth", "PyTorch"},
                {"pytorch_model.bin.index.json", "lists PyTorch files"},
                {"pytorch_model.bin", "save_pretrained"},
                {"model.safetensors.incomplete", "unfinished download"},
                {"MODEL.GGUF", "GGUF"},
                {"adapter_model.bin", "merge"}};
  for (const auto& one : better) {
    write({one.name});
    expect_no_weights({"found neither", one.name, one.words});
  }
}

TEST_F(ModelFolderTest, WhatTrainingLeavesIsNoModel) {
  for (const char* name :
       {"optimizer.pt", "training_args.bin", "scheduler.pt", "rng_state_0.pth"}) {
    write({name});
    expect_refused(ErrorCode::io, {"found neither"}, [&] { find(); });
    try {
      find();
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

TEST_F(ModelFolderTest, ShardsWithoutAnIndex) {
  write({"model-00002-of-00003.safetensors", "model-00001-of-00003.safetensors"});
  expect_no_weights({"2 of 3 shards", "; shard 3 is missing: the download", "index"});
  write({"model-00001-of-00009.safetensors", "model-00002-of-00009.safetensors",
         "model-00003-of-00009.safetensors"});
  expect_no_weights({"3 of 9 shards", "; shards 4, 5, 6, 7, 8, 9 are missing: the download"});
  for (const char* number : {"1", "2", "3"}) {
    fs::remove(folder_.path() / ("model-0000" + std::string(number) + "-of-00009.safetensors"));
  }
  write({"model-00003-of-00003.safetensors", "model-00001-of-00007.safetensors"});
  EXPECT_EQ(found(), (std::vector<std::string>{"model-00001-of-00003.safetensors",
                                               "model-00002-of-00003.safetensors",
                                               "model-00003-of-00003.safetensors"}));
  EXPECT_EQ(find().listing, folder_.path());
  write({"model-00001-of-00001.safetensors"});
  expect_no_weights({"several sets of shards"});
}

TEST_F(ModelFolderTest, NamesThatAreNoShards) {
  write({"model-00000-of-00001.safetensors", "model-2-of-1.safetensors", "model-1-of-.safetensors",
         "model-000001-of-000001.safetensors", "model-1-of-1.bin",
         "model-99999999999-of-1.safetensors", "model-1-of-1.safetensors.x"});
  expect_no_weights({"found neither"});
}

TEST_F(ModelFolderTest, OfTwoCheckpointsTheSingleFileIsRead) {
  write({"model.safetensors"});
  EXPECT_EQ(found(), std::vector<std::string>{"model.safetensors"});
  EXPECT_TRUE(notices_.empty());
  write({"model.safetensors.index.json"});
  EXPECT_EQ(find().kind, WeightFiles::Kind::single);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_NE(notices_[0].find("model.safetensors is read"), std::string::npos) << notices_[0];
  EXPECT_NE(notices_[0].find("index.json"), std::string::npos) << notices_[0];
  const auto now = fs::last_write_time(folder_.path() / "model.safetensors.index.json");
  fs::last_write_time(folder_.path() / "model.safetensors", now - std::chrono::hours(1));
  find();
  EXPECT_NE(notices_.at(0).find("newer"), std::string::npos) << notices_[0];
  fs::last_write_time(folder_.path() / "model.safetensors", now + std::chrono::hours(1));
  find();
  EXPECT_EQ(notices_.at(0).find("newer"), std::string::npos) << notices_[0];
  fs::remove(folder_.path() / "model.safetensors.index.json");
  write({"model-00001-of-00002.safetensors"});
  find();
  EXPECT_EQ(notices_.size(), 1U);
}

/// As in a cache whose blob is gone: the link counts, and opening it says where it leads.
TEST_F(ModelFolderTest, ALinkToNothingIsFound) {
  fs::create_symlink("../blobs/none", folder_.path() / "model.safetensors");
  EXPECT_EQ(found(), std::vector<std::string>{"model.safetensors"});
}

}  // namespace
}  // namespace griffin::test
