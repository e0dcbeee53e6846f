// SPDX-License-Identifier: Apache-2.0
// T33: files with random damage are read or refused with griffin::Error, and nothing else happens.
// The damage is the same in every run; the sanitizers make this a test of memory, too.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config_text.h"
#include "formats/safetensors.h"
#include "formats/shard_index.h"
#include "refused.h"
#include "safetensors_file.h"

namespace griffin::test {
namespace {

constexpr int mutations = 20'000;

/// Does a few small things to a text, most of which keep it close to what it was.
class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : engine_(seed) {}

  std::string damaged(std::string text) {
    const std::size_t changes = 1 + below(3);
    for (std::size_t i = 0; i < changes; ++i) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : engine_() % n; }

  void change(std::string& text) {
    static const std::vector<std::string> tokens = {"{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    ",",
                                                    ":",
                                                    "\"",
                                                    "0",
                                                    "-1",
                                                    "-0",
                                                    "1e9",
                                                    "1.5",
                                                    "null",
                                                    "true",
                                                    "\\",
                                                    "\\u0061",
                                                    "18446744073709551615",
                                                    "18446744073709551616",
                                                    "9223372036854775808",
                                                    "[]",
                                                    "{}",
                                                    "\"a\"",
                                                    " ",
                                                    std::string(1, '\0'),
                                                    "\xFF",
                                                    "\xEF\xBB\xBF",
                                                    "[[[[[[[[",
                                                    "4294967296"};
    const std::size_t at = below(text.size());
    const std::size_t length = below(text.size() - at + 1) % 16;
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(engine_() & 0xFF);
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, tokens[below(tokens.size())]);
        break;
      case 3:
        text.replace(at, length, tokens[below(tokens.size())]);
        break;
      case 4:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      default:
        replace_number(text, at);
        break;
    }
  }

  /// Another number in the place of the next one.
  void replace_number(std::string& text, std::size_t at) {
    constexpr std::string_view digits = "0123456789";
    const std::size_t begin = text.find_first_of(digits, at);
    if (begin == std::string::npos) return;
    const std::size_t end = std::min(text.find_first_not_of(digits, begin), text.size());
    const std::uint64_t any = static_cast<std::uint64_t>(engine_()) << below(33);
    text.replace(begin, end - begin, std::to_string(below(2) == 0 ? any : below(8)));
  }

  std::mt19937 engine_;
};

struct Outcome {
  int accepted = 0;
  int refused = 0;
};

/// Gives `read` many damaged copies of a text.
template <class Read>
Outcome read_damaged(const std::string& text, std::uint32_t seed, const Read& read) {
  Mutator mutator(seed);
  Outcome outcome;
  for (int i = 0; i < mutations; ++i) {
    const std::string damaged = mutator.damaged(text);
    try {
      read(damaged);
      ++outcome.accepted;
    } catch (const Error& error) {
      ++outcome.refused;
      EXPECT_EQ(std::string_view(error.what()).substr(0, 8), "the-file") << error.what();
    }
  }
  return outcome;
}

/// Damage of this kind must neither always nor never be noticed, else it tests nothing.
void expect_both(const Outcome& outcome) {
  EXPECT_GT(outcome.accepted, mutations / 100);
  EXPECT_GT(outcome.refused, mutations / 100);
}

const std::string header =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},)"
    R"("c":{"dtype":"U8","shape":[],"data_offsets":[32,33],"extra":{"x":[1,2.5,null,"y"]}}})";

/// Touches every byte that a tensor claims to have.
std::size_t sum_of(const TensorMap& tensors) {
  std::size_t sum = 0;
  for (const auto& [name, tensor] : tensors) {
    for (const std::byte byte : tensor.data) sum += static_cast<std::size_t>(byte);
  }
  return sum;
}

TEST(Mutation, T33_SafetensorsHeader) {
  std::size_t sum = 0;
  expect_both(read_damaged(header, 1, [&](const std::string& damaged) {
    // In memory of exactly its size, so that a byte too far is found.
    const std::string file = safetensors_file(damaged, 33);
    const std::vector<char> exact(file.begin(), file.end());
    sum += sum_of(parse_safetensors(as_bytes({exact.data(), exact.size()}), "the-file"));
  }));
  EXPECT_GT(sum, 0U);
}

TEST(Mutation, T33_SafetensorsFile) {
  const std::string whole = safetensors_file(header, 33);
  std::size_t sum = 0;
  expect_both(read_damaged(whole, 2, [&](const std::string& damaged) {
    const std::vector<char> exact(damaged.begin(), damaged.end());
    sum += sum_of(parse_safetensors(as_bytes({exact.data(), exact.size()}), "the-file"));
  }));
  EXPECT_GT(sum, 0U);
}

TEST(Mutation, T33_Config) {
  expect_both(read_damaged(good_config().dump(), 3, [](const std::string& damaged) {
    const CheckpointConfig config = parse_config(damaged, "the-file");
    EXPECT_GT(config.model.parameters(), 0);
  }));
}

TEST(Mutation, T33_Index) {
  const std::string index =
      R"({"metadata":{"total_size":12},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})";
  expect_both(read_damaged(index, 4, [](const std::string& damaged) {
    for (const auto& [shard, tensors] : parse_shard_index(damaged, "the-file")) {
      EXPECT_EQ(std::filesystem::path(shard).filename(), shard);
      EXPECT_FALSE(tensors.empty());
    }
  }));
}

}  // namespace
}  // namespace griffin::test
