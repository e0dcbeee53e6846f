// SPDX-License-Identifier: Apache-2.0
// The one way to multiply: rows of activations with the weights of one or several layers.
//
//   multiply(context, z, into(q, q_proj), into(k, k_proj));             q = W_q z + b_q, ...
//   add_product(context, y, o_proj, residual);                          residual += W_o y + b_o
//   multiply_in_strips(context, z, use, in_strips(gate), in_strips(up));  use(strip of each), ...
//
// Packing, strips, grains and scratch are looked after here, with the sizes that the instruction
// set asks for (kernels::Tiling). Nothing of that changes a bit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "griffin/layers/context.h"
#include "griffin/layers/linear.h"
#include "griffin/layers/packed.h"

namespace GRIFFIN_API griffin {

/// Columns [begin, end) of y = W x + b, or of y + W x + b, by one worker. x was packed for this
/// layer.
inline void product_columns(Context& context, const Packed& x, const Linear& layer, MatrixView y,
                            std::int64_t begin, std::int64_t end, int worker,
                            kernels::Write write = kernels::Write::set) noexcept {
  const auto matmul =
      context.kernels
          ->matmul[kernels::index_of(layer.weight.dtype)][kernels::index_of(layer.operand)];
  matmul({.x = x.data(layer.operand),
          .x_stride = x.stride(),
          .w = layer.weight.data,
          .bias = layer.bias,
          .y = y.data,
          .y_stride = y.stride,
          .rows = x.rows(),
          .in = layer.in(),
          .out_begin = begin,
          .out_end = end,
          .write = write,
          .scratch = context.scratch(worker)});
}

inline void product_columns(Context& context, const Packed& x, const BlockDiagonalLinear& layer,
                            MatrixView y, std::int64_t begin, std::int64_t end,
                            int worker) noexcept {
  const auto product =
      context.kernels
          ->block_diagonal[kernels::index_of(layer.weight.dtype)][kernels::index_of(layer.operand)];
  product({.x = x.data(layer.operand),
           .x_stride = x.stride(),
           .w = layer.weight.data,
           .bias = layer.bias,
           .y = y.data,
           .y_stride = y.stride,
           .rows = x.rows(),
           .block_width = layer.block_width(),
           .begin = begin,
           .end = end,
           .scratch = context.scratch(worker)});
}

/// A product, and where it is to go: y [rows, out].
template <class Layer>
struct Into {
  MatrixView y;
  const Layer& layer;
};
template <class Layer>
Into<Layer> into(MatrixView y, const Layer& layer) noexcept {
  return {y, layer};
}

/// A product of which no more than a strip is kept.
template <class Layer>
struct InStrips {
  const Layer& layer;
};
template <class Layer>
InStrips<Layer> in_strips(const Layer& layer) noexcept {
  return {layer};
}

/// What multiply() of so many rows with these layers takes.
template <class... Layers>
Needs needs_of_products(const kernels::Table& table, std::int64_t rows, const Layers&... layers) {
  return {.workspace = Packed::bytes(table, rows, layers...),
          .scratch = static_cast<std::size_t>(
              std::max({table.product_scratch(operand_width(layers))...}))};
}

/// y = W x + b for products of the same x [rows, in]. Their columns, one product after the other,
/// are shared out among the threads; no panel of quantised weights is shared by two of them.
template <class... Layers>
void multiply(Context& context, ConstMatrixView x, const Into<Layers>&... products) {
  Workspace::Frame frame(context.workspace);
  const Packed packed(context, frame, x, products.layer...);
  const std::int64_t multiple = context.kernels->tiling.column_multiple;
  const auto place = [&](const auto& layer) {
    return (layer.out() + multiple - 1) / multiple * multiple;
  };
  const auto share = [&](std::int64_t begin, std::int64_t end, int worker) {
    std::int64_t first = 0;
    const auto part = [&](const auto& product) {
      const std::int64_t out = product.layer.out();
      const std::int64_t from = std::clamp(begin - first, std::int64_t{0}, out);
      const std::int64_t to = std::clamp(end - first, std::int64_t{0}, out);
      if (from < to) product_columns(context, packed, product.layer, product.y, from, to, worker);
      first += place(product.layer);
    };
    (part(products), ...);
  };
  parallel_for(context.threads, (place(products.layer) + ...),
               context.grain(x.cols * x.rows, multiple), share);
}

/// y += W x + b.
inline void add_product(Context& context, const Packed& x, const Linear& layer, MatrixView y) {
  const Grain grain = context.grain(layer.in() * x.rows(), context.kernels->tiling.column_multiple);
  parallel_for(context.threads, layer.out(), grain,
               [&](std::int64_t begin, std::int64_t end, int worker) {
                 product_columns(context, x, layer, y, begin, end, worker, kernels::Write::add);
               });
}
inline void add_product(Context& context, ConstMatrixView x, const Linear& layer, MatrixView y) {
  Workspace::Frame frame(context.workspace);
  add_product(context, Packed(context, frame, x, layer), layer, y);
}

/// How many columns to compute before they are used: of many rows so many that they are in a cache
/// still; of few rows all, for the longest streams of weights.
inline std::int64_t strip_width(const kernels::Tiling& tiling, std::int64_t rows,
                                const Linear& layer) noexcept {
  return rows > tiling.few_rows ? tiling.strip_columns : layer.out();
}
/// The weights of a gate's block are few: its outputs are to be in the nearest cache.
inline std::int64_t strip_width(const kernels::Tiling& tiling, std::int64_t,
                                const BlockDiagonalLinear&) noexcept {
  return tiling.scan_columns;
}

/// Where the strips of a product are made. Of a product that is kept, in their places; of another,
/// a thread's strips lie one upon the other, so that they stay in the cache and never go to memory.
template <class Layer>
class StripRoom {
 public:
  StripRoom(Workspace::Frame&, std::int64_t, const Into<Layer>& product) : whole_(product.y) {}
  StripRoom(Workspace::Frame& frame, std::int64_t rows, const InStrips<Layer>& product)
      : room_(frame.matrix(rows + 1, product.layer.out())) {}

  static std::size_t bytes(std::int64_t rows, const Layer& layer) noexcept {
    return Workspace::matrix_bytes(rows + 1, layer.out());
  }

  /// Columns [begin, end) of those from `first` on that are a thread's share. The room has a row
  /// more than needed: where the columns before `begin` would be.
  Strip strip(std::int64_t first, std::int64_t begin, std::int64_t end) const noexcept {
    if (room_.data == nullptr) return {whole_, begin, end};
    const std::int64_t rows = room_.rows - 1;
    return {{room_.row(1) + rows * first - begin, rows, end, end - begin}, begin, end};
  }

 private:
  MatrixView whole_;
  MatrixView room_;
};

/// What multiply_in_strips() takes for products that are not kept.
template <class... Layers>
Needs needs_of_strips(const kernels::Table& table, std::int64_t rows, const Layers&... layers) {
  return (StripRoom<Layers>::bytes(rows, layers) + ...) + needs_of_products(table, rows, layers...);
}

/// y = W x + b for products of the same x [rows, in] and the same width, strip by strip:
/// use(strip, ...) is called with one of each when they are there, by the thread that computed
/// them. Strips of products that are not kept begin at multiples of Tiling::pack_columns.
template <class Use, template <class> class How, class... Layers>
void multiply_in_strips(Context& context, ConstMatrixView x, const Use& use,
                        const How<Layers>&... products) {
  const auto& first_layer = std::get<0>(std::tie(products...)).layer;
  const kernels::Tiling& tiling = context.kernels->tiling;
  constexpr bool kept = (std::is_same_v<How<Layers>, Into<Layers>> && ...);
  Workspace::Frame frame(context.workspace);
  const std::tuple rooms(StripRoom<Layers>(frame, x.rows, products)...);
  const Packed packed(context, frame, x, products.layer...);
  const std::int64_t width = strip_width(tiling, x.rows, first_layer);
  const auto share = [&](std::int64_t first, std::int64_t last, int worker) {
    for (std::int64_t begin = first; begin < last; begin += width) {
      const std::int64_t end = std::min(begin + width, last);
      std::apply(
          [&](const auto&... room) {
            (product_columns(context, packed, products.layer, room.strip(first, begin, end).matrix,
                             begin, end, worker),
             ...);
            use(room.strip(first, begin, end)...);
          },
          rooms);
    }
  };
  const std::int64_t operations = (operand_width(products.layer) + ...) * x.rows;
  parallel_for(context.threads, first_layer.out(),
               context.grain(operations, kept ? tiling.column_multiple : tiling.pack_columns),
               share);
}

}  // namespace griffin
