// SPDX-License-Identifier: Apache-2.0
// Flags of llama.cpp that there are none of here, so that "-ngl 99" is not read as "-n gl".
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace griffin::examples {

/// Names that have one reason; one that ends in '*' stands for all that begin so.
struct ForeignFlags {
  std::initializer_list<std::string_view> names;
  const char* instead;
};

inline const ForeignFlags foreign_flags[] = {
    {{"-ngl",
      "--gpu-layers",
      "--n-gpu-layers",
      "-sm",
      "--split-mode",
      "-ts",
      "--tensor-split",
      "-mg",
      "--main-gpu",
      "-dev",
      "--device",
      "--list-devices",
      "-nkvo",
      "--no-kv-offload",
      "-kvo",
      "--kv-offload",
      "-ot",
      "--override-tensor",
      "-cmoe",
      "--cpu-moe",
      "-ncmoe",
      "--n-cpu-moe",
      "-nopo",
      "--no-op-offload",
      "--op-offload",
      "--rpc",
      "-fit",
      "-fitt",
      "-fitc",
      "--fit*"},
     "everything runs on the CPU"},
    {{"-fa", "--flash-attn*"}, "attention is computed in one way only"},
    {{"-b", "--batch-size", "-ub", "--ubatch-size"},
     "--chunk sizes a pass, in batch --max-tokens-per-pass"},
    {{"-tb", "--threads-batch", "-C", "--cpu-*", "-Cr", "-Cb", "-Crb", "--prio*", "--poll*"},
     "-t says how many threads there are"},
    {{"-ctk", "-ctv", "--cache-type-*"}, "--kv-dtype says how keys and values are held"},
    {{"--mlock", "--mmap", "--numa", "-dio", "-ndio", "--direct-io", "--no-direct-io",
      "--load-mode", "--check-tensors", "--override-kv", "-nr", "--repack", "--no-repack",
      "--no-host"},
     "files are mapped, or read with --no-mmap"},
    {{"--rope-*", "--yarn-*", "-gan", "-gaw", "--grp-attn-*", "--swa-full", "--keep",
      "--context-shift", "--ctx-shift", "--no-context-shift", "--ctx-checkpoints", "-ctxcp"},
     "config.json says where tokens are and how far attention reaches"},
    {{"-cnv",
      "--conversation",
      "-no-cnv",
      "--no-conversation",
      "-st",
      "--single-turn",
      "-sys",
      "--system-prompt",
      "-sysf",
      "--system-prompt-file",
      "--jinja",
      "--no-jinja",
      "--chat-template*",
      "--reasoning*",
      "--in-prefix*",
      "--in-suffix",
      "-mli",
      "--multiline-input",
      "-i",
      "--interactive",
      "-if",
      "--interactive-first"},
     "chat holds conversations, in Gemma's turns, which have no system prompt"},
    {{"-hf", "-hfr", "-hff", "-hfd", "-hffd", "-hfrd", "-hfv", "-hfrv", "-hffv", "-hft", "--hf-*",
      "-mu", "--model-url", "-dr", "--docker-repo", "--offline"},
     "nothing is downloaded: give a folder with -m"},
    {{"--lora*", "--control-vector*"}, "adapters have to be merged into the model"},
    {{"--mmproj*", "-mm", "-mmu", "--no-mmproj*", "--image*", "--audio", "-mv", "--model-vocoder"},
     "there is text only"},
    {{"-md", "--model-draft", "--draft*", "--spec-*", "-td", "-tbd", "-cd", "-devd", "-ngld",
      "-ctkd", "-ctvd", "--gpu-layers-draft", "--n-gpu-layers-draft", "--device-draft"},
     "--draft says which model guesses, --draft-max how much, where the program has them"},
    {{"-lcs", "--lookup-cache-static", "-lcd", "--lookup-cache-dynamic"},
     "--lookup guesses from the text alone"},
    {{"--grammar*", "-j", "--json-schema*", "-jf", "-bs", "--backend-sampling"},
     "there are no grammars"},
    {{"--samplers", "--sampler-seq", "--sampling-seq", "--typical*", "--mirostat*", "--xtc-*",
      "--dry-*", "--dynatemp-*", "--top-nsigma", "--top-n-sigma", "--adaptive-*"},
     "--temp, --top-k, --top-p, --min-p and penalties are what there is"},
    {{"--prompt-cache*"}, "--save-state and --load-state keep what was read"},
    {{"-np", "--parallel", "-cb", "--cont-batching", "-nocb", "--no-cont-batching", "-ns",
      "--sequences", "--host", "--port", "--api-key*", "-a", "--alias", "-to", "--timeout"},
     "batch answers many requests at once, from a file or a pipe"},
    {{"-bf", "--binary-file", "-e", "--escape", "--no-escape", "-sp", "--special"},
     "text is read and written as it is"},
    {{"-co",
      "--color",
      "-v",
      "-lv",
      "--verbose*",
      "--verbosity",
      "--log-*",
      "--display-prompt",
      "--no-display-prompt",
      "--simple-io",
      "--perf",
      "--no-perf",
      "--warmup",
      "--no-warmup",
      "--show-timings",
      "--no-show-timings",
      "-ptc",
      "--print-token-count",
      "-dt",
      "--defrag-thold",
      "-kvu",
      "--kv-unified"},
     "there is nothing like it"}};

/// What to do instead; none for a name that is no such flag.
inline std::optional<const char*> instead_of_foreign(std::string_view name) {
  const auto means = [&](std::string_view known) {
    if (!known.ends_with('*')) return name == known;
    return name.starts_with(known.substr(0, known.size() - 1));
  };
  for (const ForeignFlags& flags : foreign_flags) {
    if (std::any_of(flags.names.begin(), flags.names.end(), means)) return flags.instead;
  }
  return std::nullopt;
}

/// Whether it is a flag of one letter with a value behind it that is no number, as "-cram 0" would
/// be read.
inline bool is_glued_word(std::string_view argument) {
  return argument.size() > 2 && argument[1] != '-' && argument[2] != '=' &&
         std::any_of(argument.begin() + 2, argument.end(),
                     [](unsigned char c) { return std::isalpha(c) != 0; });
}

/// The option of that name, of the program or of the command that it was called with.
inline const CLI::Option* known_option(const CLI::App& app, std::span<char* const> arguments,
                                       const std::string& name) {
  const std::string_view command = arguments.empty() ? "" : arguments.front();
  const CLI::Option* known = app.get_option_no_throw(name);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (known == nullptr && sub->get_name() == command) known = sub->get_option_no_throw(name);
  }
  return known;
}

/// What is wrong with a command line that has such a flag, or one that is not known, where this
/// program would look for one of its own; empty if there is none. CLI11 would say first what else
/// is missing, or read "-ngl" as "-n gl".
inline std::string complaint_about_foreign(const CLI::App& app, std::span<char* const> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--") break;
    if (argument.size() < 2 || argument[0] != '-') continue;
    const bool is_long = argument[1] == '-';
    const std::string name(argument.substr(0, argument.find('=')));
    const CLI::Option* known = known_option(app, arguments, name);
    if (const auto instead = known == nullptr ? instead_of_foreign(name) : std::nullopt) {
      return name + ": a flag of llama.cpp that is not here: " + *instead;
    }
    if (known == nullptr && is_long) return name + ": there is no such flag";
    if (known == nullptr && is_glued_word(argument)) {
      return name + ": there is no such flag; a value stands apart from its flag, or behind '='";
    }
    // The value of one of its own is no flag, whatever it looks like.
    const bool value_follows = name.size() == argument.size() && (is_long || name.size() == 2);
    if (known != nullptr && value_follows && known->get_items_expected_min() > 0) ++i;
  }
  return "";
}

}  // namespace griffin::examples
