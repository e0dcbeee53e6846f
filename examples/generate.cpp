// SPDX-License-Identifier: Apache-2.0
#include <griffin/griffin.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: generate FOLDER PROMPT\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto model = griffin::Model::load(folder);
  const auto tokenizer = griffin::Tokenizer::load(folder / "tokenizer.model");

  std::vector<std::int32_t> prompt = tokenizer.encode(argv[2]);
  prompt.insert(prompt.begin(), model.config().bos_id);

  griffin::GenerateOptions options;
  options.max_new_tokens = 100;
  options.stop_ids.assign(model.stop_ids().begin(), model.stop_ids().end());
  options.tokenizer = &tokenizer;
  options.on_text = [](std::string_view text) {
    std::cout << text << std::flush;
    return griffin::Flow::proceed;
  };

  griffin::Generator generator(model);
  griffin::Sequence sequence = model.sequence();
  generator.generate(sequence, prompt, options);
  std::cout << '\n';
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
