// SPDX-License-Identifier: Apache-2.0
// Any text as a line of `batch`, and as a list of token ids: a request whose text, stops and draws
// stay within their bounds, or griffin::Error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/sampler.h"
#include "griffin/generate/text_stream.h"
#include "support/input.h"
#include "support/request_line.h"

namespace {

using namespace griffin;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::int64_t vocab = 2048;  // of the embedded model

void require(bool holds) {
  if (!holds) std::abort();
}

const examples::RequestReader& reader() {
  static const Tokenizer tokenizer = Tokenizer::load(GRIFFIN_EMBEDDED_MODEL "/tokenizer.model");
  static const ModelConfig config = [] {
    ModelConfig c;
    c.vocab = vocab;
    return c;
  }();
  static const examples::RequestReader all = [] {
    examples::RequestReader r;
    r.config = &config;
    r.tokenizer = &tokenizer;
    r.stop_ids = {1};
    return r;
  }();
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

void read_request(std::string_view text, nlohmann::json& id) {
  const Request request = reader().read(text, id);
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  nlohmann::json id;
  try {
    read_request(text, id);
  } catch (const Error&) {
  }
  require(id.is_null() || id.is_string() || id.is_number());
  try {
    for (const std::int32_t token : examples::parse_ids(text, vocab, "ids")) {
      require(token >= 0 && token < vocab);
    }
  } catch (const Error&) {
  }
  return 0;
}
