// SPDX-License-Identifier: Apache-2.0
// The input of matrix products, in the form that their arithmetic takes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "griffin/layers/context.h"

namespace griffin {

/// Rows of activations, once packed for every arithmetic that the layers who share them work in.
/// A layer here is what has operand, operands() and operand_width(): a matrix product of all
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
  static Operands room(const Context& context, Workspace::Frame& frame, ConstMatrixView x,
                       const Layer& layer) {
    Operands operands(x);
    const std::size_t bytes = packed_bytes(*context.kernels, x.rows, layer);
    if (bytes > 0) operands.packed_[kernels::index_of(layer.operand)] = frame.bytes(bytes);
    return operands;
  }

  /// Packs columns [begin, end), which begin at a multiple of Tiling::pack_columns, of the rows
  /// that there is room for. x [rows, end - begin]. By any worker.
  template <class Layer>
  void pack_columns(const Context& context, const Layer& layer, ConstMatrixView x,
                    std::int64_t begin, std::int64_t end) const noexcept {
    const std::size_t kind = kernels::index_of(layer.operand);
    if (packed_[kind] == nullptr) return;
    context.kernels->pack[kind]({.x = x.data,
                                 .x_stride = x.stride,
                                 .operand = packed_[kind],
                                 .rows = x.rows,
                                 .in = layer.in(),
                                 .row_begin = 0,
                                 .row_end = x.rows,
                                 .in_begin = begin,
                                 .in_end = end});
  }

  /// What the constructor takes from the workspace.
  template <class... Layers>
  static std::size_t workspace_bytes(const kernels::Table& table, std::int64_t rows,
                                     const Layers&... layers) noexcept {
    std::array<std::size_t, kernels::operands> bytes{};
    ((bytes[kernels::index_of(layers.operand)] = packed_bytes(table, rows, layers)), ...);
    std::size_t sum = 0;
    for (const std::size_t b : bytes) sum += b;
    return sum;
  }

  ConstMatrixView rows() const noexcept { return rows_; }

  /// Whether a layer takes its rows packed, not as they are.
  bool is_packed(const auto& layer) const noexcept {
    return packed_[kernels::index_of(layer.operand)] != nullptr;
  }

  /// What the kernels of a product with that operand take.
  const void* data(Operand operand) const noexcept {
    const std::byte* packed = packed_[kernels::index_of(operand)];
    return packed != nullptr ? static_cast<const void*>(packed) : rows_.data;
  }

 private:
  static std::int64_t operand_bytes(const kernels::Table& table, std::int64_t rows,
                                    const auto& layer) noexcept {
    return table.operand_bytes(layer.operand, rows, layer.operand_width());
  }

  static std::size_t packed_bytes(const kernels::Table& table, std::int64_t rows,
                                  const auto& layer) noexcept {
    return static_cast<std::size_t>(layer.operands() * operand_bytes(table, rows, layer));
  }

  explicit Operands(ConstMatrixView x) noexcept : rows_(x) {}

  void pack(Context& context, Workspace::Frame& frame, const auto& layer) {
    const std::size_t kind = kernels::index_of(layer.operand);
    const std::size_t bytes = packed_bytes(*context.kernels, rows_.rows, layer);
    if (bytes == 0 || packed_[kind] != nullptr) return;
    std::byte* to = frame.bytes(bytes);
    const std::int64_t width = layer.operand_width();
    const std::int64_t step = operand_bytes(*context.kernels, rows_.rows, layer);
    parallel_for(context.threads, rows_.rows,
                 context.grain(4 * rows_.cols, context.kernels->tiling.pack_rows),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t n = 0; n < layer.operands(); ++n) {
                     context.kernels->pack[kind]({.x = rows_.data + n * width,
                                                  .x_stride = rows_.stride,
                                                  .operand = to + n * step,
                                                  .rows = rows_.rows,
                                                  .in = width,
                                                  .row_begin = begin,
                                                  .row_end = end});
                   }
                 });
    packed_[kind] = to;
  }

  ConstMatrixView rows_;
  std::array<std::byte*, kernels::operands> packed_{};
};

}  // namespace griffin
