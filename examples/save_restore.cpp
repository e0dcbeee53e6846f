// SPDX-License-Identifier: Apache-2.0
// Keeping states: fork, snapshot, save, restore. Every way to go on says the same.
#include <griffin/griffin.h>

#include <csignal>
#include <filesystem>
#include <iostream>

namespace {

std::vector<std::int32_t> go_on(griffin::Generator& generator, griffin::Sequence& sequence,
                                std::span<const std::int32_t> prompt) {
  griffin::GenerateOptions options;
  options.max_new_tokens = 30;
  return generator.generate(sequence, prompt, options).tokens;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: save_restore FOLDER PROMPT STATE_FILE\n";
    return 2;
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file over its limit is an error like a full disk
  const std::filesystem::path folder = argv[1];
  const auto model = griffin::Model::load(folder);
  const auto tokenizer = griffin::Tokenizer::load(folder);
  griffin::Generator generator(model);

  // Read the prompt once, but for its last token, which every continuation begins with.
  std::vector<std::int32_t> prompt = tokenizer.encode(argv[2]);
  if (const auto bos = tokenizer.bos(model.text_bos())) prompt.insert(prompt.begin(), *bos);
  if (prompt.empty()) {
    std::cerr << "expected a prompt: this model's texts have no BOS to begin with\n";
    return 2;
  }
  griffin::Sequence sequence = model.new_sequence();
  const auto last = std::span(prompt).last(1);
  griffin::GenerateOptions read_only;
  read_only.max_new_tokens = 0;
  generator.generate(sequence, std::span(prompt).first(prompt.size() - 1), read_only);
  sequence.save(argv[3], last);

  griffin::Sequence fork = sequence.fork();              // an independent copy
  const griffin::Snapshot before = sequence.snapshot();  // something to go back to
  const auto tokens = go_on(generator, sequence, last);
  sequence.rollback(before);
  griffin::Sequence restored = model.new_sequence();  // in another process as well
  const auto unread = restored.restore(argv[3]);

  const bool same = go_on(generator, fork, last) == tokens &&
                    go_on(generator, sequence, last) == tokens &&
                    go_on(generator, restored, unread) == tokens;
  std::cout << tokenizer.decode(tokens) << '\n'
            << "state: " << before.bytes()
            << " bytes, file: " << std::filesystem::file_size(argv[3]) << " bytes\n"
            << (same ? "fork, rollback and restore go on with the same tokens\n" : "they differ!\n")
            << std::flush;
  if (!std::cout) throw griffin::Error(griffin::ErrorCode::io, "cannot write to stdout");
  return same ? 0 : 1;
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
