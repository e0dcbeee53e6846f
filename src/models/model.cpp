// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/model.h"

#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "griffin/core/error.h"
#include "griffin/model/parts.h"
#include "griffin/model/weight_reader.h"
#include "models/checkpoint_source.h"
#include "models/fingerprint.h"
#include "models/head_screen.h"
#include "models/recurrent_gemma.h"
#include "models/seconds.h"
#include "models/state_layout.h"
#include "weights/random_source.h"

namespace griffin {
namespace {

void check(const LoadOptions& options) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "load options: " + what);
  };
  if (options.weights == Dtype::f16) refuse("weights: expected f32, bf16, int8 or int4, found f16");
  if (options.activations == Operand::bf16 || options.activations == Operand::int8) {
    refuse("activations: expected f32, or nothing for what goes with the weights");
  }
  if (options.activations && options.weights && is_quantized(*options.weights)) {
    refuse(std::string("activations: f32 activations do not meet ") + name_of(*options.weights) +
           " weights");
  }
}

Model read_model(const ModelConfig& config, WeightReader weights, SpecialTokens tokens,
                 double started) {
  weights.note(config);
  ModelParts parts = recurrent_gemma::described_model(weights, config);
  parts.stop_ids = std::move(tokens.stop_ids);
  parts.texts_begin_with_bos = tokens.texts_begin_with_bos;
  parts.weights = weights.finish();
  parts.load_seconds = seconds_now() - started;
  return Model::assemble(std::move(parts));
}

void check(const Block& block, std::size_t index, std::int64_t width) {
  const std::string name = "model: block " + std::to_string(index);
  if (block.is_empty()) throw Error(ErrorCode::invalid_argument, name + " was moved from");
  try {
    block.check(width);
  } catch (const Error& error) {
    throw Error(error.code(), name + ": " + error.what());
  }
}

void check(const ModelParts& parts) {
  const auto expect = [](const char* what, std::int64_t found, std::int64_t expected) {
    if (found == expected) return;
    throw Error(ErrorCode::invalid_argument, std::string("model: ") + what + ": expected " +
                                                 std::to_string(expected) + ", found " +
                                                 std::to_string(found));
  };
  const ModelConfig& config = parts.config;
  expect("rows of the embedding", parts.embedding.table.rows, config.vocab);
  expect("columns of the embedding", parts.embedding.table.cols, config.width);
  expect("width of the final norm", parts.final_norm.width, config.width);
  expect("outputs of the head", parts.lm_head.linear.out(), config.vocab);
  expect("inputs of the head", parts.lm_head.linear.in(), config.width);
  const Linear& head = parts.lm_head.linear;
  if (kernels::table_at(0).matmul[kernels::index_of(head.weight.dtype)]
                                 [kernels::index_of(head.operand)] == nullptr) {
    throw Error(ErrorCode::invalid_argument, std::string("model: there is no product of ") +
                                                 name_of(head.weight.dtype) +
                                                 " weights with the operand of the head");
  }
  if (parts.head_screen != nullptr && !parts.head_screen->is_of(parts.lm_head)) {
    throw Error(ErrorCode::invalid_argument, "model: the greedy head was made of another head");
  }
  const float cap = parts.lm_head.soft_cap;
  if (!(cap >= 0.0F && std::isfinite(cap))) {
    throw Error(
        ErrorCode::invalid_argument,
        "model: soft cap of the head: expected a finite number >= 0, found " + std::to_string(cap));
  }
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) check(parts.blocks[i], i, config.width);
}

/// What no weight says: states of models that differ in it cannot be exchanged either.
std::uint64_t fingerprint_of(const ModelParts& parts) {
  Fingerprint fingerprint;
  fingerprint.add(static_cast<std::int64_t>(parts.weights.fingerprint));
  fingerprint.add(parts.config);
  for (const float number : {parts.embedding.scale, parts.lm_head.soft_cap, parts.final_norm.eps}) {
    fingerprint.add(std::int64_t{std::bit_cast<std::int32_t>(number)});
  }
  constexpr SequenceOptions long_enough{.capacity = std::int64_t{1} << 30};  // to show windows
  for (const StateShape& shape : layout_of(parts.blocks, long_enough).slots) {
    for (const std::int64_t n : {shape.held, shape.rings, shape.ring_rows, shape.row_width}) {
      fingerprint.add(n);
    }
  }
  return fingerprint.value();
}

}  // namespace

Model Model::load(const std::filesystem::path& folder, const LoadOptions& options) {
  const double started = seconds_now();
  check(options);
  Checkpoint checkpoint(folder, options.access, options.notice);
  CheckpointConfig found = checkpoint.config();
  if (options.window) found.model = found.model.with_window(*options.window);
  WeightReader weights(checkpoint_source(std::move(checkpoint), options), options);
  return read_model(found.model, std::move(weights), found.tokens, started);
}

Model Model::random(const ModelConfig& config, Dtype dtype, std::uint64_t seed) {
  const double started = seconds_now();
  config.validate();
  return read_model(config, WeightReader::random(dtype, seed), {{config.eos_id}}, started);
}

Model Model::assemble(ModelParts parts) {
  check(parts);
  std::int64_t slot = 0;
  for (Block& block : parts.blocks) block = block.with_slots(slot);
  parts.weights.fingerprint = fingerprint_of(parts);
  return Model(std::make_shared<const ModelParts>(std::move(parts)));
}

Model Model::with_greedy_head() const {
  if (parts_->head_screen != nullptr) return *this;
  const double started = seconds_now();
  auto parts = std::make_shared<ModelParts>(*parts_);
  parts->head_screen = std::make_shared<const HeadScreen>(parts->lm_head);
  parts->weights.screen = parts->head_screen->bytes();
  parts->weights.bytes += parts->weights.screen;
  parts->load_seconds += seconds_now() - started;
  return Model(std::move(parts));
}

const ModelConfig& Model::config() const noexcept {
  return parts_->config;
}

std::span<const std::int32_t> Model::stop_ids() const noexcept {
  return parts_->stop_ids;
}

std::optional<std::int32_t> Model::text_bos() const noexcept {
  return parts_->texts_begin_with_bos ? config().bos_id : std::nullopt;
}

std::uint64_t Model::weight_bytes() const noexcept {
  return parts_->weights.bytes;
}

Dtype Model::dtype() const noexcept {
  return parts_->embedding.table.dtype;
}

double Model::load_seconds() const noexcept {
  return parts_->load_seconds;
}

std::uint64_t Model::fingerprint() const noexcept {
  return parts_->weights.fingerprint;
}

StateLayout Model::state_layout(const SequenceOptions& options) const {
  StateLayout layout = layout_of(parts_->blocks, options);
  layout.model = fingerprint();
  return layout;
}

Sequence Model::new_sequence(const SequenceOptions& options) const {
  return Sequence(state_layout(options));
}

}  // namespace griffin
