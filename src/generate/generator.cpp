// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/generator.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <string>

#include "generate/text.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

ForwardOptions forward_options(const GeneratorOptions& options) {
  require_lookup(options.lookup, "generator");
  if (options.chunk < 1 || options.chunk > most_pass_rows) {
    throw Error(ErrorCode::invalid_argument,
                "generator: chunk: expected 1 to 2^20, found " + std::to_string(options.chunk));
  }
  ForwardOptions forward;
  forward.threads = options.threads;
  forward.max_logits = 1 + options.lookup;
  forward.max_rows = std::max(options.chunk, forward.max_logits);
  forward.kernels = options.kernels;
  return forward;
}

/// One text at a time, on a generator as on a sequence.
class Claim {
 public:
  Claim(bool& taken, const char* what) : taken_(taken) {
    if (taken_.exchange(true)) {
      throw Error(ErrorCode::invalid_argument,
                  std::string("generator: ") + what + " is at work on another text");
    }
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { taken_ = false; }

 private:
  std::atomic_ref<bool> taken_;
};

}  // namespace

struct Generator::Parts {
  Parts(const Model& of, const GeneratorOptions& options)
      : model(of),
        chunk(options.chunk),
        lookup(options.lookup),
        pass(model, forward_options(options)),
        scratch(model.config().vocab, pass.kernels()) {}

  Model model;
  std::int64_t chunk;
  std::int64_t lookup;
  ForwardPass pass;
  SamplerScratch scratch;
  bool generating = false;
};

Generator::Generator(const Model& model, const GeneratorOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

/// A batch of one.
Result Generator::generate(Sequence& sequence, std::span<const std::int32_t> prompt,
                           const GenerateOptions& options) {
  Parts& p = *parts_;
  const Claim generator(p.generating, "it");
  const Claim state(sequence.generating, "the sequence");
  if (!sequence.is_whole()) {
    throw Error(ErrorCode::invalid_argument, "generator: the sequence was moved from");
  }
  const std::int64_t room = sequence.layout().furthest() - sequence.position();
  Text text(Generation(p.model, room, prompt, options));
  text.begin(prompt, sequence, p.lookup);
  for (bool goes_on = true; goes_on;) {
    text.add_to(p.pass, text.generation.prompt_left() > 0 ? p.chunk : p.pass.max_rows());
    const MatrixView logits = p.pass.run();
    goes_on = text.was_read() && (logits.rows == 0 || text.choose(logits, p.scratch));
  }
  if (const auto& thrown = text.generation.result().error) std::rethrow_exception(thrown);
  text.generation.hand_out_rest();
  return text.generation.take();
}

}  // namespace griffin
