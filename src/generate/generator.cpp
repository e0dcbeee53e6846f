// SPDX-License-Identifier: Apache-2.0
#include "griffin/generate/generator.h"

#include <algorithm>
#include <exception>

#include "generate/text.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

ForwardOptions forward_options(const GeneratorOptions& options) {
  require_lookup(options.lookup, "generator");
  ForwardOptions forward;
  forward.threads = options.threads;
  forward.max_logits = 1 + options.lookup;
  forward.max_rows = std::max(options.chunk, options.chunk < 1 ? 0 : forward.max_logits);
  forward.kernels = options.kernels;
  return forward;
}

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
  if (!sequence.is_whole()) {
    throw Error(ErrorCode::invalid_argument, "generator: the sequence was moved from");
  }
  const std::int64_t room = sequence.layout().capacity - sequence.position();
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
