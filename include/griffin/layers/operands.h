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

  /// Room for the rows that `layer` is going to take, which are packed columns by columns as they
  /// are computed. x [rows, width] are the rows themselves, for a layer that takes no operands.
  template <class Layer>
  static Operands room(Workspace::Frame& frame, ConstMatrixView x, const Layer& layer) {
    Operands operands(x);
    const std::size_t bytes = packed_bytes(x.rows, layer);
    if (bytes > 0) operands.packed_[index(layer.product())] = frame.bytes(bytes);
    return operands;
  }

  /// Packs columns [begin, end), which begin at a multiple of operand_columns, of the rows that
  /// there is room for. x [rows, end - begin]. By any worker.
  template <class Layer>
  void pack_columns(const Context& context, const Layer& layer, ConstMatrixView x,
                    std::int64_t begin, std::int64_t end) const noexcept {
    const std::size_t kind = index(layer.product());
    if (packed_[kind] == nullptr) return;
    context.kernels->pack[kind](
        {x.data, x.stride, packed_[kind], x.rows, layer.in(), 0, x.rows, begin, end});
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

  /// Whether a layer takes its rows packed, not as they are.
  bool is_packed(const auto& layer) const noexcept {
    return packed_[index(layer.product())] != nullptr;
  }

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

  void pack(Context& context, Workspace::Frame& frame, const auto& layer) {
    const std::size_t kind = index(layer.product());
    const std::size_t bytes = packed_bytes(rows_.rows, layer);
    if (bytes == 0 || packed_[kind] != nullptr) return;
    std::byte* to = frame.bytes(bytes);
    const std::int64_t width = layer.operand_width();
    const std::int64_t step = operand_bytes(rows_.rows, layer);
    parallel_for(context.threads, rows_.rows, context.grain(4 * rows_.cols, kernels::operand_rows),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = 0; n < layer.operands(); ++n) {
                     context.kernels->pack[kind]({rows_.data + n * width, rows_.stride,
                                                  to + n * step, rows_.rows, width, begin, end});
                   }
                 });
    packed_[kind] = to;
  }

  ConstMatrixView rows_;
  std::array<std::byte*, kernels::operand_types> packed_{};
};

}  // namespace griffin
