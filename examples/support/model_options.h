// SPDX-License-Identifier: Apache-2.0
// The options that every program has: which model, and how it is held and run.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/core/parallel.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/model.h"
#include "support/embedded_model.h"
#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::examples {

/// Options are int, not int64_t: larger ones have no meaning, and CLI11 refuses them.
inline CLI::Validator between(int least, int most) {
  return CLI::Validator(
      [=](std::string& text) {
        int value = 0;
        if (!CLI::detail::lexical_cast(text, value)) return "not a whole number: " + text;
        if (value < least) return "at least " + std::to_string(least) + ", not " + text;
        if (value > most) return "at most " + std::to_string(most) + ", not " + text;
        return std::string();
      },
      "");
}
inline CLI::Validator at_least(int least) {
  return between(least, std::numeric_limits<int>::max());
}

/// What --dtype may say, and what it means for a folder and for random weights.
inline const std::vector<std::string> dtypes = {"auto", "f32", "bf16", "int8", "int4"};

inline bool is_dtype(const std::string& name) {
  return std::find(dtypes.begin(), dtypes.end(), name) != dtypes.end();
}
inline void set_dtype(const std::string& dtype, LoadOptions& options) {
  if (dtype == "f32") options.activations = Operand::f32;
  if (dtype == "bf16") options.weights = Dtype::bf16;
  if (dtype == "int8") options.weights = Dtype::int8;
  if (dtype == "int4") options.weights = Dtype::int4;
}
inline Dtype random_dtype(const std::string& dtype) {
  if (dtype == "f32") return Dtype::f32;
  if (dtype == "int8") return Dtype::int8;
  return dtype == "int4" ? Dtype::int4 : Dtype::bf16;
}

/// Loads a model, with a bar. Throws Error(cancelled) on Ctrl-C.
inline Model load_folder(const std::filesystem::path& folder, LoadOptions options) {
  ProgressBar bar("loading");
  if (options.notice) {
    options.notice = [&bar, tell = options.notice](std::string_view what) {
      bar.clear();
      tell(what);
    };
  }
  options.progress = [&](const LoadProgress& progress) {
    bar.update(progress.bytes_done, progress.bytes_total);
    return Interrupt::flow();
  };
  return Model::load(folder, options);
}

/// For --help.
inline std::string preset_names() {
  std::string names;
  for (const Preset& preset : presets()) {
    names += names.empty() ? "" : ", ";
    names += preset.name;
  }
  return names;
}

class ModelOptions {
 public:
  static constexpr const char* no_tokenizer =
      "random weights have no tokenizer: give token ids, with --tokens";

  explicit ModelOptions(CLI::App& app) : app_(&app) {
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.set_version_flag("--version", app.get_name() + " " GRIFFIN_VERSION);
    model_ = app.add_option("-m,--model", folder_, "Model folder; the embedded model if not given")
                 ->type_name("DIR");
    random_ =
        app.add_option("--random,--config", preset_,
                       "Random weights of a named shape instead of a folder: " + preset_names())
            ->type_name("PRESET")
            ->excludes(model_);
    app.add_option("-t,--threads", threads_,
                   "Threads at most, 0 for all cores; OMP_NUM_THREADS is not looked at")
        ->type_name("N")
        ->check(between(0, most_threads))
        ->capture_default_str();
    app.add_option("--dtype", dtype_, "Weights: as stored, f32 arithmetic, or rounded to a type")
        ->type_name("TYPE")
        ->check(CLI::IsMember(dtypes))
        ->capture_default_str();
    app.add_option("--kv-dtype", kv_dtype_, "Keys and values of a sequence")
        ->type_name("TYPE")
        ->check(CLI::IsMember({"f32", "bf16"}))
        ->capture_default_str();
    window_ = app.add_option("--window", window_tokens_,
                             "Earlier tokens that local attention sees, instead of the model's own")
                  ->type_name("N")
                  ->check(at_least(1));
    app.add_flag("--no-mmap", no_mmap_, "Read the weights into memory instead of mapping them");
  }

  /// For programs that may want no more than the most likely token: --greedy-head.
  void add_greedy_head() {
    app_->add_flag("--greedy-head", greedy_head_,
                   "Look for the most likely token in an int8 copy of a bf16 head: the same token, "
                   "for half of the head's reading and half as much memory again");
  }

  /// For programs whose texts may be limited: -c.
  void add_capacity(const std::string& what) {
    app_->add_option("-c,--ctx-size", capacity_, what + "; 0: no limit, where the model allows it")
        ->type_name("N")
        ->check(at_least(0))
        ->capture_default_str();
  }

  bool random() const { return random_->count() > 0; }
  bool embedded() const { return model_->count() == 0 && !random(); }
  /// Where the model comes from, for people.
  std::string model_name() const {
    return random() ? preset_ + ", random weights" : folder().string();
  }
  /// Where it is, unless its weights are random.
  std::filesystem::path folder() const {
    return model_->count() > 0 ? std::filesystem::path(folder_) : embedded_model();
  }
  int threads() const { return threads_ > 0 ? threads_ : available_cores(); }

  /// The model: loaded as load_folder() does, or random.
  Model load_model() const {
    const Model model = load_model_as(dtype_);
    return greedy_head_ ? model.with_greedy_head() : model;
  }

  /// The same weights in another type, or what is in another folder.
  Model load_other_model(const std::string& type_or_folder) const {
    if (is_dtype(type_or_folder)) return load_model_as(type_or_folder);
    return load_folder(type_or_folder, load_options("auto"));
  }

  /// The type that the weights of such a model are computed with.
  const char* dtype(const Model& model) const {
    return dtype_ == "f32" ? "f32" : name_of(model.dtype());
  }

  bool has_tokenizer() const { return !random() && Tokenizer::file_in(folder()).has_value(); }

  /// Warns of ids without a text. Throws Error(mismatch) for a tokenizer whose ids the model does
  /// not know.
  Tokenizer load_tokenizer(const Model& model) const {
    if (random()) throw UsageError(no_tokenizer);
    const std::int64_t vocab = model.config().vocab;
    Tokenizer tokenizer = Tokenizer::load(folder(), vocab);
    if (const Tokenizer::Unspelled ids = tokenizer.unspelled(vocab); ids.count > 0) {
      warn(*app_, "the tokenizer has no text for " + std::to_string(ids.count) +
                      " of the model's " + std::to_string(vocab) + " ids, from " +
                      std::to_string(ids.first) + " to " + std::to_string(ids.last));
    }
    return tokenizer;
  }

  /// For sequences with room for `tokens` of them; 0: for as many as one likes.
  SequenceOptions sequence_options(std::int64_t tokens) const {
    SequenceOptions options;
    options.capacity = tokens;
    options.kv = kv_dtype_ == "bf16" ? Dtype::bf16 : Dtype::f32;
    return options;
  }
  Sequence sequence(const Model& model, std::int64_t tokens) const {
    return model.new_sequence(sequence_options(tokens));
  }

  /// For sequences of as many tokens as -c says. Throws Error(invalid_argument) where it says
  /// nothing, but has to.
  SequenceOptions sequence_options(const Model& model) const {
    if (capacity_ == 0 && model.config().has_global_attention()) {
      throw Error(ErrorCode::invalid_argument,
                  "this model has global attention, whose state grows with every token: say with "
                  "-c how many tokens to make room for");
    }
    return sequence_options(capacity_);
  }
  /// What -c says; 0: nothing.
  std::int64_t capacity() const { return capacity_; }

  const CLI::App& app() const { return *app_; }

 private:
  Model load_model_as(const std::string& dtype) const {
    if (random()) {
      const ModelConfig& config = preset(preset_);
      return Model::random(window_->count() > 0 ? config.with_window(window_tokens_) : config,
                           random_dtype(dtype), 0);
    }
    return load_folder(folder(), load_options(dtype));
  }
  LoadOptions load_options(const std::string& dtype) const {
    LoadOptions options;
    set_dtype(dtype, options);
    options.access = no_mmap_ ? FileAccess::read : FileAccess::map;
    if (window_->count() > 0) options.window = window_tokens_;
    options.notice = [this](std::string_view what) { warn(*app_, on_one_line(std::string(what))); };
    return options;
  }

  CLI::App* app_;
  CLI::Option* model_;
  CLI::Option* random_;
  CLI::Option* window_;
  std::string folder_;
  std::string preset_;
  std::string dtype_ = "auto";
  std::string kv_dtype_ = "f32";
  int threads_ = 0;
  int capacity_ = 0;
  int window_tokens_ = 0;
  bool no_mmap_ = false;
  bool greedy_head_ = false;
};

}  // namespace griffin::examples
