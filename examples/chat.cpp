// SPDX-License-Identifier: Apache-2.0
// A conversation with an instruction-tuned model in the terminal.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/generate/chat_template.h"
#include "griffin/generate/conversation.h"
#include "griffin/griffin.h"
#include "support/draft_options.h"
#include "support/lines.h"
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
    "//...         a turn that begins with a slash      Ctrl-C        ends an answer\n";

/// A terminal hands over a line of up to so many bytes, and drops the rest (Linux, N_TTY).
constexpr std::size_t longest_of_terminal = 4095;

struct Options {
  explicit Options(CLI::App& app) : model(app), sampling(app), drafting(app) {
    app.get_option("--model")->description("Folder of an instruction-tuned model")->required();
    app.get_option("--random")->group("");  // random weights have no tokenizer
    app.get_option("--seed")->description(
        "Of the draws, to which a turn adds the tokens before it; -1 for another every time");
    app.add_option("-n,--n-predict,--predict", predict, "Tokens of an answer at most, -1: no limit")
        ->type_name("N")
        ->check(at_least(-1))
        ->capture_default_str();
    model.add_capacity("Tokens of a conversation at most");
    app.add_flag("--force", force, "Talk in Gemma's turns, whatever the folder's chat template is");
  }

  ModelOptions model;
  SamplingFlags sampling;
  DraftFlags drafting;
  int predict = 1024;
  bool force = false;
};

/// Throws Error(unsupported) for a model that was tuned for turns of another kind; says so of one
/// that was not tuned at all.
void check_template(const Options& options) {
  if (options.force) return;
  const ChatTemplate found = find_chat_template(options.model.folder());
  if (found.format == ChatFormat::other) {
    throw Error(ErrorCode::unsupported,
                found.file +
                    ": the chat template is of another kind than Gemma's, the only one "
                    "that chat knows; --force uses that all the same");
  }
  if (found.format == ChatFormat::none) {
    warn(options.model.app(), found.file +
                                  ": no chat template: this seems to be a base model, "
                                  "which continues texts (greedy_decode) and was not "
                                  "tuned for conversations");
  }
}

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
        generator_(model_, {.threads = options.model.threads(),
                            .lookup = options.drafting.lookup(),
                            .draft = options.drafting.load(options.model, model_, &tokenizer_)}),
        talk_{model_.new_sequence(options.model.sequence_options(model_)), {}} {}

  /// One line of the user's. Returns whether to go on. Throws Error(io) for a broken stdout.
  bool take(std::string line) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) return true;
    const std::size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "/quit") return false;
    try {
      if (line.starts_with("//")) {
        answer(line.substr(1));
      } else if (line.starts_with('/')) {
        obey(command, argument);
      } else {
        answer(line);
      }
    } catch (const std::bad_alloc&) {
      std::fputs("out of memory\n", stderr);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", on_one_line(error.what()).c_str());
    }
    output_.require();
    return true;
  }

 private:
  void obey(const std::string& command, const std::string& argument) {
    const bool named = command != "/reset" && command != "/help";
    // NOLINTNEXTLINE(bugprone-branch-clone): help is for two reasons
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
    for (const auto& [known, talk] : kept_) std::fprintf(stderr, " %s", on_one_line(known).c_str());
    std::fputs("\n", stderr);
  }

  /// What fails leaves the conversation as it was.
  void answer(const std::string& line) {
    const Snapshot before = talk_.sequence.snapshot();
    try {
      generate_answer(line);
    } catch (...) {
      talk_.sequence.rollback(before);
      throw;
    }
  }

  void generate_answer(const std::string& line) {
    const auto prompt = talk_.sequence.position() == 0 ? conversation_.first(line)
                                                       : conversation_.next(line, talk_.unread);
    const Interrupt::Listening listening;
    ProgressBar bar("reading");
    GenerateOptions options = answer_options(line);
    options.on_prefill = [&](std::int64_t done, std::int64_t total) {
      bar.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
      return Flow::proceed;  // a turn is read whole
    };
    const Result result = generator_.generate(talk_.sequence, prompt, options);
    std::vector<std::int32_t> unread(result.unread().begin(), result.unread().end());
    talk_.unread = std::move(unread);
    output_.write("\n");
    if (result.reason == StopReason::capacity) {
      std::fputs("the conversation is as long as -c allows\n", stderr);
    }
  }

  /// The draws of a turn are those of no other: they come from the seed and where it begins.
  GenerateOptions answer_options(const std::string& line) {
    GenerateOptions options;
    options.max_new_tokens = options_.predict;
    options.sampling = sampling_;
    options.sampling.prompt_counts_as_seen = false;  // its markers are not to be penalised
    options.sampling.seen = conversation_.text_ids(line);
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

/// Whether a line can be taken as it is.
bool is_whole(const Line& line, bool typed) {
  if (line.too_long) {
    std::fputs("the line is too long\n", stderr);
  } else if (typed && line.text.size() >= longest_of_terminal) {
    std::fprintf(stderr,
                 "the line is too long: terminals cut lines at %zu bytes, so it was not taken; say "
                 "it in parts, or through a pipe\n",
                 longest_of_terminal);
  } else {
    return true;
  }
  return false;
}

ExitCode talk(const Options& options) {
  check_template(options);
  Chat chat(options);
  Lines lines("-");
  const bool asks = isatty(STDIN_FILENO) != 0;
  if (asks) std::fputs(help, stderr);
  for (bool goes_on = true; goes_on && !lines.over();) {
    if (asks) std::fputs("> ", stderr);
    std::optional<Line> line;
    while (!line && !lines.over()) line = lines.next(Lines::for_ever);
    if (line && is_whole(*line, asks)) goes_on = chat.take(std::move(line->text));
  }
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Talks with an instruction-tuned model: a line for every turn.",
               griffin::examples::called(argc, argv, "chat"));
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return talk(options); });
}
