// SPDX-License-Identifier: Apache-2.0
// The tensors of a checkpoint, every name, shape and type checked.
#include "checkpoint_source.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "griffin/kernels.h"
#include "griffin/layers/context.h"

namespace griffin {
namespace {

std::string shape_text(const auto& shape) {
  std::string text = "[";
  for (const auto extent : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(extent);
  }
  return text + "]";
}

/// What a loaded model's weights lie in: files mapped or read, and converted copies.
struct LoadedWeights {
  Checkpoint checkpoint;
  std::vector<Buffer> converted;
};

class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(Checkpoint checkpoint, const LoadOptions& options)
      : checkpoint_(std::move(checkpoint)), options_(options) {
    for (const SafetensorsFile& file : checkpoint_.files()) {
      for (const auto& [name, tensor] : file.tensors()) progress_.bytes_total += tensor.data.size();
    }
  }

  WeightView matrix(const std::string& name, const Shape& shape, Lifetime lifetime) override {
    const WeightView view = vector(name, shape);
    if (options_.precision != Precision::bf16 || view.dtype == Dtype::bf16) return view;
    Buffer& target = lifetime == Lifetime::model ? converted_.emplace_back() : passing_;
    target = Buffer(static_cast<std::size_t>(view.rows * view.cols) * size_of(Dtype::bf16));
    return to_bf16(view, target.data());
  }

  WeightView vector(const std::string& name, const Shape& shape) override {
    const Checkpoint::Entry entry = checkpoint_.find(name);
    if (!entry) {
      throw Error(ErrorCode::mismatch, checkpoint_.listing().string() + ": tensor " + name +
                                           " is missing; expected shape " + shape_text(shape));
    }
    const std::string where = entry.file->path().string() + ": tensor " + name;
    check_shape(where, *entry.tensor, shape);
    const std::int64_t rows = shape.front();
    std::int64_t cols = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) cols *= shape[i];
    report(name, *entry.tensor);
    used_.insert(name);
    return {entry.tensor->data.data(), dtype_of(where, *entry.tensor), rows, cols};
  }

  std::shared_ptr<const void> finish() override {
    check_nothing_left();
    return std::make_shared<const LoadedWeights>(
        LoadedWeights{std::move(checkpoint_), std::move(converted_)});
  }

 private:
  static void check_shape(const std::string& where, const StoredTensor& tensor,
                          const Shape& wanted) {
    const bool same = std::equal(
        tensor.shape.begin(), tensor.shape.end(), wanted.begin(), wanted.end(),
        [](std::uint64_t a, std::int64_t b) { return a == static_cast<std::uint64_t>(b); });
    if (!same) {
      throw Error(ErrorCode::mismatch, where + ": expected shape " + shape_text(wanted) +
                                           " by config.json, found " + shape_text(tensor.shape));
    }
  }

  /// Refuses tensors that are named like a part of this model but that nothing asked for: a config
  /// with too few layers, or another kind of layer, would otherwise run and answer nonsense.
  void check_nothing_left() const {
    const std::string layers = "model.layers.";
    for (const SafetensorsFile& file : checkpoint_.files()) {
      for (const auto& [name, tensor] : file.tensors()) {
        const bool buffer = name.ends_with("rotary_emb.inv_freq");
        if (name.starts_with(layers) && !buffer && used_.count(name) == 0) {
          throw Error(ErrorCode::mismatch,
                      file.path().string() + ": tensor " + name + " of shape " +
                          shape_text(tensor.shape) +
                          " has no place in the model that config.json describes (" +
                          std::to_string(checkpoint_.config().model.depth) + " layers)");
        }
      }
    }
  }

  static Dtype dtype_of(const std::string& where, const StoredTensor& tensor) {
    if (tensor.dtype == "F32") return Dtype::f32;
    if (tensor.dtype == "BF16") return Dtype::bf16;
    if (tensor.dtype == "F16") return Dtype::f16;
    throw Error(ErrorCode::unsupported,
                where + ": expected F32, BF16 or F16, found " + tensor.dtype);
  }

  static WeightView to_bf16(const WeightView& view, std::byte* to) {
    constexpr std::int64_t step = 4096;
    const kernels::Table& kernel = kernels::table_at(0);
    const auto* from = static_cast<const std::byte*>(view.data);
    float wide[step];
    for (std::int64_t i = 0; i < view.rows * view.cols; i += step) {
      const std::int64_t count = std::min(step, view.rows * view.cols - i);
      kernel.widen[storage_index(view.dtype)](
          {from + static_cast<std::size_t>(i) * size_of(view.dtype), wide, count});
      kernel.narrow_bf16({wide, to + i * 2, count});
    }
    return {to, Dtype::bf16, view.rows, view.cols};
  }

  void report(const std::string& name, const StoredTensor& tensor) {
    progress_.bytes_done += tensor.data.size();
    progress_.tensor = name;
    if (options_.progress && options_.progress(progress_) == Flow::stop) {
      throw Error(ErrorCode::cancelled, checkpoint_.listing().string() + ": loading was cancelled");
    }
  }

  Checkpoint checkpoint_;
  const LoadOptions& options_;
  LoadProgress progress_{};
  std::set<std::string, std::less<>> used_;
  std::vector<Buffer> converted_;
  Buffer passing_;  // Lifetime::next_call
};

}  // namespace

std::unique_ptr<WeightSource> checkpoint_source(Checkpoint checkpoint, const LoadOptions& options) {
  return std::make_unique<CheckpointSource>(std::move(checkpoint), options);
}

}  // namespace griffin
