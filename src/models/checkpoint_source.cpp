// SPDX-License-Identifier: Apache-2.0
// The tensors of a checkpoint, every name, shape and type checked.
#include "models/checkpoint_source.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "formats/printable.h"
#include "griffin/core/error.h"

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

class CheckpointSource final : public WeightSource {
 public:
  CheckpointSource(Checkpoint checkpoint, const LoadOptions& options)
      : checkpoint_(std::move(checkpoint)), options_(options) {
    for (const SafetensorsFile& file : checkpoint_.files()) {
      for (const auto& [name, tensor] : file.tensors()) progress_.bytes_total += tensor.data.size();
    }
  }

  WeightView matrix(const std::string& name, const Shape& shape, Lifetime) override {
    const Entry entry = find(name, shape);
    const std::int64_t rows = shape[shape.size() - 2];
    const std::int64_t cols = shape.back();
    const Dtype dtype = quantized_dtype(entry);
    if (is_quantized(dtype)) {
      Shape blocks(shape.begin(), shape.end() - 2);
      for (const std::int64_t n : {blocks_down(rows), blocks_across(cols), block_bytes(dtype)}) {
        blocks.push_back(n);
      }
      check_shape(where(name), *entry.tensor, blocks);
      use(name, entry);
      return {entry.tensor->data.data(), dtype, rows, cols};
    }
    const Dtype stored = dtype_of(where(name), *entry.tensor);
    check_shape(where(name), *entry.tensor, shape);
    use(name, entry);
    return {entry.tensor->data.data(), stored, rows, cols};
  }

  WeightView vector(const std::string& name, const Shape& shape, TensorKind kind) override {
    const Entry entry = find(name, shape);
    check_shape(where(name), *entry.tensor,
                kind == TensorKind::convolution ? as_stored(shape, entry) : shape);
    const std::int64_t rows = shape.front();
    std::int64_t cols = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) cols *= shape[i];
    use(name, entry);
    return {entry.tensor->data.data(), dtype_of(where(name), *entry.tensor), rows, cols};
  }

  std::string where(const std::string& name) const override {
    const Entry entry = checkpoint_.find(name);
    return entry.file->path().string() + ": tensor " + std::string(entry.stored_name);
  }

  std::shared_ptr<const void> finish(std::span<const WeightView> used) override {
    check_nothing_left();
    tell_of_absent();
    checkpoint_.close_unused(used);
    return std::make_shared<const Checkpoint>(std::move(checkpoint_));
  }

 private:
  using Entry = Checkpoint::Entry;

  Entry find(const std::string& name, const Shape& shape) const {
    const Entry entry = checkpoint_.find(name);
    if (entry) return entry;
    throw Error(ErrorCode::mismatch, checkpoint_.listing().string() + ": tensor " + name +
                                         " is missing; expected shape " + shape_text(shape) +
                                         reason_for_missing(name));
  }

  std::string reason_for_missing(const std::string& name) const {
    if (name == "lm_head.weight") return "; by config.json (tie_word_embeddings) it is not tied";
    if (checkpoint_.absent().count(name) > 0) return "; the index lists it, but no file has it";
    for (const SafetensorsFile& file : checkpoint_.files()) {
      if (file.tensors().empty()) continue;
      return "; there is, for instance, " + printable(file.tensors().begin()->first);
    }
    return "; there are no tensors at all";
  }

  /// MLX has the taps of a convolution before its one input: [channel, tap, 1] for
  /// [channel, 1, tap], the same bytes.
  static Shape as_stored(Shape shape, const Entry& entry) {
    if (entry.tensor->shape.size() == 3 && entry.tensor->shape[2] == 1)
      std::swap(shape[1], shape[2]);
    return shape;
  }

  /// Blocks are stored as bytes, [..., panels, groups, bytes of a block], in files that say so.
  static Dtype quantized_dtype(const Entry& entry) {
    const StoredTensor& tensor = *entry.tensor;
    if (tensor.dtype != "U8" || !entry.file->has_blocks() || tensor.shape.empty()) {
      return Dtype::f32;
    }
    const std::uint64_t bytes = tensor.shape.back();
    return bytes == static_cast<std::uint64_t>(block_bytes(Dtype::int4)) ? Dtype::int4
                                                                         : Dtype::int8;
  }

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

  /// Refuses tensors that are named like a part of a layer but that nothing asked for: a config
  /// with too few layers, or another kind of layer, would otherwise run and answer nonsense. Of
  /// others it tells.
  void check_nothing_left() const {
    std::size_t ignored = 0;
    std::string first;
    for (const SafetensorsFile& file : checkpoint_.files()) {
      for (const auto& [name, tensor] : file.tensors()) {
        const bool buffer = name.ends_with("rotary_emb.inv_freq");
        if (buffer || used_.count(name) > 0) continue;
        if (Checkpoint::name_of(name).starts_with("model.layers.")) {
          throw Error(ErrorCode::mismatch,
                      file.path().string() + ": tensor " + name + " of shape " +
                          shape_text(tensor.shape) +
                          " has no place in the model that config.json describes (" +
                          std::to_string(checkpoint_.config().model.depth) + " layers)");
        }
        if (ignored++ == 0) first = file.path().string() + ": tensor " + printable(name);
      }
    }
    tell_of_ignored(ignored, first);
  }

  void tell_of_ignored(std::size_t count, const std::string& first) const {
    if (count == 0 || !options_.notice) return;
    options_.notice(first + (count > 1 ? " and " + std::to_string(count - 1) + " more" : "") +
                    ": ignored, as the model has no place for " + (count > 1 ? "them" : "it"));
  }

  static Dtype dtype_of(const std::string& where, const StoredTensor& tensor) {
    if (tensor.dtype == "F32") return Dtype::f32;
    if (tensor.dtype == "BF16") return Dtype::bf16;
    if (tensor.dtype == "F16") return Dtype::f16;
    throw Error(ErrorCode::unsupported,
                where + ": expected F32, BF16 or F16, found " + tensor.dtype);
  }

  void tell_of_absent() const {
    const auto& absent = checkpoint_.absent();
    if (absent.empty() || !options_.notice) return;
    options_.notice(checkpoint_.listing().string() + ": lists " + std::to_string(absent.size()) +
                    " tensors that no file has and the model does not need, among them " +
                    printable(*absent.begin()));
  }

  void use(const std::string& name, const Entry& entry) {
    used_.insert(std::string(entry.stored_name));
    report(name, *entry.tensor);
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
};

}  // namespace

std::unique_ptr<WeightSource> checkpoint_source(Checkpoint checkpoint, const LoadOptions& options) {
  return std::make_unique<CheckpointSource>(std::move(checkpoint), options);
}

}  // namespace griffin
