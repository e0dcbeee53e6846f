// SPDX-License-Identifier: Apache-2.0
// The weights of a model and the blocks they form.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "griffin/layers/blocks.h"
#include "griffin/layers/embedding.h"
#include "griffin/model/config.h"

namespace griffin {

/// What a callback answers.
enum class Flow { proceed, stop };

/// How the weight matrices are held.
enum class Precision {
  stored,  // as the checkpoint has them
  f32,     // the reference mode: float32 arithmetic throughout, stored weights widened exactly
  bf16,    // bfloat16, rounded from the checkpoint's type where that is wider
};

/// How the files of a checkpoint get into memory.
enum class FileAccess {
  map,   // mapped: shared between processes, read when first used. The files must not be cut or
         // rewritten in place while the model lives (the system answers that with SIGBUS).
  read,  // copied into memory of our own
};

struct LoadProgress {
  std::uint64_t bytes_done;
  std::uint64_t bytes_total;
  std::string_view tensor;  // the one that was just checked
};

struct LoadOptions {
  Precision precision = Precision::stored;
  FileAccess access = FileAccess::map;
  /// Called after every tensor; Flow::stop ends the load with Error(cancelled).
  std::function<Flow(const LoadProgress&)> progress;
};

/// An immutable model. Any number of threads may use it at once, each with a ForwardPass (or
/// Context) and sequences of its own; it must outlive them.
class Model {
 public:
  /// Reads a Hugging Face folder: config.json, and model.safetensors or the shards that
  /// model.safetensors.index.json lists. Weight matrices stay where the file is mapped unless a
  /// Precision asks for a conversion. Throws Error naming file, tensor, expected and found.
  static Model load(const std::filesystem::path& folder, const LoadOptions& options = {});

  /// A model of that shape with random weights of sane size and decays in (0.9, 0.999), the same for
  /// the same seed. For benchmarks and tests.
  static Model random(const ModelConfig& config, Dtype dtype, std::uint64_t seed);

  const ModelConfig& config() const noexcept { return config_; }

  const Embedding& embedding() const noexcept { return embedding_; }
  std::span<const Block> blocks() const noexcept { return blocks_; }
  const RmsNorm& final_norm() const noexcept { return final_norm_; }
  const LmHead& lm_head() const noexcept { return lm_head_; }

  /// Tokens that end a text: the eos ids of config.json and generation_config.json.
  std::span<const std::int32_t> stop_ids() const noexcept { return stop_ids_; }

  /// Bytes of weights in use, mapped or owned.
  std::uint64_t weight_bytes() const noexcept { return weight_bytes_; }

  /// The storage type of the weight matrices.
  Dtype dtype() const noexcept { return embedding_.table.dtype; }

  /// What load() took, in seconds.
  double load_seconds() const noexcept { return load_seconds_; }

  /// A new sequence at position 0.
  Sequence sequence(const SequenceOptions& options = {}) const {
    return Sequence(config_.state_layout(options));
  }

 private:
  friend class ModelBuilder;
  Model() = default;

  ModelConfig config_;
  Embedding embedding_;
  std::vector<Block> blocks_;
  RmsNorm final_norm_;
  LmHead lm_head_;
  std::vector<std::int32_t> stop_ids_;
  std::uint64_t weight_bytes_ = 0;
  double load_seconds_ = 0.0;
  std::shared_ptr<const void> storage_;  // what the views above look into
};

}  // namespace griffin
