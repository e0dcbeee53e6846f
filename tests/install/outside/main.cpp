// SPDX-License-Identifier: Apache-2.0
// Prints the most likely continuation of a text, to show that everything is linked and works.
#include <griffin/griffin.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::filesystem::path folder = argv[1];
  const auto model = griffin::Model::load(folder);
  const auto tokenizer = griffin::Tokenizer::load(folder / "tokenizer.model");
  std::vector<std::int32_t> prompt = tokenizer.encode(argv[2]);
  if (const auto bos = model.text_bos()) prompt.insert(prompt.begin(), *bos);

  griffin::Generator generator(model, {.threads = 1});
  griffin::Sequence sequence = model.new_sequence();
  const griffin::Result result = generator.generate(sequence, prompt, {.max_new_tokens = 8});
  std::cout << tokenizer.decode(result.tokens) << '\n';
}
