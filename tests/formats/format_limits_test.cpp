// SPDX-License-Identifier: Apache-2.0
// Readers of files at exactly what is allowed.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/file_bytes.h"
#include "formats/json.h"
#include "formats/json_fields.h"
#include "formats/safetensors.h"
#include "refused.h"
#include "safetensors_file.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

/// Text of a key with an array of so many values, which is a value itself.
std::string member(const std::string& key, std::size_t values) {
  std::string text = "\"" + key + "\":[";
  for (std::size_t i = 0; i < values; ++i) text += i == 0 ? "1" : ",1";
  return text + "]";
}

TEST(FormatLimits, EveryKeyMayHoldAsManyValuesAsThereMayBe) {
  constexpr std::size_t most = max_json_values - 1;
  const std::string two = "{" + member("a", most) + "," + member("b", most) + "}";
  EXPECT_EQ(parse_json(two, "the-file").size(), 2U);
  expect_refused(ErrorCode::format, {"key \"b\""},
                 [] { parse_json("{\"a\":1," + member("b", max_json_values) + "}", "the-file"); });
}

TEST(FormatLimits, ARealNumberMayBeAnyKindOfNumber) {
  const JsonObject object = parse_json(R"({"a":-3,"b":2,"c":-1.5})", "the-file");
  const JsonFields fields("the-file", &object);
  EXPECT_EQ(fields["a"].real(-5.0, 5.0), -3.0);
  EXPECT_EQ(fields["b"].real(-5.0, 5.0), 2.0);
  EXPECT_EQ(fields["c"].real(-1.5, 5.0), -1.5);
  expect_refused(ErrorCode::format, {"a", "-2"}, [&] { fields["a"].real(-2.0, 5.0); });
}

std::string of_dimensions(std::size_t count) {
  std::string ones = "1";
  for (std::size_t i = 1; i < count; ++i) ones += ",1";
  return safetensors_file(R"({"a":{"dtype":"U8","shape":[)" + ones + R"(],"data_offsets":[0,1]}})",
                          1);
}

TEST(FormatLimits, ATensorMayHave256Dimensions) {
  const std::string most = of_dimensions(256);
  EXPECT_EQ(parse_safetensors(as_bytes(most), "the-file").at("a").shape.size(), 256U);
  const std::string more = of_dimensions(257);
  expect_refused(ErrorCode::format, {"256 dimensions", "found 257"},
                 [&] { parse_safetensors(as_bytes(more), "the-file"); });
}

TEST(FormatLimits, AFileHoldsItsBytesAndNoMore) {
  const TempFolder folder;
  const auto path = folder.write("a.safetensors", of_dimensions(1));
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    const SafetensorsFile file(path, access);
    const std::span<const std::byte> data = file.tensors().at("a").data;
    ASSERT_EQ(data.size(), 1U);
    EXPECT_TRUE(file.holds(data.data()));  // its last byte
    EXPECT_FALSE(file.holds(data.data() + 1));
    EXPECT_FALSE(file.holds(nullptr));
  }
}

/// Files of the kernel say that they have a page.
TEST(FormatLimits, AFileThatIsShorterThanItSaidIsRefused) {
  const char* const path = "/sys/kernel/mm/transparent_hugepage/enabled";
  struct stat status {};
  if (::stat(path, &status) != 0 || status.st_size == 0) GTEST_SKIP() << "there is no such file";
  expect_refused(ErrorCode::io, {path, "found only"}, [&] { FileBytes(path, FileAccess::read); });
}

}  // namespace
}  // namespace griffin::test
