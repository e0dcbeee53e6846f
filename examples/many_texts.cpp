// SPDX-License-Identifier: Apache-2.0
// Twenty prompts from two threads, generated together by a third; each thread waits for its own.
#include <griffin/griffin.h>

#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::cerr << "usage: many_texts FOLDER\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto model = griffin::Model::load(folder);
  const auto tokenizer = griffin::Tokenizer::load(folder);
  griffin::Scheduler scheduler(model, {.max_sequences = 20});
  const std::jthread server([&](const std::stop_token& stop) { scheduler.serve(stop); });

  const std::string letters = "ABCDEFGHIJKLMNOPQRST";  // a text from each
  std::vector<griffin::Result> results(letters.size());
  const auto ask = [&](std::size_t begin, std::size_t end) {
    std::vector<griffin::Scheduler::Id> ids;
    for (std::size_t i = begin; i < end; ++i) {
      griffin::Request request;
      request.prompt = tokenizer.encode(letters.substr(i, 1));
      if (const auto bos = tokenizer.bos(model.text_bos())) {
        request.prompt.insert(request.prompt.begin(), *bos);
      }
      request.options.max_new_tokens = 16;
      request.options.tokenizer = &tokenizer;
      request.on_done = [&results, i](griffin::Result&& result, const griffin::Sequence*) {
        results[i] = std::move(result);
      };
      ids.push_back(scheduler.submit(std::move(request)));
    }
    for (const griffin::Scheduler::Id id : ids) scheduler.wait(id);
  };
  {
    const std::jthread first([&] { ask(0, 10); });
    const std::jthread second([&] { ask(10, 20); });
  }  // joins
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].error) std::rethrow_exception(results[i].error);
    std::cout << letters[i] << results[i].text << '\n';
  }
  std::cout << std::flush;
  if (!std::cout) throw griffin::Error(griffin::ErrorCode::io, "cannot write to stdout");
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
