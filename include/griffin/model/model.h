// SPDX-License-Identifier: Apache-2.0
// A model: weights and the blocks they form.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "griffin/core/error.h"
#include "griffin/core/file_access.h"
#include "griffin/core/flow.h"
#include "griffin/core/weight.h"
#include "griffin/model/config.h"
#include "griffin/state/sequence.h"

namespace GRIFFIN_API griffin {

struct ModelParts;  // model/parts.h

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
  /// How many earlier tokens local attention sees, in place of what config.json says
  /// (ModelConfig::with_window); unset: as it says.
  std::optional<std::int64_t> window = {};
  /// Mapped; read into memory if so asked, or where the file system maps no files.
  FileAccess access = FileAccess::map;
  /// Called after every tensor; Flow::stop ends the load with Error(cancelled).
  std::function<Flow(const LoadProgress&)> progress = {};
  /// Called with a sentence for each oddity of the folder that is no error: which of two
  /// checkpoints is read, a head of its own where config.json ties it, files that could not be
  /// mapped.
  std::function<void(std::string_view)> notice = {};
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

  /// A model of blocks of one's own, or of the library's in another order. Throws
  /// Error(invalid_argument) where embedding, norm or head are of another width or vocabulary than
  /// the config says, and what the check(width) of a block throws (layers/mixer.h).
  static Model assemble(ModelParts parts);

  /// The same model with an int8 copy of its head beside the bf16 one: 8.25 bits more for each of
  /// the head's weights. A pass that wants no more of a row than its most likely token
  /// (Logits::best_of_last) then reads the copy and a few rows of the head, half of the bytes, and
  /// finds the same token. Sequences and saved states are those of the model without. Throws
  /// Error(invalid_argument) where the head is not of bf16 weights multiplied by bf16 activations,
  /// or has a bias: quantised heads have nothing to gain; Error(format) where it is not finite.
  Model with_greedy_head() const;

  const ModelConfig& config() const noexcept;
  /// What it is made of.
  const ModelParts& parts() const noexcept { return *parts_; }

  /// Tokens that end a text: the eos ids of config.json and generation_config.json.
  std::span<const std::int32_t> stop_ids() const noexcept;

  /// What a text begins with: the BOS of the config; nothing where it has none, or where
  /// tokenizer_config.json says "add_bos_token": false. (Conversations begin with the config's BOS
  /// all the same: it is part of their format.)
  std::optional<std::int32_t> text_bos() const noexcept;

  /// Bytes of weights in use, mapped or owned, a greedy head's included.
  std::uint64_t weight_bytes() const noexcept;

  /// The storage type of the embedding table, which in published models is that of all matrices.
  Dtype dtype() const noexcept;

  /// What load() took, in seconds.
  double load_seconds() const noexcept;

  /// A number that tells models apart whose states cannot be exchanged: other weights, another
  /// type of weights, other arithmetic, other layers. It is made of the config, of what the layers
  /// keep in their order, of the names of the tensors, all small ones and samples of the large
  /// ones.
  std::uint64_t fingerprint() const noexcept;

  /// The layout of this model's sequences; its bytes() are what one takes. Throws
  /// Error(invalid_argument) for options that this model cannot give: global attention without a
  /// capacity, a negative capacity, f16 rings.
  StateLayout state_layout(const SequenceOptions& options = {}) const;

  /// A new sequence at position 0. Throws what state_layout and Sequence throw.
  Sequence new_sequence(const SequenceOptions& options = {}) const;

 private:
  friend class ForwardPass;

  explicit Model(std::shared_ptr<const ModelParts> parts) noexcept : parts_(std::move(parts)) {}

  std::shared_ptr<const ModelParts> parts_;
};

}  // namespace griffin
