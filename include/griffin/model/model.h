// SPDX-License-Identifier: Apache-2.0
// The weights of a model and the blocks they form.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "griffin/core/file_access.h"
#include "griffin/core/flow.h"
#include "griffin/layers/blocks.h"
#include "griffin/layers/embedding.h"
#include "griffin/model/config.h"

namespace griffin {

struct LoadProgress {
  std::uint64_t bytes_done;
  std::uint64_t bytes_total;
  std::string_view tensor;  // the one that was just checked
};

struct LoadOptions {
  /// How weight matrices are held: unset, as the checkpoint has them. f32 and bf16 are converted to
  /// when loaded, int8 and int4 quantised to (8.25 and 4.25 bits a weight; the folder that
  /// `quantize` makes is mapped instead).
  std::optional<Dtype> weights = {};
  /// What activations are multiplied as: unset, what goes with the weights (operand_of). f32 is the
  /// reference mode: float32 arithmetic throughout, bf16 and f16 weights widened exactly as they
  /// are read, quantised ones when loaded.
  std::optional<Operand> activations = {};
  FileAccess access = FileAccess::map;
  /// Called after every tensor; Flow::stop ends the load with Error(cancelled).
  std::function<Flow(const LoadProgress&)> progress = {};
};

/// An immutable model. A Model is a handle: copies share the weights, which live as long as any of
/// them. Any number of threads may use it at once, each with a ForwardPass (or Context) and
/// sequences of its own.
class Model {
 public:
  /// Reads a Hugging Face folder: config.json, and model.safetensors or the shards that
  /// model.safetensors.index.json lists. Weight matrices stay where the file is mapped unless the
  /// options ask for a conversion. Throws Error naming file, tensor, expected and found, and
  /// Error(invalid_argument) for options that do not go together.
  static Model load(const std::filesystem::path& folder, const LoadOptions& options = {});

  /// A model of that shape with random weights of sane size and decays in (0.9, 0.999), the same
  /// for the same seed. For benchmarks and tests.
  static Model random(const ModelConfig& config, Dtype dtype, std::uint64_t seed);

  const ModelConfig& config() const noexcept { return parts_->config; }

  const Embedding& embedding() const noexcept { return parts_->embedding; }
  std::span<const Block> blocks() const noexcept { return parts_->blocks; }
  const RmsNorm& final_norm() const noexcept { return parts_->final_norm; }
  const LmHead& lm_head() const noexcept { return parts_->lm_head; }

  /// Tokens that end a text: the eos ids of config.json and generation_config.json.
  std::span<const std::int32_t> stop_ids() const noexcept { return parts_->stop_ids; }

  /// Bytes of weights in use, mapped or owned.
  std::uint64_t weight_bytes() const noexcept { return parts_->weight_bytes; }

  /// The storage type of the embedding table, which in published models is that of all matrices.
  Dtype dtype() const noexcept { return parts_->embedding.table.dtype; }

  /// What load() took, in seconds.
  double load_seconds() const noexcept { return parts_->load_seconds; }

  /// A number that tells models apart whose states cannot be exchanged: other weights, another
  /// type of weights, other arithmetic. It is made of the config, of all small tensors and of
  /// samples of the large ones.
  std::uint64_t fingerprint() const noexcept { return parts_->fingerprint; }

  /// The layout of this model's sequences; its bytes() are what one takes. Throws what
  /// ModelConfig::state_layout throws.
  StateLayout state_layout(const SequenceOptions& options = {}) const {
    StateLayout layout = config().state_layout(options);
    layout.model = fingerprint();
    return layout;
  }

  /// A new sequence at position 0. Throws what state_layout and Sequence throw.
  Sequence sequence(const SequenceOptions& options = {}) const {
    return Sequence(state_layout(options));
  }

 private:
  friend class ModelBuilder;

  struct Parts {
    ModelConfig config;
    Embedding embedding;
    std::vector<Block> blocks;
    RmsNorm final_norm;
    LmHead lm_head;
    std::vector<std::int32_t> stop_ids;
    std::uint64_t weight_bytes = 0;
    std::uint64_t fingerprint = 0;
    double load_seconds = 0.0;
    std::shared_ptr<const void> storage;  // what the views above look into
  };

  explicit Model(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace griffin
