// SPDX-License-Identifier: Apache-2.0
// The command line of griffin_bench.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "draft_flags.h"
#include "griffin/core/parallel.h"
#include "griffin/griffin.h"
#include "runs.h"
#include "support/embedded_model.h"
#include "support/model_options.h"
#include "support/program.h"
#include "table.h"

namespace griffin::bench {

using examples::at_least;
using examples::between;
using examples::UsageError;

inline void check_dtype(const std::string& name) {
  if (examples::is_dtype(name)) return;
  throw UsageError("--dtype: expected auto, f32, bf16, int8 or int4, found '" + name + "'");
}

/// What weights are computed with, whatever they are stored as.
inline Dtype computed_with(const Model& model, const std::string& dtype) {
  return dtype == "f32" ? Dtype::f32 : model.dtype();
}

class Options {
 public:
  explicit Options(CLI::App& app) {
    app.set_version_flag("--version", app.get_name() + " " GRIFFIN_VERSION);
    add_list(app, "-p,--n-prompt", prompts, 0, most_tokens,
             "Prompt tokens to read; 0: no such test");
    add_list(app, "-n,--n-gen", predicts, 0, most_tokens, "Tokens to decode; 0: no such test");
    add_list(app, "-d,--n-depth", depths, 0, 1 << 30, "Tokens in the state before");
    add_list(app, "-b,--batch", batches, 1, 4096, "Sequences decoded at once");
    add_list(app, "-t,--threads", threads, 0, most_threads, "Threads, 0 for all cores");
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.add_option("-m,--model", folder_, "Model folder; the embedded model if not given")
        ->type_name("DIR");
    app.add_option(
           "--config,--random", config_,
           "Random weights of a named shape instead of a folder: " + examples::preset_names())
        ->type_name("PRESET")
        ->excludes(app.get_option("--model"));
    app.add_option("--kv-heads", kv_heads_, "Key/value heads that the named shape is given")
        ->type_name("N")
        ->check(at_least(1))
        ->needs("--config");
    app.add_option("--dtype", dtype_, "Weights: auto, f32, bf16, int8 or int4")
        ->type_name("TYPE")
        ->capture_default_str();
    app.add_option("--head", head_,
                   "What is computed of the last token: logits, or no more than the most likely "
                   "next one, with a greedy head")
        ->type_name("KIND")
        ->check(CLI::IsMember({"logits", "greedy"}))
        ->capture_default_str();
    app.add_option("--kv-dtype", kv_dtype, "Keys and values of a sequence")
        ->type_name("TYPE")
        ->check(CLI::IsMember({"f32", "bf16"}))
        ->capture_default_str();
    app.add_option("-o,--output", output_, "Output: md, csv or json")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"md", "csv", "json"}))
        ->capture_default_str();
    add_number(app, "-r,--repetitions", repetitions, 1, 1 << 20, "Repetitions of every test");
    add_number(app, "--chunk", chunk, 1, 1 << 20, "Prompt tokens read in one pass");
    app.add_flag("--profile", profile,
                 "Say on stderr where the time goes, kernel by kernel; costs some of it");
    add_number(app, "--probe-mib", probe_mib, 1, 1 << 20,
               "Memory read to measure its bandwidth, much more than the caches hold");
    draft.add_to(app);
  }

  Format format() const {
    return output_ == "md" ? Format::md : output_ == "csv" ? Format::csv : Format::json;
  }
  const std::string& dtype() const { return dtype_; }
  void check() const { check_dtype(dtype_); }

  /// The folder, or the preset and what was changed of it.
  std::string model_name() const {
    std::string name = config_.empty() ? folder_ : config_;
    if (kv_heads_ > 0) name += "-kv" + std::to_string(kv_heads_);
    if (head_ == "greedy") name += "-greedy";
    return name;
  }
  Model load_model() const {
    const Model model = load_as(dtype_);
    return head_ == "greedy" ? model.with_greedy_head() : model;
  }
  /// The same weights in another type, or those of another folder.
  Model load_draft() const {
    const std::string& source = *draft.source;
    return examples::is_dtype(source) ? load_as(source) : examples::load_folder(source, {});
  }

  /// Sequences with room for the longest test, where the model needs to be told.
  SequenceOptions sequences(const Model& model) const {
    const std::int64_t tokens =
        std::int64_t{longest(depths)} + std::max(longest(prompts), longest(predicts));
    return sequences_of(model.config().has_global_attention() ? tokens : 0);
  }
  /// The same for texts, whose prompts have a token at least, and their drafts.
  SequenceOptions text_sequences(const Model& model, const Model& with) const {
    const std::int64_t tokens = std::int64_t{std::max(longest(depths), 1)} + longest(predicts);
    const bool limited =
        model.config().has_global_attention() || with.config().has_global_attention();
    return sequences_of(limited ? tokens : 0);
  }

  /// All rows. Throws UsageError where there are none.
  std::vector<Test> tests() const {
    std::vector<Test> tests;
    for (const int depth : depths) {
      for (const int t : threads) {
        const int team = t > 0 ? t : available_cores();
        for (const int tokens : prompts) {
          if (tokens > 0 && !draft.on())
            tests.push_back({Kind::prefill, tokens, depth, 1, team, chunk});
        }
        for (const int tokens : predicts) {
          for (const int batch : batches) {
            if (tokens > 0) tests.push_back({Kind::decode, tokens, depth, batch, team, chunk});
          }
        }
      }
    }
    if (!tests.empty()) return tests;
    throw UsageError(draft.on() ? "nothing to measure: -n is 0"
                                : "nothing to measure: -p and -n are both 0");
  }

  std::vector<int> prompts = {512};
  std::vector<int> predicts = {128};
  std::vector<int> depths = {0};
  std::vector<int> batches = {1};
  std::vector<int> threads = {0};
  int repetitions = 5;
  int chunk = 512;
  int probe_mib = 1024;
  bool profile = false;
  DraftFlags draft;
  std::string kv_dtype = "f32";

 private:
  static constexpr int most_tokens = 1 << 20;

  static int longest(const std::vector<int>& tokens) {
    return *std::max_element(tokens.begin(), tokens.end());
  }
  /// With room for so many tokens; 0: for as many as one likes.
  SequenceOptions sequences_of(std::int64_t capacity) const {
    SequenceOptions options;
    options.capacity = capacity;
    options.kv = kv_dtype == "bf16" ? Dtype::bf16 : Dtype::f32;
    return options;
  }
  Model load_as(const std::string& dtype) const {
    if (!config_.empty()) return Model::random(shape(), examples::random_dtype(dtype), 0);
    LoadOptions options;
    examples::set_dtype(dtype, options);
    return examples::load_folder(folder_, options);
  }
  ModelConfig shape() const {
    ModelConfig config = preset(config_);
    if (kv_heads_ > 0) config.kv_heads = kv_heads_;
    return config;
  }

  static void add_list(CLI::App& app, const char* names, std::vector<int>& values, int least,
                       int most, const char* description) {
    app.add_option(names, values, description)
        ->type_name("N,...")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(between(least, most))
        ->capture_default_str();
  }
  static void add_number(CLI::App& app, const char* names, int& value, int least, int most,
                         const char* description) {
    app.add_option(names, value, description)
        ->type_name("N")
        ->check(between(least, most))
        ->capture_default_str();
  }

  std::string folder_ = examples::embedded_model();
  std::string config_;
  int kv_heads_ = 0;
  std::string dtype_ = "auto";
  std::string output_ = "md";
  std::string head_ = "logits";
};

}  // namespace griffin::bench
