// SPDX-License-Identifier: Apache-2.0
// Rows of activations in the forms that products take.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "griffin/layers/context.h"
#include "griffin/layers/linear.h"

namespace GRIFFIN_API griffin {

/// How many operands a product takes, side by side, and how wide each is.
inline std::int64_t operands_of(const Linear&) noexcept {
  return 1;
}
inline std::int64_t operands_of(const BlockDiagonalLinear& layer) noexcept {
  return layer.blocks;
}
inline std::int64_t operand_width(const Linear& layer) noexcept {
  return layer.in();
}
inline std::int64_t operand_width(const BlockDiagonalLinear& layer) noexcept {
  return layer.block_width();
}

/// Columns [begin, end) of a matrix, under the numbers that they have in it.
struct Strip {
  MatrixView matrix;  // only those columns are there
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t rows() const noexcept { return matrix.rows; }
  std::int64_t width() const noexcept { return end - begin; }
  /// The columns alone: [rows, width].
  MatrixView view() const noexcept {
    return {matrix.data + begin, matrix.rows, width(), matrix.stride};
  }
};

/// Rows of activations as products take them: as they are, or packed once for every form that the
/// layers who share them multiply in.
class Packed {
 public:
  /// x [rows, in] for these layers, in scratch that lives as long as the frame.
  template <class First, class... Layers>
  Packed(Context& context, Workspace::Frame& frame, ConstMatrixView x, const First& first,
         const Layers&... layers)
      : rows_(x) {
    static_assert((std::is_same_v<First, Layers> && ...), "they lie differently in the operand");
    assert(first.in() == x.cols && ((layers.in() == x.cols) && ...));
    take_room(frame, *context.kernels, x.rows, first, layers...);
    pack_once(context, first);
    (pack_once(context, layers), ...);
  }

  /// Room for the rows that `layer` is going to take, which come strip by strip.
  template <class Layer>
  Packed(Context& context, Workspace::Frame& frame, std::int64_t rows, const Layer& layer)
      : Packed(frame, *context.kernels, rows, layer) {}

  /// The memory of the two.
  template <class... Layers>
  static std::size_t bytes(const kernels::Table& table, std::int64_t rows,
                           const Layers&... layers) {
    Workspace::CountingFrame frame;
    Packed().take_room(frame, table, rows, layers...);
    return frame.used();
  }
  template <class Layer>
  static std::size_t bytes_in_strips(const kernels::Table& table, std::int64_t rows,
                                     const Layer& layer) {
    Workspace::CountingFrame frame;
    Packed(frame, table, rows, layer);
    return frame.used();
  }

  /// Takes a strip of the rows that there is room for. By any worker; strips begin at multiples of
  /// Tiling::pack_columns.
  void take(const Context& context, const Strip& strip) const noexcept {
    const MatrixView x = strip.view();
    const unsigned kind = kernels::index_of(strips_in_);
    if (strips_in_ != Operand::f32) {
      context.kernels->pack[kind]({.x = x.data,
                                   .x_stride = x.stride,
                                   .operand = packed_[kind],
                                   .rows = x.rows,
                                   .in = rows_.cols,
                                   .row_begin = 0,
                                   .row_end = x.rows,
                                   .in_begin = strip.begin,
                                   .in_end = strip.end});
      return;
    }
    auto* to = reinterpret_cast<float*>(packed_[kind]);
    for (std::int64_t r = 0; r < x.rows; ++r) {
      std::memcpy(to + r * rows_.stride + strip.begin, x.row(r),
                  static_cast<std::size_t>(x.cols) * sizeof(float));
    }
  }

  std::int64_t rows() const noexcept { return rows_.rows; }
  std::int64_t stride() const noexcept { return rows_.stride; }
  /// What the kernels of a product with that operand take.
  const void* data(Operand operand) const noexcept {
    const std::byte* packed = packed_[kernels::index_of(operand)];
    return packed != nullptr ? static_cast<const void*>(packed) : rows_.data;
  }

 private:
  Packed() = default;

  template <class Frame, class Layer>
  Packed(Frame& frame, const kernels::Table& table, std::int64_t rows, const Layer& layer)
      : rows_(nullptr, rows, layer.in()), strips_in_(layer.operand) {
    if (strips_in_ == Operand::f32) {
      packed_[kernels::index_of(Operand::f32)] =
          frame.bytes(Workspace::matrix_bytes(rows, layer.in()));
    } else {
      take_room(frame, table, rows, layer);
    }
  }

  static std::int64_t step(const kernels::Table& table, std::int64_t rows, const auto& layer) {
    return table.operand_bytes(layer.operand, rows, operand_width(layer));
  }

  template <class Frame, class... Layers>
  void take_room(Frame& frame, const kernels::Table& table, std::int64_t rows,
                 const Layers&... layers) {
    std::array<bool, kernels::operands> taken{};
    const auto take = [&](const auto& layer) {
      const unsigned kind = kernels::index_of(layer.operand);
      if (layer.operand == Operand::f32 || std::exchange(taken[kind], true)) return;
      packed_[kind] =
          frame.bytes(static_cast<std::size_t>(operands_of(layer) * step(table, rows, layer)));
    };
    (take(layers), ...);
  }

  void pack_once(Context& context, const auto& layer) {
    const unsigned kind = kernels::index_of(layer.operand);
    if (layer.operand == Operand::f32 || std::exchange(is_packed_[kind], true)) return;
    const std::int64_t width = operand_width(layer);
    const std::int64_t bytes = step(*context.kernels, rows_.rows, layer);
    const Grain grain = context.grain(4 * rows_.cols, context.kernels->tiling.pack_rows);
    parallel_for(context.threads, rows_.rows, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = 0; n < operands_of(layer); ++n) {
        context.kernels->pack[kind]({.x = rows_.data + n * width,
                                     .x_stride = rows_.stride,
                                     .operand = packed_[kind] + n * bytes,
                                     .rows = rows_.rows,
                                     .in = width,
                                     .row_begin = begin,
                                     .row_end = end,
                                     .in_begin = 0,
                                     .in_end = width});
      }
    });
  }

  ConstMatrixView rows_;
  Operand strips_in_ = Operand::f32;
  std::array<std::byte*, kernels::operands> packed_{};
  std::array<bool, kernels::operands> is_packed_{};
};

}  // namespace griffin
