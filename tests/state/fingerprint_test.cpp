// SPDX-License-Identifier: Apache-2.0
// What the fingerprint of a matrix notices.
#include "models/fingerprint.h"

#include <gtest/gtest.h>

#include <vector>

namespace griffin::test {
namespace {

std::uint64_t fingerprint_of(const std::vector<std::uint16_t>& data, std::int64_t cols) {
  Fingerprint fingerprint;
  fingerprint.add_sample(
      {data.data(), Dtype::bf16, static_cast<std::int64_t>(data.size()) / cols, cols});
  return fingerprint.value();
}

TEST(FingerprintOfAMatrix, SmallOnesCountAsAWhole) {
  std::vector<std::uint16_t> data(32768, 1);  // 64 KiB
  const std::uint64_t before = fingerprint_of(data, 128);
  for (std::uint16_t& value : data) {
    value = 2;
    ASSERT_NE(fingerprint_of(data, 128), before);
    value = 1;
  }
  EXPECT_EQ(fingerprint_of(data, 128), before);
}

/// A patch of 2/1024 of the bytes covers a stripe that a sample is taken from.
TEST(FingerprintOfAMatrix, APatchOfTwoThousandthsIsNoticedAnywhere) {
  for (const std::int64_t rows : {512, 1000, 1777}) {
    constexpr std::int64_t cols = 1024;
    std::vector<std::uint16_t> data(static_cast<std::size_t>(rows * cols), 1);
    const std::uint64_t before = fingerprint_of(data, cols);
    const std::size_t patch = data.size() / 512 + 64;
    for (std::size_t at = 0; at + patch <= data.size(); at += data.size() / 97) {
      std::vector<std::uint16_t> patched = data;
      std::fill_n(patched.begin() + static_cast<std::ptrdiff_t>(at), patch, std::uint16_t{2});
      EXPECT_NE(fingerprint_of(patched, cols), before) << at;
    }
  }
}

/// Every row differs a little, in one column: as a norm or a bias folded into a matrix would.
TEST(FingerprintOfAMatrix, AColumnIsNoticed) {
  constexpr std::int64_t cols = 2560;
  std::vector<std::uint16_t> data(2048 * cols, 1);
  const std::uint64_t before = fingerprint_of(data, cols);
  int noticed = 0;
  for (std::size_t column = 0; column < cols; column += 64) {
    std::vector<std::uint16_t> patched = data;
    for (std::size_t row = 0; row < 2048; ++row) patched[row * cols + column] = 2;
    noticed += fingerprint_of(patched, cols) != before ? 1 : 0;
  }
  EXPECT_EQ(noticed, cols / 64);
}

}  // namespace
}  // namespace griffin::test
