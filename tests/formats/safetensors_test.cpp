// SPDX-License-Identifier: Apache-2.0
// T33: the container's rules, one file for each, and what must become of it.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "refused.h"
#include "safetensors_file.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

struct Case {
  const char* name;
  std::string file;

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

/// A header with the one tensor "a".
std::string a(const std::string& info) {
  return R"({"a":)" + info + "}";
}

std::string a(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return a(R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}");
}

/// A header with two tensors of type U8.
std::string two(const std::string& first, const std::string& shape_1, const std::string& offsets_1,
                const std::string& second, const std::string& shape_2,
                const std::string& offsets_2) {
  const auto entry = [](const std::string& name, const std::string& shape,
                        const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":"U8","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}";
  };
  return "{" + entry(first, shape_1, offsets_1) + "," + entry(second, shape_2, offsets_2) + "}";
}

const std::string good = a("F32", "[1]", "[0,4]");

std::string with_extra_field(const std::string& value) {
  return a(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":)" + value + "}");
}

std::string nested(int levels) {
  const auto n = static_cast<std::size_t>(levels);
  return std::string(n, '[') + std::string(n, ']');
}

std::string rank(int dimensions) {
  std::string shape = "[1";
  for (int i = 1; i < dimensions; ++i) shape += ",1";
  return shape + "]";
}

std::string with_metadata(const std::string& metadata) {
  return R"({"__metadata__":)" + metadata + "," + good.substr(1);
}

std::vector<Case> accepted() {
  return {
      {"no_tensors", safetensors_file("{}", 0)},
      {"rank_0", safetensors_file(a("F32", "[]", "[0,4]"), 4)},
      {"zero_size", safetensors_file(a("F32", "[2,0]", "[0,0]"), 0)},
      {"two_zero_sizes", safetensors_file(two("a", "[0]", "[0,0]", "b", "[0]", "[0,0]"), 0)},
      {"zero_size_before_another",
       safetensors_file(two("a", "[4]", "[0,4]", "b", "[0]", "[0,0]"), 4)},
      {"zero_size_at_the_end", safetensors_file(two("a", "[4]", "[0,4]", "b", "[0]", "[4,4]"), 4)},
      {"metadata", safetensors_file(with_metadata(R"({"format":"pt"})"), 4)},
      {"metadata_null", safetensors_file(with_metadata("null"), 4)},
      {"metadata_empty", safetensors_file(with_metadata("{}"), 4)},
      {"extra_field", safetensors_file(with_extra_field(R"({"any":[1,2.5,null,true]})"), 4)},
      {"extra_field_100_deep", safetensors_file(with_extra_field(nested(100)), 4)},
      {"out_of_order", safetensors_file(two("a", "[3]", "[1,4]", "b", "[1]", "[0,1]"), 4)},
      {"unaligned_data", safetensors_file(two("a", "[1]", "[0,1]", "b", "[4]", "[1,5]"), 5)},
      {"unaligned_header", safetensors_file(good + "   ", 4)},
      {"leading_space", safetensors_file("  " + good, 4)},
      {"leading_newline_and_tab", safetensors_file("\n\t" + good, 4)},
      {"trailing_space", safetensors_file(good + "  ", 4)},
      {"trailing_newline", safetensors_file(good + "\n", 4)},
      {"empty_name",
       safetensors_file(R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1)},
      {"product_0_before_2_to_63",
       safetensors_file(a("F32", "[0,9223372036854775808,4]", "[0,0]"), 0)},
      {"f4_whole_byte", safetensors_file(a("F4", "[2]", "[0,1]"), 1)},
      {"f6_whole_bytes", safetensors_file(a("F6_E2M3", "[4]", "[0,3]"), 3)},
      {"rank_64", safetensors_file(a("F32", rank(64), "[0,4]"), 4)},
  };
}

std::vector<Case> malformed_tensors() {
  const auto dtype = [](const char* value) {
    return safetensors_file(
        a(std::string(R"({"dtype":)") + value + R"(,"shape":[1],"data_offsets":[0,4]})"), 4);
  };
  const auto shape = [](const char* value) {
    return safetensors_file(a("F32", value, "[0,4]"), 4);
  };
  const auto offsets = [](const char* value) {
    return safetensors_file(a("F32", "[1]", value), 4);
  };
  return {
      {"info_is_an_array", safetensors_file(a(R"(["F32",[1],[0,4]])"), 4)},
      {"info_is_null", safetensors_file(a("null"), 0)},
      {"no_dtype", safetensors_file(a(R"({"shape":[1],"data_offsets":[0,4]})"), 4)},
      {"no_shape", safetensors_file(a(R"({"dtype":"F32","data_offsets":[0,4]})"), 4)},
      {"no_offsets", safetensors_file(a(R"({"dtype":"F32","shape":[1]})"), 4)},
      {"duplicate_field",
       safetensors_file(a(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F32"})"), 4)},
      {"duplicate_field_escaped",
       safetensors_file(a(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"\u0064type":"F32"})"),
                        4)},
      {"dtype_unknown", dtype(R"("F31")")},
      {"dtype_lower_case", dtype(R"("f32")")},
      {"dtype_number", dtype("32")},
      {"dtype_null", dtype("null")},
      {"shape_negative", shape("[-1]")},
      {"shape_minus_0", shape("[-0]")},
      {"shape_real", shape("[1.0]")},
      {"shape_exponent", shape("[1e0]")},
      {"shape_string", shape(R"(["1"])")},
      {"shape_null", shape("null")},
      {"shape_null_inside", shape("[null]")},
      {"shape_number", shape("1")},
      {"shape_object", shape("{}")},
      {"shape_2_to_64", shape("[18446744073709551616]")},
      {"offset_negative", offsets("[-1,4]")},
      {"offset_real", offsets("[0.0,4]")},
      {"offset_exponent", offsets("[0,4e0]")},
      {"offset_minus_0", offsets("[-0,4]")},
      {"offset_string", offsets(R"(["0",4])")},
      {"offset_null", offsets("[null,4]")},
      {"offset_2_to_64", offsets("[0,18446744073709551616]")},
      {"offset_bool", offsets("[false,4]")},
      {"one_offset", offsets("[4]")},
      {"three_offsets", offsets("[0,4,4]")},
      {"no_offset", offsets("[]")},
      {"rank_1000", safetensors_file(a("F32", rank(1000), "[0,4]"), 4)},
  };
}

std::vector<Case> misplaced_tensors() {
  return {
      {"zero_size_with_bytes", safetensors_file(a("F32", "[2,0]", "[0,4]"), 4)},
      {"zero_size_inside_another",
       safetensors_file(two("a", "[4]", "[0,4]", "b", "[0]", "[2,2]"), 4)},
      {"begin_after_end", safetensors_file(a("F32", "[1]", "[4,0]"), 4)},
      {"end_before_begin_of_the_second",
       safetensors_file(two("a", "[4]", "[0,4]", "b", "[1]", "[4,3]"), 4)},
      {"first_begins_at_4", safetensors_file(a("F32", "[1]", "[4,8]"), 8)},
      {"hole", safetensors_file(two("a", "[1]", "[0,1]", "b", "[1]", "[2,3]"), 3)},
      {"overlap", safetensors_file(two("a", "[2]", "[0,2]", "b", "[2]", "[1,3]"), 3)},
      {"same_range", safetensors_file(two("a", "[2]", "[0,2]", "b", "[2]", "[0,2]"), 2)},
      {"bytes_too_many", safetensors_file(good, 5)},
      {"bytes_missing", safetensors_file(good, 3)},
      {"data_without_tensors", safetensors_file("{}", 1)},
      {"range_too_long", safetensors_file(a("F32", "[1]", "[0,8]"), 8)},
      {"range_too_short", safetensors_file(a("F32", "[2]", "[0,4]"), 4)},
      {"overflow_2_to_65", safetensors_file(a("U8", "[2,18446744073709551614]", "[0,4]"), 4)},
      {"overflow_in_bits", safetensors_file(a("U8", "[2,9223372036854775807]", "[0,4]"), 4)},
      {"overflow_in_bits_wraps_to_0",
       safetensors_file(a("U8", "[2305843009213693952]", "[0,0]"), 0)},
      {"overflow_before_0", safetensors_file(a("F32", "[9223372036854775808,4,0]", "[0,0]"), 0)},
      {"overflow_wraps_to_the_size",
       safetensors_file(a("U8", "[4294967296,4294967296]", "[0,0]"), 0)},
      {"offset_max", safetensors_file(a("F32", "[1]", "[0,18446744073709551615]"), 4)},
      {"offset_2_to_61",
       safetensors_file(a("U8", "[2305843009213693951]", "[0,2305843009213693951]"), 4)},
      {"f4_half_byte", safetensors_file(a("F4", "[3]", "[0,1]"), 1)},
      {"f4_half_byte_rounded_up", safetensors_file(a("F4", "[3]", "[0,2]"), 2)},
      {"f6_bits_left", safetensors_file(a("F6_E3M2", "[2]", "[0,2]"), 2)},
  };
}

std::vector<Case> malformed_headers() {
  return {
      {"duplicate_name_same_range",
       safetensors_file(two("a", "[2]", "[0,2]", "a", "[2]", "[0,2]"), 2)},
      {"duplicate_name_adjacent",
       safetensors_file(two("a", "[2]", "[0,2]", "a", "[2]", "[2,4]"), 4)},
      {"duplicate_name_escaped",
       safetensors_file(two("a", "[2]", "[0,2]", "\\u0061", "[2]", "[2,4]"), 4)},
      {"duplicate_metadata",
       safetensors_file(R"({"__metadata__":{},"__metadata__":{},)" + good.substr(1), 4)},
      {"metadata_value_number", safetensors_file(with_metadata(R"({"a":1})"), 4)},
      {"metadata_value_null", safetensors_file(with_metadata(R"({"a":null})"), 4)},
      {"metadata_nested", safetensors_file(with_metadata(R"({"a":{"b":"c"}})"), 4)},
      {"metadata_array", safetensors_file(with_metadata("[]"), 4)},
      {"metadata_string", safetensors_file(with_metadata(R"("pt")"), 4)},
      {"trailing_nul", safetensors_file(good + std::string(1, '\0'), 4)},
      {"trailing_nul_and_garbage", safetensors_file(good + std::string("\0x", 2), 4)},
      {"trailing_garbage", safetensors_file(good + "x", 4)},
      {"two_objects", safetensors_file(good + "{}", 4)},
      {"byte_order_mark", safetensors_file("\xEF\xBB\xBF" + good, 4)},
      {"comment", safetensors_file("/**/" + good, 4)},
      {"line_comment", safetensors_file(good + "//", 4)},
      {"trailing_comma", safetensors_file(good.substr(0, good.size() - 1) + ",}", 4)},
      {"top_level_array", safetensors_file("[]", 0)},
      {"top_level_array_of_good", safetensors_file("[" + good + "]", 4)},
      {"top_level_number", safetensors_file("1", 0)},
      {"top_level_null", safetensors_file("null", 0)},
      {"leading_0", safetensors_file(a("F32", "[01]", "[0,4]"), 4)},
      {"header_of_0_bytes", safetensors_with_length(0, "")},
      {"file_of_0_bytes", ""},
      {"file_of_7_bytes", std::string(7, '\0')},
      {"length_100000001", safetensors_with_length(100'000'001, good + "0123")},
      {"length_max", safetensors_with_length(UINT64_MAX, good + "0123")},
      {"length_max_minus_7", safetensors_with_length(UINT64_MAX - 7, good + "0123")},
      {"length_100000000_short_file", safetensors_with_length(100'000'000, good + "0123")},
      {"length_one_more_than_there_is", safetensors_with_length(3, "{}")},
      {"header_cut", safetensors_with_length(good.size() - 1, good + "0123")},
      {"invalid_utf8", safetensors_file("{\"\xFF\":" + good.substr(5), 4)},
      {"overlong_utf8", safetensors_file("{\"\xC0\xAF\":" + good.substr(5), 4)},
      {"lone_surrogate", safetensors_file(R"({"\ud800":)" + good.substr(5), 4)},
      {"raw_control_character", safetensors_file("{\"\x01\":" + good.substr(5), 4)},
      {"not_a_number", safetensors_file(with_extra_field("NaN"), 4)},
      {"number_beyond_double", safetensors_file(with_extra_field("1e400"), 4)},
      {"extra_field_200_deep", safetensors_file(with_extra_field(nested(200)), 4)},
      {"extra_field_100000_deep", safetensors_file(with_extra_field(nested(100'000)), 4)},
      {"unclosed_100000_deep", safetensors_file(R"({"a":)" + std::string(100'000, '['), 0)},
      {"objects_100000_deep", safetensors_file(
                                  [] {
                                    std::string text;
                                    for (int i = 0; i < 100'000; ++i) text += R"({"a":)";
                                    return text;
                                  }(),
                                  0)},
  };
}

class SafetensorsAccepted : public testing::TestWithParam<Case> {};
class SafetensorsRefused : public testing::TestWithParam<Case> {};

TEST_P(SafetensorsAccepted, T33) {
  EXPECT_NO_THROW(parse_safetensors(as_bytes(GetParam().file), "the-file"));
}

TEST_P(SafetensorsRefused, T33) {
  expect_refused(ErrorCode::format, {"the-file"},
                 [] { parse_safetensors(as_bytes(GetParam().file), "the-file"); });
}

INSTANTIATE_TEST_SUITE_P(Table, SafetensorsAccepted, testing::ValuesIn(accepted()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Header, SafetensorsRefused, testing::ValuesIn(malformed_headers()),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Tensor, SafetensorsRefused, testing::ValuesIn(malformed_tensors()),
                         name_of_case);
INSTANTIATE_TEST_SUITE_P(Place, SafetensorsRefused, testing::ValuesIn(misplaced_tensors()),
                         name_of_case);

// Every refused file above is one change away from an accepted one; here are the unchanged ones, so
// that none is refused for another reason than its own.
TEST(Safetensors, TheFilesThatTheRefusedOnesComeFrom) {
  for (const std::string& file :
       {safetensors_file(good, 4), safetensors_file(with_extra_field("[]"), 4),
        safetensors_file(with_metadata(R"({"a":"b"})"), 4),
        safetensors_file(two("a", "[2]", "[0,2]", "b", "[2]", "[2,4]"), 4),
        safetensors_file("{\"\xC3\xA9\":" + good.substr(5), 4),
        safetensors_file(a("F6_E3M2", "[4]", "[0,3]"), 3),
        safetensors_file(R"({"\ud83d\ude00":)" + good.substr(5), 4)}) {
    EXPECT_NO_THROW(parse_safetensors(as_bytes(file), "the-file"));
  }
}

TEST(Safetensors, EveryTypeOfTheFormatHasItsSize) {
  const struct {
    const char* name;
    int bits;
  } types[] = {{"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6},
               {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},     {"F8_E4M3", 8},
               {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
               {"U16", 16},    {"F16", 16},        {"BF16", 16},       {"I32", 32},
               {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},
               {"I64", 64},    {"U64", 64}};
  for (const auto& type : types) {
    const int size = type.bits;  // of 8 elements, in bytes
    const auto header = [&](int bytes) {
      return a(type.name, "[2,4]", "[0," + std::to_string(bytes) + "]");
    };
    const std::string file = safetensors_file(header(size), static_cast<std::size_t>(size));
    const TensorMap tensors = parse_safetensors(as_bytes(file), "the-file");
    EXPECT_EQ(tensors.at("a").dtype, type.name);
    EXPECT_EQ(tensors.at("a").data.size(), static_cast<std::size_t>(size));
    const std::string longer =
        safetensors_file(header(size + 1), static_cast<std::size_t>(size) + 1);
    expect_refused(ErrorCode::format, {"the-file", "\"a\"", type.name},
                   [&] { parse_safetensors(as_bytes(longer), "the-file"); });
  }
}

TEST(Safetensors, TensorsAreWhereTheirOffsetsSay) {
  const std::string header = two("late", "[3]", "[1,4]", "early", "[1]", "[0,1]");
  const std::string file = safetensors_file(header, 4);
  const TensorMap tensors = parse_safetensors(as_bytes(file), "the-file");
  ASSERT_EQ(tensors.size(), 2U);
  const StoredTensor& late = tensors.at("late");
  EXPECT_EQ(late.shape, std::vector<std::uint64_t>{3});
  ASSERT_EQ(late.data.size(), 3U);
  EXPECT_EQ(std::memcmp(late.data.data(), "\1\2\3", 3), 0);
  EXPECT_EQ(tensors.at("early").data[0], std::byte{0});
}

TEST(Safetensors, TheMessageNamesTensorExpectedAndFound) {
  expect_refused(ErrorCode::format, {"the-file", "\"a\"", "[2, 3] of F32", "24", "20"}, [] {
    parse_safetensors(as_bytes(safetensors_file(a("F32", "[2,3]", "[0,20]"), 20)), "the-file");
  });
  expect_refused(ErrorCode::format, {"the-file", "\"a\"", "dtype", "\"F31\""}, [] {
    parse_safetensors(as_bytes(safetensors_file(a("F31", "[1]", "[0,4]"), 4)), "the-file");
  });
}

TEST(Safetensors, ALengthBeyondTheLimitIsNoQuestionOfTheFile) {
  expect_refused(ErrorCode::format, {"the-file", "at most 100000000", "found 100000001"}, [] {
    parse_safetensors(as_bytes(safetensors_with_length(100'000'001, good)), "the-file");
  });
  expect_refused(ErrorCode::format, {"the-file", "header of 100000000 bytes"}, [] {
    parse_safetensors(as_bytes(safetensors_with_length(100'000'000, good)), "the-file");
  });
}

TEST(Safetensors, AHostileNameCannotFloodTheMessage) {
  const std::string name(100'000, 'n');
  const std::string file = safetensors_file(
      "{\"" + name + R"(\n":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}})", 5);
  try {
    parse_safetensors(as_bytes(file), "the-file");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_LT(std::string_view(error.what()).size(), 1000U);
  }
  const std::string twisted =
      safetensors_file(R"({"a\nb\u007f":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}})", 5);
  expect_refused(ErrorCode::format, {R"("a\x0ab\x7f")"},
                 [&] { parse_safetensors(as_bytes(twisted), "the-file"); });
}

TEST(Safetensors, AnOpenFileKeepsItsTensorsWhenMoved) {
  const TempFolder folder;
  const auto path = folder.write("x.safetensors", safetensors_file(good, 4));
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    SafetensorsFile file(path, access);
    const std::byte* data = file.tensors().at("a").data.data();
    const SafetensorsFile moved(std::move(file));
    EXPECT_EQ(moved.path(), path);
    EXPECT_EQ(moved.tensors().at("a").data.data(), data);
    EXPECT_EQ(std::memcmp(data, "\0\1\2\3", 4), 0);
  }
}

}  // namespace
}  // namespace griffin::test
