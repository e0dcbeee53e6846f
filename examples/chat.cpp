// SPDX-License-Identifier: Apache-2.0
// A conversation with an instruction-tuned model in the terminal.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/conversation.h"
#include "griffin/griffin.h"
#include "support/model_options.h"
#include "support/output_path.h"
#include "support/program.h"
#include "support/progress_bar.h"
#include "support/sampling_options.h"

namespace griffin::examples {
namespace {

constexpr const char* help =
    "/save FILE    keep the conversation in a file      /load FILE    go on from one\n"
    "/fork NAME    keep it as it is under a name        /switch NAME  go on from there\n"
    "/reset        start afresh                         /quit         end (as Ctrl-D does)\n"
    "Ctrl-C ends an answer.\n";

struct Options {
  explicit Options(CLI::App& app) : model(app), sampling(app) {
    app.get_option("--model")->description("Folder of an instruction-tuned model")->required();
    app.get_option("--random")->group("");  // random weights have no tokenizer
    app.get_option("--seed")->description(
        "Of the draws, to which a turn adds the tokens before it; -1 for another every time");
    app.add_option("-n,--n-predict,--predict", predict, "Tokens of an answer at most, -1: no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    model.add_capacity("Tokens of a conversation at most");
  }

  ModelOptions model;
  SamplingFlags sampling;
  int predict = 1024;
};

/// What was said so far.
struct Talk {
  Sequence sequence;
  std::vector<std::int32_t> unread;  // of the last answer

  Talk fork() const { return {sequence.fork(), unread}; }
};

class Chat {
 public:
  explicit Chat(const Options& options)
      : options_(options),
        model_(options.model.load_model()),
        tokenizer_(options.model.load_tokenizer(model_)),
        sampling_(options.sampling.sampling(model_)),
        conversation_(tokenizer_, model_.config().bos_id),
        generator_(model_, {.threads = options.model.threads()}),
        talk_{model_.new_sequence(options.model.sequence_options(model_)), {}} {}

  /// One line of the user's. Returns whether to go on. Throws Error(io) for a broken stdout.
  bool take(const std::string& line) {
    if (line.empty()) return true;
    const std::size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "/quit") return false;
    try {
      if (line[0] == '/') {
        obey(command, argument);
      } else {
        answer(line);
      }
    } catch (const Error& error) {
      std::fprintf(stderr, "%s\n", on_one_line(error.what()).c_str());
    }
    output_.require();
    return true;
  }

 private:
  void obey(const std::string& command, const std::string& argument) {
    const bool named = command != "/reset" && command != "/help";
    if (named && argument.empty()) {
      std::fputs(help, stderr);
    } else if (command == "/save") {
      check_output_path(argument);
      talk_.sequence.save(argument, talk_.unread);
    } else if (command == "/load") {
      talk_.unread = talk_.sequence.restore(argument);
    } else if (command == "/fork") {
      kept_.insert_or_assign(argument, talk_.fork());
    } else if (command == "/switch") {
      go_back_to(argument);
    } else if (command == "/reset") {
      talk_.sequence.reset();
      talk_.unread.clear();
    } else {
      std::fputs(help, stderr);
    }
  }

  void go_back_to(const std::string& name) {
    const auto kept = kept_.find(name);
    if (kept != kept_.end()) {
      talk_ = kept->second.fork();
      return;
    }
    std::fprintf(stderr, "nothing is kept under that name; there is:");
    for (const auto& [known, talk] : kept_) std::fprintf(stderr, " %s", known.c_str());
    std::fputs("\n", stderr);
  }

  void answer(const std::string& line) {
    const auto prompt = talk_.sequence.position() == 0 ? conversation_.first(line)
                                                       : conversation_.next(line, talk_.unread);
    const Interrupt::Listening listening;
    ProgressBar bar("reading");
    GenerateOptions options = answer_options();
    options.on_prefill = [&](std::int64_t done, std::int64_t total) {
      bar.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
      return Flow::proceed;  // a turn is read whole
    };
    const Result result = generator_.generate(talk_.sequence, prompt, options);
    output_.write("\n");
    talk_.unread.assign(result.unread().begin(), result.unread().end());
    if (result.reason == StopReason::capacity) {
      std::fputs("the conversation is as long as -c allows\n", stderr);
    }
  }

  /// The draws of a turn are those of no other: they come from the seed and where it begins.
  GenerateOptions answer_options() {
    GenerateOptions options;
    options.max_new_tokens = options_.predict;
    options.sampling = sampling_;
    options.sampling.seed =
        draw_seed(options_.sampling.seed()) + static_cast<std::uint64_t>(talk_.sequence.position());
    options.stop_ids = conversation_.stop_ids(model_.stop_ids());
    options.tokenizer = &tokenizer_;
    options.stop_strings = options_.sampling.stop_strings();
    options.on_text = [this](std::string_view text) { return output_.write(text); };
    options.on_token = [](std::int32_t) { return Interrupt::flow(); };
    return options;
  }

  const Options& options_;
  Model model_;
  Tokenizer tokenizer_;
  SamplingOptions sampling_;
  Conversation conversation_;
  Generator generator_;
  Talk talk_;
  std::map<std::string, Talk> kept_;
  Output output_;
};

ExitCode talk(const Options& options) {
  Chat chat(options);
  const bool asks = isatty(STDIN_FILENO) != 0;
  if (asks) std::fputs(help, stderr);
  std::string line;
  do {
    if (asks) std::fputs("> ", stderr);
  } while (std::getline(std::cin, line) && chat.take(line));
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Talks with an instruction-tuned model: a line for every turn.", "chat");
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return talk(options); });
}
