// SPDX-License-Identifier: Apache-2.0
#include "weights/random_source.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "griffin/core/buffer.h"
#include "griffin/core/parallel.h"
#include "griffin/kernels.h"
#include "weights/random_bits.h"
#include "weights/random_blocks.h"

namespace griffin {
namespace {

std::uint64_t key_of(std::uint64_t seed, const std::string& name) {
  std::uint64_t key = seed;
  for (const char c : name) key = random_bits(key, static_cast<unsigned char>(c) + 1U);
  return key;
}

/// Elements [first, first + count) of a tensor, uniform in (-limit, limit), 16 random bits each.
void fill_uniform(std::uint64_t key, std::int64_t first, std::int64_t count, float limit,
                  float* to) {
  const float unit = limit / 32768.0F;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto element = static_cast<std::uint64_t>(first + i);
    const std::uint64_t bits = random_bits(key, element / 4) >> (element % 4 * 16) & 0xFFFFU;
    to[i] = (static_cast<float>(bits) - 32767.5F) * unit;
  }
}

/// float32 -> float16, to nearest even; |value| < 65504.
std::uint16_t narrow_f16(float value) {
  const auto sign = std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000U;
  const auto scaled = std::bit_cast<std::uint32_t>(std::fabs(value) * 0x1p-112F);
  return static_cast<std::uint16_t>(sign | (scaled + 0xFFFU + (scaled >> 13 & 1U)) >> 13);
}

void narrow(Dtype dtype, const float* from, std::int64_t count, std::byte* to) {
  if (dtype == Dtype::bf16) {
    kernels::table_at(0).narrow_bf16({.from = from, .to = to, .count = count});
  } else if (dtype == Dtype::f16) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint16_t half = narrow_f16(from[i]);
      std::memcpy(to + i * 2, &half, sizeof half);
    }
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  }
}

class RandomSource final : public WeightSource {
 public:
  RandomSource(Dtype dtype, std::uint64_t seed) : dtype_(dtype), seed_(seed) {}

  WeightView matrix(const std::string& name, const Shape& shape, Lifetime lifetime) override {
    const std::int64_t count = shape.size() == 3 ? shape.front() : 1;
    // Inputs of a stored gate are its second-last axis, but gates are square.
    const float limit = std::sqrt(3.0F / static_cast<float>(shape.back()));
    const Dtype dtype = dtype_ == Dtype::int4 && shape.size() == 3 ? Dtype::int8 : dtype_;
    WeightView view{nullptr, dtype, shape[shape.size() - 2], shape.back()};
    allocate(view, static_cast<std::size_t>(count) * view.bytes(), lifetime);
    if (is_quantized(dtype)) {
      fill_random_blocks(key_of(seed_, name), view, count, limit, target_);
    } else {
      fill(key_of(seed_, name), count * view.rows * view.cols, dtype, limit);
    }
    return view;
  }

  WeightView vector(const std::string& name, const Shape& shape, TensorKind kind) override {
    WeightView view{nullptr, Dtype::f32, shape.front(), 1};
    for (std::size_t i = 1; i < shape.size(); ++i) view.cols *= shape[i];
    allocate(view, view.bytes(), Lifetime::next_call);
    const std::int64_t count = view.rows * view.cols;
    auto* values = reinterpret_cast<float*>(target_);
    const float limit =
        kind == TensorKind::convolution ? std::sqrt(3.0F / static_cast<float>(shape.back())) : 0.1F;
    fill_uniform(key_of(seed_, name), 0, count, limit, values);
    if (kind == TensorKind::decay) {
      for (std::int64_t i = 0; i < count; ++i) values[i] = parameter_of_decay(values[i] / limit);
    }
    return view;
  }

  std::string where(const std::string& name) const override { return "random " + name; }

  std::shared_ptr<const void> finish(std::span<const WeightView>) override {
    return std::make_shared<const std::vector<Buffer>>(std::move(kept_));
  }

 private:
  /// u in (-1, 1) -> the parameter p for which exp(-8 softplus(p)) is u moved to (0.9, 0.999).
  static float parameter_of_decay(float u) {
    const float decay = 0.9495F + 0.0495F * u;
    return std::log(std::expm1(-std::log(decay) / 8.0F));
  }

  void fill(std::uint64_t key, std::int64_t elements, Dtype dtype, float limit) const {
    constexpr std::int64_t step = 1 << 12;
    parallel_for(available_cores(), elements, step, [&](std::int64_t begin, std::int64_t end) {
      float wide[step];
      for (std::int64_t i = begin; i < end; i += step) {
        const std::int64_t count = std::min(step, end - i);
        fill_uniform(key, i, count, limit, wide);
        narrow(dtype, wide, count, target_ + static_cast<std::size_t>(i) * size_of(dtype));
      }
    });
  }

  void allocate(WeightView& view, std::size_t bytes, Lifetime lifetime) {
    Buffer& buffer = lifetime == Lifetime::model ? kept_.emplace_back() : passing_;
    buffer = Buffer(bytes);
    view.data = buffer.data();
    target_ = buffer.data();
  }

  Dtype dtype_;
  std::uint64_t seed_;
  std::vector<Buffer> kept_;
  Buffer passing_;
  std::byte* target_ = nullptr;  // of the view made last
};

}  // namespace

std::unique_ptr<WeightSource> random_source(Dtype dtype, std::uint64_t seed) {
  return std::make_unique<RandomSource>(dtype, seed);
}

}  // namespace griffin
