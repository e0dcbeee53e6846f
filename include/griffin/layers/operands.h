// SPDX-License-Identifier: Apache-2.0
// The input of matrix products, in the form that their arithmetic takes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "griffin/layers/context.h"

namespace griffin {

/// What a layer multiplies in.
enum class Arithmetic : std::uint8_t {
  of_weights,  // float32 for f32 and f16, bf16 by bf16, int8 by integers
  f32,         // float32 whatever the (unquantised) weights are stored as: the reference
};

constexpr kernels::Product product_of(Dtype dtype, Arithmetic arithmetic) noexcept {
  switch (dtype) {
    case Dtype::f32:
      return kernels::Product::f32;
    case Dtype::bf16:
      return arithmetic == Arithmetic::f32 ? kernels::Product::bf16 : kernels::Product::bf16_bf16;
    case Dtype::f16:
      return kernels::Product::f16;
    case Dtype::int8:
      return kernels::Product::int8;
    default:
      return kernels::Product::int4;
  }
}

/// Rows of activations, once packed for every arithmetic that the layers who share them work in.
/// A layer here is what has product(), operands() and operand_width(): a matrix product of all
/// columns, or one for every block of them.
class Operands {
 public:
  /// Packs x [rows, width] for these layers into scratch that lives as long as the frame.
  template <class... Layers>
  Operands(Context& context, Workspace::Frame& frame, ConstMatrixView x, const Layers&... layers)
      : rows_(x) {
    (pack(context, frame, layers), ...);
  }

  /// The same of rows that are not there yet: make(begin, end) computes them, right before they are
  /// packed.
  template <class Make, class Layer>
  static Operands made(Context& context, Workspace::Frame& frame, ConstMatrixView x,
                       const Make& make, const Layer& layer) {
    Operands operands(x);
    operands.make_and_pack(context, frame, make, layer);
    return operands;
  }

  /// What the constructor takes from the workspace.
  template <class... Layers>
  static std::size_t workspace_bytes(std::int64_t rows, const Layers&... layers) noexcept {
    std::array<std::size_t, kernels::operand_types> bytes{};
    ((bytes[index(layers.product())] = packed_bytes(rows, layers)), ...);
    std::size_t sum = 0;
    for (const std::size_t b : bytes) sum += b;
    return sum;
  }

  ConstMatrixView rows() const noexcept { return rows_; }

  /// What the kernels of a product take.
  const void* data(kernels::Product product) const noexcept {
    const std::byte* packed = packed_[index(product)];
    return packed != nullptr ? static_cast<const void*>(packed) : rows_.data;
  }

 private:
  static constexpr std::size_t index(kernels::Product product) noexcept {
    return static_cast<std::size_t>(kernels::operand_of(product));
  }

  static std::int64_t operand_bytes(std::int64_t rows, const auto& layer) noexcept {
    return kernels::operand_bytes(kernels::operand_of(layer.product()), rows,
                                  layer.operand_width());
  }

  static std::size_t packed_bytes(std::int64_t rows, const auto& layer) noexcept {
    return static_cast<std::size_t>(layer.operands() * operand_bytes(rows, layer));
  }

  explicit Operands(ConstMatrixView x) noexcept : rows_(x) {}

  static Grain row_grain(const Context& context, std::int64_t operations) noexcept {
    return context.grain(operations, kernels::operand_rows);
  }

  void pack(Context& context, Workspace::Frame& frame, const auto& layer) {
    const std::size_t kind = index(layer.product());
    const std::size_t bytes = packed_bytes(rows_.rows, layer);
    if (bytes == 0 || packed_[kind] != nullptr) return;
    std::byte* to = frame.bytes(bytes);
    parallel_for(
        context.threads, rows_.rows, row_grain(context, 4 * rows_.cols),
        [&](std::int64_t begin, std::int64_t end) { pack_rows(context, layer, to, begin, end); });
    packed_[kind] = to;
  }

  void make_and_pack(Context& context, Workspace::Frame& frame, const auto& make,
                     const auto& layer) {
    const std::size_t bytes = packed_bytes(rows_.rows, layer);
    std::byte* to = bytes > 0 ? frame.bytes(bytes) : nullptr;
    parallel_for(context.threads, rows_.rows, row_grain(context, 12 * rows_.cols),
                 [&](std::int64_t first, std::int64_t last) {
                   for (std::int64_t begin = first; begin < last; begin += kernels::operand_rows) {
                     const std::int64_t end = std::min(begin + kernels::operand_rows, last);
                     make(begin, end);
                     if (to != nullptr) pack_rows(context, layer, to, begin, end);
                   }
                 });
    packed_[index(layer.product())] = to;
  }

  void pack_rows(const Context& context, const auto& layer, std::byte* to, std::int64_t begin,
                 std::int64_t end) const noexcept {
    const std::int64_t width = layer.operand_width();
    const std::int64_t step = operand_bytes(rows_.rows, layer);
    for (std::int64_t n = 0; n < layer.operands(); ++n) {
      context.kernels->pack[index(layer.product())](
          {rows_.data + n * width, rows_.stride, to + n * step, rows_.rows, width, begin, end});
    }
  }

  ConstMatrixView rows_;
  std::array<const std::byte*, kernels::operand_types> packed_{};
};

}  // namespace griffin
