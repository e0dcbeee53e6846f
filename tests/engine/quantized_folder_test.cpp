// SPDX-License-Identifier: Apache-2.0
// What stands beside quantised weights, and what an interrupted run leaves for the next.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "formats/refused.h"
#include "griffin/model/quantize.h"
#include "support/allocation_counter.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

class QuantizedFolderTest : public testing::Test {
 protected:
  QuantizedFolderTest() {
    checkpoint_ = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
    write();
  }
  void write() const { checkpoint_.write(from_.path()); }
  void run(Dtype dtype = Dtype::int8, FileAccess access = FileAccess::map) const {
    QuantizeOptions options;
    options.dtype = dtype;
    options.access = access;
    quantize(from_.path(), to(), options);
  }
  fs::path to() const { return scratch_.path() / "to"; }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(to())) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  nlohmann::ordered_json config() const {
    return nlohmann::ordered_json::parse(content_of(to() / "config.json"));
  }

  CheckpointToWrite checkpoint_;
  TempFolder from_;
  TempFolder scratch_;
};

TEST_F(QuantizedFolderTest, TheTypeGoesByTheNameThatTheConfigHas) {
  checkpoint_.config.erase("torch_dtype");
  for (const std::vector<std::string>& keys :
       {std::vector<std::string>{"dtype"}, {"torch_dtype"}, {"dtype", "torch_dtype"}, {}}) {
    for (const char* key : {"dtype", "torch_dtype"}) checkpoint_.config.erase(key);
    for (const std::string& key : keys) checkpoint_.config[key] = "float32";
    write();
    run(Dtype::bf16);
    std::vector<std::string> found;
    const nlohmann::ordered_json written = config();
    for (const auto& [key, value] : written.items()) {
      if (!key.ends_with("dtype")) continue;
      EXPECT_EQ(value, "bfloat16") << key;
      found.push_back(key);
    }
    EXPECT_EQ(found, keys.empty() ? std::vector<std::string>{"torch_dtype"} : keys);
    fs::remove_all(to());
  }
}

/// Numbers and order too.
TEST_F(QuantizedFolderTest, TheRestOfTheConfigStaysAsItIsWritten) {
  nlohmann::ordered_json before = {{"zeta", 1}, {"architectures", {"A", "B\"},{"}}};
  before.update(nlohmann::ordered_json::parse(checkpoint_.config.dump()));
  before["quantization_config"] = nlohmann::json::object();
  std::string text = before.dump(3);
  text.insert(1, "\n \"number\" : 1e-06 ,");
  from_.write("config.json", text);
  run();
  EXPECT_NE(content_of(to() / "config.json").find("\"number\": 1e-06,"), std::string::npos);
  nlohmann::ordered_json after = config();
  EXPECT_EQ(after["quantization_config"].dump(),
            R"({"quant_method":"griffin","version":1,"weights":"int8"})");
  EXPECT_EQ(after.begin().key(), "number");
  after.erase("quantization_config");
  after.erase("number");
  before.erase("quantization_config");
  EXPECT_EQ(after.dump(), before.dump());
}

TEST_F(QuantizedFolderTest, CopiesWhatIsNoWeights) {
  const std::vector<std::string> copied = {"LICENSE",
                                           "NOTICE.txt",
                                           "README.md",
                                           "USE_POLICY.md",
                                           "added_tokens.json",
                                           "chat_template.jinja",
                                           "generation_config.json",
                                           "merges.txt",
                                           "special_tokens_map.json",
                                           "tokenizer.json",
                                           "tokenizer.model",
                                           "tokenizer_config.json",
                                           "vocab.json"};
  for (const std::string& name : copied) from_.write(name, name == "LICENSE" ? "L" : "{}");
  for (const char* name : {"pytorch_model.bin", "optimizer.pt", "model.gguf", ".gitattributes",
                           "trainer_state.json", "pytorch_model.bin.index.json"}) {
    from_.write(name, "{}");
  }
  fs::create_directory(from_.path() / "runs");
  run();
  std::vector<std::string> expected = copied;
  expected.insert(expected.end(), {"config.json", "model.safetensors"});
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names(), expected);
  EXPECT_EQ(content_of(to() / "LICENSE"), "L");
}

TEST_F(QuantizedFolderTest, WhatWasNeverDownloadedIsNotCopied) {
  from_.write("README.md", "<html>");
  for (const char* text :
       {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "<!DOCTYPE html>"}) {
    from_.write("tokenizer.model", text);
    expect_refused(ErrorCode::format, {"tokenizer.model", "not the file itself"}, [&] { run(); });
    EXPECT_FALSE(fs::exists(to()));
  }
  from_.write("tokenizer.model", "pieces");
  run();
  EXPECT_EQ(content_of(to() / "README.md"), "<html>");
}

/// Stopped after the first shard, after all of them, and before config.json.
TEST_F(QuantizedFolderTest, AnInterruptedRunIsNotInTheWay) {
  checkpoint_.shards = 2;
  from_.write("tokenizer.model", "pieces");
  for (const Dtype dtype : {Dtype::int8, Dtype::bf16}) {
    fs::remove(from_.path() / "model.safetensors");
    write();
    run(dtype);
    const std::vector<std::string> whole = names();
    const std::string weights = content_of(to() / "model-1.safetensors");
    for (const std::vector<std::string>& gone :
         {std::vector<std::string>{"config.json"},
          {"config.json", "tokenizer.model", "model.safetensors.index.json"},
          {"config.json", "tokenizer.model", "model.safetensors.index.json",
           "model-2.safetensors"}}) {
      for (const std::string& name : gone) fs::remove(to() / name);
      run(dtype);
      EXPECT_EQ(names(), whole);
      EXPECT_EQ(content_of(to() / "model-1.safetensors"), weights);
    }
    fs::remove_all(to());
  }
}

/// Else they would stand beside those of the new run.
TEST_F(QuantizedFolderTest, TheShardsOfAnInterruptedRunAreRemoved) {
  checkpoint_.shards = 2;
  write();
  run();
  fs::remove(to() / "config.json");
  for (const auto& entry : fs::directory_iterator(from_.path())) fs::remove(entry.path());
  checkpoint_.shards = 1;
  write();
  run();
  EXPECT_EQ(names(), (std::vector<std::string>{"config.json", "model.safetensors"}));
}

TEST_F(QuantizedFolderTest, WeightsOfOthersAreNotTakenForAnInterruptedRun) {
  fs::create_directory(to());
  fs::copy_file(from_.path() / "model.safetensors", to() / "model.safetensors");
  const std::string before = content_of(to() / "model.safetensors");
  expect_refused(ErrorCode::io, {"model.safetensors", "is there already", "delete"},
                 [&] { run(); });
  EXPECT_EQ(content_of(to() / "model.safetensors"), before);
  fs::remove(to() / "model.safetensors");
  from_.write("LICENSE", "mine");
  std::ofstream(to() / "LICENSE") << "another";
  expect_refused(ErrorCode::io, {"LICENSE", "is there already"}, [&] { run(); });
  EXPECT_EQ(names(), std::vector<std::string>{"LICENSE"});
}

TEST_F(QuantizedFolderTest, ReadingIsAsGoodAsMapping) {
  run(Dtype::int8, FileAccess::read);
  const std::string read = content_of(to() / "model.safetensors");
  fs::remove_all(to());
  run(Dtype::int8, FileAccess::map);
  EXPECT_EQ(content_of(to() / "model.safetensors"), read);
}

/// Every so many allocations: an exception, nothing lost and nothing left behind.
TEST_F(QuantizedFolderTest, OutOfMemory) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  checkpoint_.shards = 2;
  fs::remove(from_.path() / "model.safetensors");
  write();
  from_.write("tokenizer.model", "pieces");
  run(Dtype::int4);
  fs::remove_all(to());
  const std::int64_t first = allocations();
  run(Dtype::int4);
  const std::int64_t needed = allocations() - first;
  const std::int64_t step = std::max<std::int64_t>(1, needed / 250);
  int failed = 0;
  for (std::int64_t nth = 1; nth < needed; nth += step) {
    fs::remove_all(to());
    const std::int64_t before = live_bytes();
    fail_allocation(nth);
    try {
      run(Dtype::int4);
    } catch (const std::bad_alloc&) {
      ++failed;
    } catch (const Error&) {
      ++failed;
    }
    fail_allocation(0);
    EXPECT_EQ(live_bytes(), before) << nth;
    if (!fs::exists(to())) continue;
    for (const std::string& name : names()) EXPECT_FALSE(name.ends_with(".part")) << nth;
  }
  EXPECT_GT(failed, 200);
}

/// Names that are no plain text are written so that they can be read.
TEST_F(QuantizedFolderTest, NamesWithEveryKindOfCharacter) {
  const std::string name = "a \"quoted\" \\ name\n\x01 of é";
  checkpoint_.tensors[name] = tensor_of({1}, {1.0F}, Dtype::f32);
  checkpoint_.shards = 2;
  fs::remove(from_.path() / "model.safetensors");
  write();
  run();
  EXPECT_NO_THROW(Model::load(to()));
  const auto index = nlohmann::json::parse(content_of(to() / "model.safetensors.index.json"));
  EXPECT_TRUE(index["weight_map"].contains(name));
}

TEST_F(QuantizedFolderTest, LoadingOneReportsEveryByteAndCanBeCancelled) {
  run();
  LoadProgress last{};
  int calls = 0;
  LoadOptions options;
  options.progress = [&](const LoadProgress& progress) {
    ++calls;
    EXPECT_GT(progress.bytes_done, last.bytes_done);
    last = progress;
    return Flow::proceed;
  };
  Model::load(to(), options);
  EXPECT_EQ(last.bytes_done, last.bytes_total);
  for (const int stop_at : {1, calls / 2, calls}) {
    int now = 0;
    options.progress = [&](const LoadProgress&) {
      return ++now == stop_at ? Flow::stop : Flow::proceed;
    };
    expect_refused(ErrorCode::cancelled, {"cancel"}, [&] { Model::load(to(), options); });
    EXPECT_EQ(now, stop_at);
  }
}

}  // namespace
}  // namespace griffin::test
