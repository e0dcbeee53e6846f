// SPDX-License-Identifier: Apache-2.0
// Texts of Mamba-2, alone and between blocks of the library: however they are made, they are the
// same. What a model of the library can do, these can.
#include "mamba2.h"

#include <griffin/griffin.h>

#include <iostream>
#include <sstream>

using namespace griffin;  // NOLINT(google-build-using-namespace): to be read, not to be included

/// The log-probabilities of 40 tokens, between which the state went to a file and came back.
std::vector<float> in_halves(const Model& model, const std::vector<std::int32_t>& prompt) {
  const GenerateOptions half{.max_new_tokens = 20, .top_logprobs = 0};
  Generator generator(model);
  Sequence first = model.new_sequence();
  Result begun = generator.generate(first, prompt, half);
  std::stringstream file;
  first.save(file, begun.unread());
  Sequence second = model.new_sequence();
  const Result rest = generator.generate(second, second.restore(file), half);
  begun.logprobs.insert(begun.logprobs.end(), rest.logprobs.begin(), rest.logprobs.end());
  return begun.logprobs;
}

bool check(const std::string& stack) {
  ModelConfig config = preset("hawk-100m");
  config.vocab = 1000;
  const mamba2::Shape shape{.width = config.width, .heads = 24, .head_dim = 64, .state_size = 64};
  const Model model = mamba2::random_model(stack, config, shape, Dtype::bf16, 1);
  const auto say = [&](const char* what, bool same) {
    std::cout << stack << ", " << what << ": " << (same ? "the same\n" : "it differs!\n");
    return same;
  };
  const std::vector<std::int32_t> prompt = {100, 7, 8, 9, 100, 7, 8};
  const GenerateOptions options{.max_new_tokens = 40, .top_logprobs = 0};
  const auto alone = [&](const GeneratorOptions& how) {
    Sequence sequence = model.new_sequence();
    return Generator(model, how).generate(sequence, prompt, options).logprobs;
  };
  const std::vector<float> expected = alone({.threads = 1});
  bool same = say("prompt in chunks of 3", alone({.chunk = 3}) == expected);
  same = say("guessed and tried", alone({.lookup = 8}) == expected) && same;
  same = say("with a draft", alone({.draft = {.model = model}}) == expected) && same;

  Scheduler scheduler(model, {.lookup = 8});
  const auto submit = [&](std::vector<std::int32_t> p, auto done) {
    scheduler.submit({.prompt = std::move(p), .options = options, .on_done = done});
  };
  std::vector<float> found;
  submit(prompt, [&](Result&& r, const Sequence*) { found = std::move(r.logprobs); });
  for (std::int32_t i = 0; i < 3; ++i) submit({i, 5, 5, 5}, [](Result&&, const Sequence*) {});
  scheduler.run();
  same = say("in a batch with guesses", found == expected) && same;

  return say("saved half-way, restored and gone on with", in_halves(model, prompt) == expected) &&
         same;
}

int main() try {
  const bool pure = check("mmmm");
  const bool mixed = check("mrma");
  std::cout << std::flush;
  if (!std::cout) throw Error(ErrorCode::io, "cannot write to stdout");
  return pure && mixed ? 0 : 1;
} catch (const Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
