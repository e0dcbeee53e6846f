// SPDX-License-Identifier: Apache-2.0
// Folders: one file or shards, and an index that may say anything.
#include "models/checkpoint.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config_text.h"
#include "formats/shard_index.h"
#include "refused.h"
#include "safetensors_file.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

constexpr const char* index_name = "model.safetensors.index.json";

/// A file that holds tensors of one byte each.
std::string bytes_named(const std::vector<std::string>& names) {
  nlohmann::json header = nlohmann::json::object();
  int offset = 0;
  for (const std::string& name : names) {
    header[name] = {{"dtype", "U8"}, {"shape", {1}}, {"data_offsets", {offset, offset + 1}}};
    ++offset;
  }
  return safetensors_file(header.dump(), names.size());
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() { folder_.write("config.json", good_config().dump()); }

  /// Two shards with a, b and c, d; the index is for the test to write.
  void write_shards() const {
    folder_.write("one.safetensors", bytes_named({"a", "b"}));
    folder_.write("two.safetensors", bytes_named({"c", "d"}));
  }
  void write_index(const nlohmann::json& weight_map) const {
    folder_.write(index_name, nlohmann::json{{"weight_map", weight_map}}.dump());
  }
  Checkpoint open() const { return Checkpoint(folder_.path(), FileAccess::map); }

  TempFolder folder_;
  const nlohmann::json whole_map_ = {{"a", "one.safetensors"},
                                     {"b", "one.safetensors"},
                                     {"c", "two.safetensors"},
                                     {"d", "two.safetensors"}};
};

TEST_F(CheckpointTest, ASingleFile) {
  folder_.write("model.safetensors", bytes_named({"a", "b"}));
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.config().model.width, 2560);
  EXPECT_EQ(checkpoint.files().size(), 1U);
  EXPECT_EQ(checkpoint.listing(), folder_.path() / "model.safetensors");
  const Checkpoint::Entry b = checkpoint.find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b.tensor->data[0], std::byte{1});
  EXPECT_EQ(b.file, &checkpoint.files().front());
  EXPECT_FALSE(checkpoint.find("c"));
}

TEST_F(CheckpointTest, Shards) {
  write_shards();
  write_index(whole_map_);
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.files().size(), 2U);
  EXPECT_EQ(checkpoint.listing(), folder_.path() / index_name);
  for (const char* name : {"a", "b", "c", "d"}) {
    const Checkpoint::Entry entry = checkpoint.find(name);
    ASSERT_TRUE(entry) << name;
    EXPECT_EQ(entry.file->path().filename(), whole_map_[name].get<std::string>());
  }
  EXPECT_FALSE(checkpoint.find("e"));
}

TEST_F(CheckpointTest, TheSingleFileIsPreferred) {
  write_shards();
  write_index(whole_map_);
  folder_.write("model.safetensors", bytes_named({"x"}));
  EXPECT_TRUE(open().find("x"));
  EXPECT_FALSE(open().find("a"));
}

TEST_F(CheckpointTest, NeitherOfTheTwo) {
  expect_refused(ErrorCode::io, {folder_.path().string(), "model.safetensors", index_name},
                 [&] { open(); });
}

TEST_F(CheckpointTest, ABadFileIsNamed) {
  folder_.write("model.safetensors", "not a checkpoint at all");
  expect_refused(ErrorCode::format, {(folder_.path() / "model.safetensors").string()},
                 [&] { open(); });
}

TEST_F(CheckpointTest, AShardThatIsNotThere) {
  folder_.write("one.safetensors", bytes_named({"a", "b"}));
  write_index(whole_map_);
  expect_refused(ErrorCode::io, {index_name, "two.safetensors", "not complete"}, [&] { open(); });
}

/// Which matters only if the model needs it.
TEST_F(CheckpointTest, AListedTensorThatIsNotThere) {
  write_shards();
  nlohmann::json map = whole_map_;
  map["e"] = "two.safetensors";
  write_index(map);
  const Checkpoint checkpoint = open();
  EXPECT_FALSE(checkpoint.find("e"));
  EXPECT_EQ(checkpoint.absent().count("e"), 1U);
  EXPECT_EQ(checkpoint.absent().size(), 1U);
}

TEST_F(CheckpointTest, ShardsWithoutAnIndex) {
  folder_.write("model-00001-of-00002.safetensors", bytes_named({"a", "b"}));
  folder_.write("model-00002-of-00002.safetensors", bytes_named({"c"}));
  {
    const Checkpoint checkpoint = open();
    EXPECT_TRUE(checkpoint.is_sharded());
    EXPECT_EQ(checkpoint.listing(), folder_.path());
    EXPECT_EQ(checkpoint.find("c").file, &checkpoint.files().at(1));
  }
  folder_.write("model-00002-of-00002.safetensors", bytes_named({"b", "c"}));
  expect_refused(ErrorCode::mismatch, {"\"b\"", "00001-of-00002", "00002-of-00002"},
                 [&] { open(); });
}

TEST_F(CheckpointTest, NamesMayLackThePrefix) {
  folder_.write("model.safetensors", bytes_named({"embed_tokens.weight", "layers.0.x",
                                                  "model.layers.1.x", "lm_head.x"}));
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.find("model.embed_tokens.weight").stored_name, "embed_tokens.weight");
  EXPECT_EQ(checkpoint.find("model.layers.0.x").stored_name, "layers.0.x");
  EXPECT_EQ(checkpoint.find("model.layers.1.x").stored_name, "model.layers.1.x");
  EXPECT_FALSE(checkpoint.find("model.layers.2.x"));
  for (const char* name : {"layers.0.x", "model.layers.0.x"}) {
    EXPECT_EQ(Checkpoint::name_of(name), "model.layers.0.x");
  }
  EXPECT_EQ(Checkpoint::name_of("lm_head.x"), "lm_head.x");
}

TEST_F(CheckpointTest, ALinkToNothingIsNamedWithItsTarget) {
  std::filesystem::create_symlink("../blobs/none", folder_.path() / "model.safetensors");
  expect_refused(ErrorCode::io, {"model.safetensors", "symbolic link", "../blobs/none"},
                 [&] { open(); });
}

TEST_F(CheckpointTest, AnAdapterBesideTheModelIsSaidNotToBeApplied) {
  folder_.write("model.safetensors", bytes_named({"a"}));
  std::vector<std::string> notices;
  const auto notice = [&](std::string_view what) { notices.emplace_back(what); };
  Checkpoint(folder_.path(), FileAccess::map, notice);
  EXPECT_TRUE(notices.empty());
  folder_.write("adapter_config.json", "{}");
  Checkpoint(folder_.path(), FileAccess::map, notice);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].find("adapter"), std::string::npos);
}

/// The files count, whatever the index says of what is in them.
TEST_F(CheckpointTest, ATensorInAnotherShardThanListed) {
  write_shards();
  nlohmann::json map = whole_map_;
  map["b"] = "two.safetensors";
  write_index(map);
  const Checkpoint checkpoint = open();
  EXPECT_EQ(checkpoint.find("b").file->path().filename(), "one.safetensors");
  EXPECT_TRUE(checkpoint.absent().empty());
}

TEST_F(CheckpointTest, ATensorInTwoShards) {
  folder_.write("one.safetensors", bytes_named({"a", "b", "c"}));
  folder_.write("two.safetensors", bytes_named({"c", "d"}));
  write_index(whole_map_);
  expect_refused(ErrorCode::mismatch, {"\"c\"", "one.safetensors", "two.safetensors"},
                 [&] { open(); });
}

TEST_F(CheckpointTest, ATensorThatIsNotListed) {
  write_shards();
  nlohmann::json map = whole_map_;
  map.erase("d");
  write_index(map);
  EXPECT_TRUE(open().find("d"));
}

TEST_F(CheckpointTest, TheIndexMayNameTensorsWithPrefixAndTheShardsWithout) {
  const nlohmann::json prefixed = {{"model.layers.0.x", "one.safetensors"},
                                   {"model.final_norm.weight", "two.safetensors"}};
  const nlohmann::json bare = {{"layers.0.x", "one.safetensors"},
                               {"final_norm.weight", "two.safetensors"}};
  for (const bool index_is_bare : {false, true}) {
    const std::string in_shards = index_is_bare ? "model." : "";
    folder_.write("one.safetensors", bytes_named({in_shards + "layers.0.x"}));
    folder_.write("two.safetensors", bytes_named({in_shards + "final_norm.weight"}));
    nlohmann::json map = index_is_bare ? bare : prefixed;
    map[index_is_bare ? "layers.0.y" : "model.layers.0.y"] = "one.safetensors";
    write_index(map);
    const Checkpoint checkpoint = open();
    EXPECT_TRUE(checkpoint.find("model.layers.0.x"));
    EXPECT_TRUE(checkpoint.find("model.final_norm.weight"));
    EXPECT_EQ(checkpoint.absent().size(), 1U);
    EXPECT_EQ(checkpoint.absent().count("model.layers.0.y"), 1U);
  }
}

TEST_F(CheckpointTest, AShardThatIsCutShortMayBeHalfADownload) {
  write_shards();
  write_index(whole_map_);
  const std::string whole = bytes_named({"c", "d"});
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{30}, whole.size() - 1}) {
    folder_.write("two.safetensors", whole.substr(0, size));
    SCOPED_TRACE(size);
    expect_refused(ErrorCode::format, {"two.safetensors", "the download may not be complete"},
                   [&] { open(); });
  }
}

TEST_F(CheckpointTest, TheIndexHasALimit) {
  write_shards();
  folder_.write(index_name, nlohmann::json{{"weight_map", whole_map_}}.dump() +
                                std::string(max_index_file, ' '));
  expect_refused(ErrorCode::format, {index_name, "16777216"}, [&] { open(); });
}

TEST_F(CheckpointTest, NoFileOutsideTheFolderIsOpened) {
  const TempFolder elsewhere;
  const auto target = elsewhere.write("one.safetensors", bytes_named({"a"}));
  const std::string relative = "../" + elsewhere.path().filename().string() + "/one.safetensors";
  for (const std::string& path : {target.string(), relative}) {
    ASSERT_TRUE(std::filesystem::exists(folder_.path() / path));
    write_index({{"a", path}});
    expect_refused(ErrorCode::format, {index_name, "\"a\""}, [&] { open(); });
  }
}

ShardIndex index_of(const std::string& text) {
  return parse_shard_index(text, "the-index");
}

TEST(ShardIndex, EveryWayOutOfTheFolder) {
  for (const char* name :
       {"",          ".",       "..",    "../x",    "a/../x",         "/etc/passwd", "a/b",
        "./a",       "a/",      "\\\\a", "..\\\\a", "C:\\\\a",        "C:a",         "a..b",
        "a\\u0000b", "\\u0000", "a\\nb", "\\u007f", "\\u002e\\u002e", "a\\u002fb",   "a\\/b"}) {
    const std::string text = R"({"weight_map":{"good":"x","bad":")" + std::string(name) + "\"}}";
    SCOPED_TRACE(text);
    expect_refused(ErrorCode::format, {"the-index", "\"bad\""}, [&] { index_of(text); });
  }
  for (const char* name : {"a", "a.b", ".a", "model-00001-of-00002.safetensors", "\\u00e9"}) {
    EXPECT_NO_THROW(index_of(R"({"weight_map":{"a":")" + std::string(name) + "\"}}")) << name;
  }
}

TEST(ShardIndex, WhatItHolds) {
  const ShardIndex index = index_of(
      R"({"metadata":{"total_size":"a lie"},"weight_map":{"a":"x","c":"y","b":"x"},"more":[]})");
  EXPECT_EQ(index, (ShardIndex{{"x", {"a", "b"}}, {"y", {"c"}}}));
}

TEST(ShardIndex, WhatIsRefused) {
  for (const char* text :
       {"", "[]", "{}", R"({"weight_map":null})", R"({"weight_map":{}})", R"({"weight_map":[]})",
        R"({"weight_map":{"a":1}})", R"({"weight_map":{"a":null}})",
        R"({"weight_map":{"a":["x"]}})", R"({"weight_map":{"a":"x"},"weight_map":{"a":"x"}})",
        R"({"weight_map":{"a":"x","a":"y"}})", R"({"weight_map":{"a":"x","\u0061":"x"}})"}) {
    SCOPED_TRACE(text);
    expect_refused(ErrorCode::format, {"the-index"}, [&] { index_of(text); });
  }
}

TEST(ShardIndex, ShardsHaveALimit) {
  const auto index_with = [](std::size_t shards) {
    nlohmann::json map;
    for (std::size_t i = 0; i < shards; ++i) map["t" + std::to_string(i)] = std::to_string(i);
    return nlohmann::json{{"weight_map", map}}.dump();
  };
  EXPECT_EQ(index_of(index_with(max_shards)).size(), max_shards);
  expect_refused(ErrorCode::format, {"the-index", "1024", "1025"},
                 [&] { index_of(index_with(max_shards + 1)); });
}

TEST(CheckpointGoldens, EveryGoldenFolderOpens) {
  const auto goldens = std::filesystem::path(GRIFFIN_SOURCE_DIR) / "tests" / "goldens";
  int folders = 0;
  for (const auto& entry : std::filesystem::directory_iterator(goldens)) {
    if (!std::filesystem::exists(entry.path() / "golden.safetensors")) continue;
    ++folders;
    for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
      const Checkpoint checkpoint(entry.path(), access);
      EXPECT_TRUE(checkpoint.find("model.embed_tokens.weight")) << entry.path();
      EXPECT_EQ(checkpoint.files().size(), entry.path().filename() == "onehead" ? 2U : 1U);
    }
    const SafetensorsFile numbers(entry.path() / "golden.safetensors", FileAccess::map);
    EXPECT_EQ(numbers.tensors().count("full.logits"), 1U) << entry.path();
  }
  EXPECT_EQ(folders, 6);
}

TEST(CheckpointGoldens, T20_T21_TheirConfigsSayWhatTheirTableSays) {
  const struct {
    const char* folder;
    const char* layers;
    std::int64_t width, heads, head_dim, lru_width, mlp_width, window, vocab;
  } table[] = {{"griffin-a", "RRARRA", 64, 4, 16, 64, 112, 8, 256},
               {"griffin-a-bf16", "RRARRA", 64, 4, 16, 64, 112, 8, 256},
               {"hawk-a", "RRR", 72, 3, 24, 96, 96, 16, 200},
               {"griffin-b", "RRAR", 320, 10, 32, 320, 64, 16, 128},
               {"onehead", "RARA", 64, 1, 64, 64, 96, 16, 151},
               {"attn-only", "AA", 64, 2, 32, 64, 96, 12, 130}};
  for (const auto& row : table) {
    SCOPED_TRACE(row.folder);
    const ModelConfig c =
        read_config(std::filesystem::path(GRIFFIN_SOURCE_DIR) / "tests" / "goldens" / row.folder)
            .model;
    EXPECT_EQ(letters(c), row.layers);
    EXPECT_EQ(
        (std::vector{c.width, c.heads, c.head_dim, c.lru_width, c.mlp_width, c.window, c.vocab}),
        (std::vector{row.width, row.heads, row.head_dim, row.lru_width, row.mlp_width, row.window,
                     row.vocab}));
    const bool hawk = std::string_view(row.folder) == "hawk-a";
    EXPECT_EQ(c.scale_embedding, !hawk);
    EXPECT_EQ(c.soft_cap, hawk ? 0.0F : 30.0F);
  }
}

}  // namespace
}  // namespace griffin::test
