// SPDX-License-Identifier: Apache-2.0
// Any text as a line of `batch`, and as a list of token ids: a request whose text, stops and draws
// stay within their bounds, or griffin::Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/target.h"
#include "griffin/generate/sampler.h"
#include "griffin/generate/text_stream.h"
#include "support/input.h"
#include "support/request_line.h"

namespace griffin::fuzz {
namespace {

constexpr std::int64_t vocab = 2048;  // of the embedded model

const examples::RequestReader& reader() {
  static const Tokenizer tokenizer =
      Tokenizer::load(GRIFFIN_SOURCE_DIR "/examples/models/griffin/tokenizer.model");
  static const examples::RequestReader all{
      .bos = 2, .tokenizer = &tokenizer, .stop_ids = {1}, .defaults = {}};
  return all;
}

/// Logits as no model should have them: NaN and both infinities among them.
std::vector<float> strange_logits(std::size_t size) {
  std::vector<float> logits(static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(i * 7919 % 101) - (i % 13 == 0 ? INFINITY : 0.0F);
  }
  logits[size % logits.size()] = size % 2 == 0 ? NAN : INFINITY;
  return logits;
}

void read_request(std::string_view text, examples::RequestNotes& notes) {
  const Request request = reader().read(text, notes);
  const GenerateOptions& options = request.options;
  for (const std::string& stop : options.stop_strings) require(stop.size() <= text.size());
  TextStream stream(*options.tokenizer, options.stop_strings);
  std::string out;
  for (const std::int32_t token : request.prompt) {
    if (token < 0 || token >= vocab) return;  // the scheduler refuses it
    stream.push(token, out);
  }
  stream.finish(out);
  require_valid(options.sampling, vocab);
  Sampler sampler(options.sampling, vocab);
  SamplerScratch scratch(vocab, kernels::table_at(0));
  sampler.observe(request.prompt);
  for (int draw = 0; draw < 3; ++draw) {
    std::vector<float> logits = strange_logits(text.size());
    const std::int32_t token = sampler.sample(logits, scratch);
    require(token >= 0 && token < vocab);
  }
}

void read_ids(std::string_view text) {
  for (const std::int32_t token : examples::parse_ids(text, vocab, "ids")) {
    require(token >= 0 && token < vocab);
  }
}

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view text = text_of(data, size);
  griffin::examples::RequestNotes notes;
  accepts([&] { read_request(text, notes); });
  require(notes.id.is_null() || notes.id.is_string() || notes.id.is_number());
  accepts([&] { read_ids(text); });
  return 0;
}
