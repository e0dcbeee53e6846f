// SPDX-License-Identifier: Apache-2.0
// config.json: key/value heads, and biases of attention.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "config_text.h"
#include "refused.h"

namespace griffin::test {
namespace {

std::int64_t kv_heads(const std::string& count) {
  return parse(with("num_key_value_heads", count)).model.kv_heads;
}

TEST(ConfigAttention, KeyValueHeadsDivideTheHeads) {
  for (const int count : {1, 2, 5, 10}) EXPECT_EQ(kv_heads(std::to_string(count)), count);
  for (const char* count : {"0", "3", "4", "11", "20", "-1", "1.0", "\"1\"", "true", "[1]",
                            "9223372036854775807", "18446744073709551616"}) {
    SCOPED_TRACE(count);
    expect_refused(ErrorCode::format, {"the-config.json", "num_key_value_heads"},
                   [&] { kv_heads(count); });
  }
  expect_refused(ErrorCode::format,
                 {"num_key_value_heads", "num_attention_heads 10", "found the number 4"},
                 [] { kv_heads("4"); });
}

TEST(ConfigAttention, NoNumberOfKeyValueHeadsMeansOneAHead) {
  EXPECT_EQ(kv_heads("null"), 10);
  EXPECT_EQ(parse(without({"num_key_value_heads"})).model.kv_heads, 10);
}

TEST(ConfigAttention, Bias) {
  EXPECT_TRUE(parse(with("attention_bias", "true")).model.qkv_bias);
  EXPECT_FALSE(parse(with("attention_bias", "false")).model.qkv_bias);
  EXPECT_FALSE(parse(without({"attention_bias"})).model.qkv_bias);
}

}  // namespace
}  // namespace griffin::test
