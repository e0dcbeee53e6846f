// SPDX-License-Identifier: Apache-2.0
// A prompt that takes several passes, and the logits that are asked for.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "griffin/griffin_c.h"

namespace {

const char* const embedded = GRIFFIN_SOURCE_DIR "/examples/models/griffin";

class CPass : public testing::Test {
 protected:
  CPass() {
    EXPECT_EQ(griffin_model_load(embedded, nullptr, &model_, nullptr), GRIFFIN_OK);
    griffin_model_info info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(griffin_model_get_info(model_, &info, nullptr), GRIFFIN_OK);
    vocab_ = static_cast<std::size_t>(info.vocab);
  }
  ~CPass() override { griffin_model_free(model_); }

  /// Rows of logits, and one more that has to stay as it was.
  std::vector<float> run(griffin_pass_options options, griffin_logits wanted, std::size_t rows) {
    options.struct_size = sizeof(options);
    griffin_pass* pass = nullptr;
    griffin_sequence* sequence = nullptr;
    EXPECT_EQ(griffin_pass_new(model_, &options, &pass, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_sequence_new(model_, nullptr, &sequence, nullptr), GRIFFIN_OK);
    const float untouched = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> logits((rows + 1) * vocab_, untouched);
    std::size_t found = 0;
    EXPECT_EQ(griffin_pass_run(pass, sequence, ids_.data(), ids_.size(), wanted, logits.data(),
                               rows, &found, nullptr),
              GRIFFIN_OK);
    EXPECT_EQ(found, rows);
    for (std::size_t i = rows * vocab_; i < logits.size(); ++i) EXPECT_TRUE(std::isnan(logits[i]));
    logits.resize(rows * vocab_);
    griffin_sequence_free(sequence);
    griffin_pass_free(pass);
    return logits;
  }

  const std::vector<std::int32_t> ids_ = {2, 300, 301, 302, 303, 304, 305, 306, 307, 308};
  griffin_model* model_ = nullptr;
  std::size_t vocab_ = 0;
};

TEST_F(CPass, LogitsAreTheSameInHoweverManyPasses) {
  griffin_pass_options whole{};
  whole.max_rows = whole.max_logits = 10;
  const std::vector<float> all = run(whole, GRIFFIN_LOGITS_ALL, 10);
  const std::vector<float> last(all.end() - static_cast<std::ptrdiff_t>(vocab_), all.end());
  for (const std::int64_t rows : {1, 4, 10}) {
    for (const std::int64_t logits : {1, 3}) {
      if (logits > rows) continue;
      griffin_pass_options parts{};
      parts.max_rows = rows;
      parts.max_logits = logits;
      EXPECT_EQ(run(parts, GRIFFIN_LOGITS_ALL, 10), all);
      EXPECT_EQ(run(parts, GRIFFIN_LOGITS_LAST, 1), last);
      EXPECT_TRUE(run(parts, GRIFFIN_LOGITS_NONE, 0).empty());
    }
  }
}

}  // namespace
