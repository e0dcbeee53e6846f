// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/weight_reader.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/error.h"
#include "models/fingerprint.h"
#include "weights/convert_weights.h"
#include "weights/random_source.h"
#include "weights/softplus.h"
#include "weights/transpose.h"
#include "weights/weight_source.h"

namespace griffin {
namespace {

/// What a finished model keeps alive.
struct Storage {
  std::shared_ptr<const void> source;
  std::vector<Buffer> owned;
};

struct RopeTable {
  std::int64_t rotary_dim;
  float theta;
  const float* frequency;
};

}  // namespace

struct WeightReader::Parts {
  Parts(std::unique_ptr<WeightSource> from, const LoadOptions& options)
      : source(std::move(from)), weights(options.weights), activations(options.activations) {
    fingerprint.add(std::int64_t{activations == Operand::f32});
  }

  WeightView matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  WeightView gates(const std::string& name, std::int64_t blocks, std::int64_t width);
  float* vector(const std::string& name, const Shape& shape, TensorKind kind);
  WeightView transposed(const WeightView& stored, std::int64_t blocks);
  void convert(const std::string& name, const WeightView& from, Dtype to, std::byte* data);
  float* own_floats(std::int64_t count);
  std::byte* own(std::size_t bytes);

  Dtype held_as(Dtype stored) const noexcept {
    if (weights) return *weights;
    return activations == Operand::f32 && is_quantized(stored) ? Dtype::f32 : stored;
  }
  Operand operand_for(Dtype held) const noexcept { return activations.value_or(operand_of(held)); }

  std::unique_ptr<WeightSource> source;
  std::optional<Dtype> weights;
  std::optional<Operand> activations;
  Fingerprint fingerprint;
  ModelWeights found;
  std::vector<Buffer> owned;
  std::vector<WeightView> used_as_stored;
  std::vector<RopeTable> ropes;
  Buffer passing;  // the gate at hand, transposed
};

WeightReader WeightReader::random(Dtype dtype, std::uint64_t seed) {
  return {random_source(dtype, seed), {}};
}

WeightReader::WeightReader(std::unique_ptr<WeightSource> source, const LoadOptions& options)
    : parts_(std::make_unique<Parts>(std::move(source), options)) {}
WeightReader::WeightReader(WeightReader&&) noexcept = default;
WeightReader& WeightReader::operator=(WeightReader&&) noexcept = default;
WeightReader::~WeightReader() = default;

std::string WeightReader::name_of(std::string_view name) const {
  return prefix_ + std::string(name);
}

void WeightReader::matrix(std::string_view name, Linear& to, std::int64_t out, std::int64_t in) {
  to.weight = parts_->matrix(name_of(name) + ".weight", out, in);
  to.bias = nullptr;
  to.operand = parts_->operand_for(to.weight.dtype);
  parts_->found.multiplied += static_cast<std::uint64_t>(out * in);
}

void WeightReader::linear(std::string_view name, Linear& to, std::int64_t out, std::int64_t in) {
  matrix(name, to, out, in);
  to.bias = parts_->vector(name_of(name) + ".bias", {out}, TensorKind::vector);
}

void WeightReader::table(std::string_view name, WeightView& to, std::int64_t rows,
                         std::int64_t cols) {
  to = parts_->matrix(name_of(name) + ".weight", rows, cols);
}

void WeightReader::tied(const WeightView& table, Linear& to) {
  to = {table, nullptr, parts_->operand_for(table.dtype)};
}

void WeightReader::gate(std::string_view name, BlockDiagonalLinear& to, std::int64_t blocks,
                        std::int64_t block_width) {
  to.weight = parts_->gates(name_of(name) + "_weight", blocks, block_width);
  to.bias = parts_->vector(name_of(name) + "_bias", {blocks, block_width}, TensorKind::vector);
  to.blocks = blocks;
  to.operand = parts_->operand_for(to.weight.dtype);
  parts_->found.multiplied += static_cast<std::uint64_t>(blocks * block_width * block_width);
}

/// [channel, 1, tap] -> [tap, channel].
void WeightReader::conv1d(std::string_view name, CausalConv1d& to, std::int64_t taps,
                          std::int64_t width) {
  float* weight = parts_->own_floats(width * taps);
  const float* stored =
      parts_->vector(name_of(name) + ".weight", {width, 1, taps}, TensorKind::convolution);
  transpose(reinterpret_cast<const std::byte*>(stored), reinterpret_cast<std::byte*>(weight), width,
            taps, sizeof(float));
  to.weight = weight;
  to.bias = parts_->vector(name_of(name) + ".bias", {width}, TensorKind::vector);
  to.width = width;
  to.taps = taps;
}

void WeightReader::norm(std::string_view name, RmsNorm& to, std::int64_t width, float eps) {
  to = {parts_->vector(name_of(name) + ".weight", {width}, TensorKind::vector), width, eps};
}

void WeightReader::vector(std::string_view name, const float*& to, std::int64_t count) {
  to = parts_->vector(name_of(name), {count}, TensorKind::vector);
}

void WeightReader::decay(std::string_view name, const float*& to, std::int64_t count) {
  float* decay = parts_->vector(name_of(name), {count}, TensorKind::decay);
  for (std::int64_t c = 0; c < count; ++c) {
    decay[c] = static_cast<float>(-8.0 * softplus(static_cast<double>(decay[c])));
  }
  to = decay;
}

void WeightReader::rope(Rope& to, std::int64_t rotary_dim, float theta) {
  const std::int64_t pairs = (rotary_dim + 1) / 2;
  to.pairs = pairs;
  parts_->fingerprint.add(pairs);
  if (rotary_dim % 2 != 0) parts_->fingerprint.add(rotary_dim);
  parts_->fingerprint.add(std::int64_t{std::bit_cast<std::int32_t>(theta)});
  for (const RopeTable& table : parts_->ropes) {
    if (table.rotary_dim != rotary_dim || table.theta != theta) continue;
    to.frequency = table.frequency;
    return;
  }
  float* frequency = parts_->own_floats(pairs);
  for (std::int64_t j = 0; j < pairs; ++j) {
    const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(rotary_dim);
    frequency[j] = static_cast<float>(std::pow(static_cast<double>(theta), exponent));
  }
  parts_->ropes.push_back({rotary_dim, theta, frequency});
  to.frequency = frequency;
}

void WeightReader::note(const ModelConfig& config) {
  parts_->fingerprint.add(config);
}

ModelWeights WeightReader::finish() {
  Parts& p = *parts_;
  p.found.fingerprint = p.fingerprint.value();
  p.found.storage = std::make_shared<const Storage>(
      Storage{p.source->finish(p.used_as_stored), std::move(p.owned)});
  return std::move(p.found);
}

WeightView WeightReader::Parts::matrix(const std::string& name, std::int64_t rows,
                                       std::int64_t cols) {
  const WeightView stored = source->matrix(name, {rows, cols}, Lifetime::model);
  fingerprint.add(std::as_bytes(std::span(name.data(), name.size())));
  const Dtype held = held_as(stored.dtype);
  if (held == stored.dtype) {
    used_as_stored.push_back(stored);
    found.bytes += stored.bytes();
    fingerprint.add_sample(stored);
    return stored;
  }
  WeightView view{nullptr, held, rows, cols};
  std::byte* data = own(view.bytes());
  view.data = data;
  convert(name, stored, held, data);
  fingerprint.add_sample(view);
  return view;
}

/// The checkpoint's [block, in, out] becomes [block, out, in], so that all inner products run along
/// contiguous memory; in tiles of quantised weights it already is that. Gates are never held in
/// less than 8 bits: they are 1 % of the weights, and the decay hangs on them.
WeightView WeightReader::Parts::gates(const std::string& name, std::int64_t blocks,
                                      std::int64_t width) {
  WeightView first = source->matrix(name, {blocks, width, width}, Lifetime::next_call);
  if (!is_quantized(first.dtype)) first = transposed(first, blocks);
  const Dtype held = held_as(first.dtype) == Dtype::int4 ? Dtype::int8 : held_as(first.dtype);
  WeightView view{nullptr, held, width, width};
  std::byte* data = own(static_cast<std::size_t>(blocks) * view.bytes());
  view.data = data;
  for (std::int64_t n = 0; n < blocks; ++n) {
    const auto block = static_cast<std::size_t>(n);
    WeightView from = first;
    from.data = static_cast<const std::byte*>(first.data) + block * first.bytes();
    convert(name, from, held, data + block * view.bytes());
    fingerprint.add_sample({data + block * view.bytes(), held, width, width});
  }
  return view;
}

WeightView WeightReader::Parts::transposed(const WeightView& stored, std::int64_t blocks) {
  passing = Buffer(static_cast<std::size_t>(blocks) * stored.bytes());
  for (std::size_t block = 0; block < static_cast<std::size_t>(blocks); ++block) {
    transpose(static_cast<const std::byte*>(stored.data) + block * stored.bytes(),
              passing.data() + block * stored.bytes(), stored.rows, stored.cols,
              size_of(stored.dtype));
  }
  return {passing.data(), stored.dtype, stored.cols, stored.rows};
}

void WeightReader::Parts::convert(const std::string& name, const WeightView& from, Dtype to,
                                  std::byte* data) {
  if (from.dtype == to) {
    std::memcpy(data, from.data, from.bytes());
  } else if (!convert_weights(from, to, data)) {
    throw Error(ErrorCode::format, source->where(name) +
                                       ": expected finite numbers to quantise, found infinity or "
                                       "NaN");
  }
}

/// A small tensor as float32.
float* WeightReader::Parts::vector(const std::string& name, const Shape& shape, TensorKind kind) {
  const WeightView stored = source->vector(name, shape, kind);
  fingerprint.add(std::as_bytes(std::span(name.data(), name.size())));
  const std::int64_t count = stored.rows * stored.cols;
  float* wide = own_floats(count);
  kernels::table_at(0).widen[kernels::index_of(stored.dtype)](
      {.from = stored.data, .to = wide, .count = count});
  fingerprint.add(std::as_bytes(std::span(wide, static_cast<std::size_t>(count))));
  return wide;
}

float* WeightReader::Parts::own_floats(std::int64_t count) {
  return reinterpret_cast<float*>(own(static_cast<std::size_t>(count) * sizeof(float)));
}

std::byte* WeightReader::Parts::own(std::size_t bytes) {
  found.bytes += bytes;
  owned.emplace_back(bytes);
  return owned.back().data();
}

}  // namespace griffin
