// SPDX-License-Identifier: Apache-2.0
// Names, lists and numbers exactly at their limits, and one beyond.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "formats/printable.h"
#include "formats/refused.h"
#include "formats/safetensors.h"
#include "formats/safetensors_file.h"
#include "formats/shard_index.h"
#include "models/model_folder.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

TEST(Printable, ShowsSoMuchAndNoMore) {
  const std::string text(120, 'a');
  EXPECT_EQ(printable(text), "\"" + text + "\"");
  EXPECT_EQ(printable(text + "b"), "\"" + text + "...\"");
  EXPECT_EQ(printable(""), "\"\"");
}

TEST(Printable, WritesOutWhatDoesNotPrint) {
  EXPECT_EQ(printable(std::string("\x1F \x7E\x7F\x80", 5)), "\"\\x1f ~\\x7f\x80\"");
  EXPECT_EQ(printable(std::string("\0\n", 2)), "\"\\x00\\x0a\"");
}

TEST(SafetensorsLimits, AsManyDimensionsAsThereMayBe) {
  const auto parse = [](std::size_t rank) {
    std::string shape = "1";
    for (std::size_t i = 1; i < rank; ++i) shape += ",1";
    const std::string header =
        R"({"t":{"dtype":"U8","shape":[)" + shape + R"(],"data_offsets":[0,1]}})";
    return parse_safetensors(as_bytes(safetensors_file(header, 1)), "the-file", nullptr);
  };
  EXPECT_EQ(parse(256).at("t").shape.size(), 256U);
  expect_refused(ErrorCode::format, {"the-file", "at most 256 dimensions, found 257"},
                 [&] { parse(257); });
}

/// Tensors of nothing may begin where others do, before them or after.
TEST(SafetensorsLimits, TensorsOfNothingAreNoHoles) {
  const std::string header = R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                             R"("a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},)"
                             R"("z":{"dtype":"F32","shape":[3,0],"data_offsets":[2,2]},)"
                             R"("c":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})";
  const TensorMap found = parse_safetensors(as_bytes(safetensors_file(header, 2)), "f", nullptr);
  EXPECT_EQ(found.size(), 4U);
  EXPECT_EQ(found.at("b").data.size(), 2U);
}

TEST(SafetensorsLimits, AnAddressIsInTheFileOrNot) {
  const TempFolder folder;
  const std::string header = R"({"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})";
  const auto path = folder.write("file", safetensors_file(header, 3));
  const SafetensorsFile file(path, FileAccess::read);
  const std::byte* data = file.tensors().at("t").data.data();
  const std::byte* begin = data - 8 - header.size();
  EXPECT_TRUE(file.holds(begin));
  EXPECT_TRUE(file.holds(data + 2));
  EXPECT_FALSE(file.holds(data + 3));
  EXPECT_FALSE(file.holds(begin - 1));
}

TEST(ShardIndexLimits, ControlCharactersAreInNoName) {
  const auto parse = [](const std::string& escape) {
    return parse_shard_index(R"({"weight_map":{"a":"x)" + escape + R"("}})", "the-index");
  };
  for (const char* good : {" ", "\\u007e", "\\u0080"}) EXPECT_EQ(parse(good).size(), 1U) << good;
  for (const char* bad : {"\\u001f", "\\u007f", "\\u0001"}) {
    expect_refused(ErrorCode::format, {"a file name without a path"}, [&] { parse(bad); });
  }
}

class NumberedShards : public ::testing::Test {
 protected:
  static std::string name(int number, int count) {
    char text[64];
    std::snprintf(text, sizeof text, "model-%05d-of-%05d.safetensors", number, count);
    return text;
  }
  void write(int first, int last, int count) const {
    for (int n = first; n <= last; ++n) folder_.write(name(n, count), "");
  }
  std::size_t found() const { return find_weight_files(folder_.path(), {}).files.size(); }

  const TempFolder folder_;
};

TEST_F(NumberedShards, AsManyAsThereMayBe) {
  write(1, 1024, 1024);
  EXPECT_EQ(found(), 1024U);
  write(1, 1025, 1025);
  for (int n = 1; n <= 1024; ++n) std::filesystem::remove(folder_.path() / name(n, 1024));
  expect_refused(ErrorCode::io, {"more than 1024 shards"}, [&] { found(); });
}

/// Eight of the missing ones are named, and the ninth is not.
TEST_F(NumberedShards, MissingOnesAreNamed) {
  write(1, 1, 9);
  expect_refused(ErrorCode::io,
                 {"found 1 of 9 shards", "shards 2, 3, 4, 5, 6, 7, 8, 9 are missing"},
                 [&] { found(); });
  write(1, 2, 11);
  expect_refused(ErrorCode::io,
                 {"found 2 of 11", "shards 3, 4, 5, 6, 7, 8, 9, 10, ... are missing"},
                 [&] { found(); });
}

/// Of the set of which most are there.
TEST_F(NumberedShards, TheSetThatIsNearlyThereIsMeant) {
  write(1, 3, 5);
  write(1, 2, 9);
  expect_refused(ErrorCode::io, {"found 3 of 5 shards", "shards 4, 5 are missing"},
                 [&] { found(); });
}

TEST_F(NumberedShards, NumbersHaveFiveDigits) {
  folder_.write("model-000001-of-000001.safetensors", "");
  expect_refused(ErrorCode::io, {"found neither"}, [&] { found(); });
  folder_.write("model-00002-of-00001.safetensors", "");
  expect_refused(ErrorCode::io, {"found neither"}, [&] { found(); });
  folder_.write("model-00001-of-00001.safetensors", "");
  EXPECT_EQ(found(), 1U);
}

}  // namespace
}  // namespace griffin::test
