// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "griffin/core/error.h"
#include "griffin/layers/context.h"
#include "griffin/state/batch.h"

namespace GRIFFIN_API griffin {

/// Rotary position embedding of the first 2 pairs elements of a head; the rest carries no position
/// (recurrentgemma `apply_rope`).
struct Rope {
  const float* frequency = nullptr;  // [pairs], theta^(-2 j / rotary_dim)
  std::int64_t pairs = 0;
};

/// Causal grouped-query attention over the token itself and up to `window` tokens before it:
/// window + 1 keys, as in recurrentgemma's attention mask. With window = global_window it is the
/// attention of the Transformer baseline. Heads [m heads / kv_heads, (m + 1) heads / kv_heads) have
/// key/value head m: one for all heads is multi-query attention (the authors' models), one a head
/// is multi-head attention.
///
/// The ring holds past tokens only; the rows of the pass itself are read where they were computed
/// and enter the ring afterwards. So a chunk of any length needs no room in the state.
struct LocalAttention {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 1;  // of keys and values; divides heads
  std::int64_t head_dim = 0;
  std::int64_t window = global_window;
  Rope rope;
  std::int64_t slot = 0;

  /// Elements of a row of keys, and of values.
  std::int64_t kv_width() const noexcept { return kv_heads * head_dim; }

  /// Keys and values of as many past tokens as a row can see. Throws Error(invalid_argument) for
  /// global attention without a capacity, and where that needs absurdly much memory.
  StateShape state(const SequenceOptions& options) const {
    const std::int64_t rows = std::min(window, options.positions());
    check_rows(rows);
    return {.rings = 2, .ring_rows = rows, .row_width = kv_width(), .row_type = options.kv};
  }

  Needs needs(const kernels::Table& table, std::int64_t rows) const {
    Workspace::CountingFrame frame;
    const Scratch scratch(frame, *this, rows);
    return {frame.used(), static_cast<std::size_t>(table.attention_scratch(head_dim))};
  }

  /// q [rows, heads head_dim] and k [rows, kv_heads head_dim] are rotated in place, v [rows,
  /// kv_heads head_dim] is read -> y [rows, heads head_dim]; k and v dense. Appends k and v to the
  /// ring of every slice's sequence.
  void operator()(Context& context, const Batch& batch, MatrixView q, MatrixView k,
                  ConstMatrixView v, MatrixView y) const {
    batch.check(*this);
    Workspace::Frame frame(context.workspace);
    const Scratch scratch(frame, *this, batch.rows);
    const KeyOrValueRows keys{k, scratch.keys};
    const KeyOrValueRows values{v, scratch.values};
    rotate_and_narrow(context, batch, q, k, scratch.cos_sin, keys, values);
    attend(context, batch, q, keys, values, y);
    for (const Slice& slice : batch.slices) {
      const Dtype dtype = slice.state(slot).row_type;
      slice.append(slot, 0, keys.as(dtype, slice.first_row));
      slice.append(slot, 1, values.as(dtype, slice.first_row));
    }
  }

  /// Nothing is held: rings are appended to as far as rows count.
  void commit(const LayerState&, std::int64_t, ConstMatrixView) const noexcept {}

 private:
  /// Keys or values of the rows of this pass in every type a ring may have: a row reads the same
  /// numbers here as after they went through the ring.
  struct KeyOrValueRows {
    ConstMatrixView f32;  // [rows, kv_heads head_dim]
    std::byte* bf16;      // [rows, kv_heads head_dim]; filled for slices with a bf16 ring

    std::byte* bf16_row(std::int64_t row) const noexcept { return bf16 + row * f32.cols * 2; }
    const std::byte* as(Dtype dtype, std::int64_t row) const noexcept {
      return dtype == Dtype::f32 ? reinterpret_cast<const std::byte*>(f32.row(row)) : bf16_row(row);
    }
  };

  struct Scratch {
    Scratch(auto& frame, const LocalAttention& layer, std::int64_t rows)
        : cos_sin(frame.matrix(rows, 2 * layer.rope.pairs)),
          keys(frame.bytes(bf16_bytes(layer, rows))),
          values(frame.bytes(bf16_bytes(layer, rows))) {}

    static std::size_t bf16_bytes(const LocalAttention& layer, std::int64_t rows) noexcept {
      return static_cast<std::size_t>(rows * layer.kv_width()) * size_of(Dtype::bf16);
    }

    MatrixView cos_sin;
    std::byte* keys;  // rounded, where a ring has bf16 rows
    std::byte* values;
  };

  void check_rows(std::int64_t rows) const {
    if (rows == unlimited_capacity) {
      throw Error(
          ErrorCode::invalid_argument,
          "sequence: this model's attention is global: say how many positions (capacity) to "
          "make room for");
    }
    constexpr std::int64_t most_elements = std::int64_t{1} << 40;
    if (rows > most_elements / std::max<std::int64_t>(1, kv_width())) {
      throw Error(ErrorCode::invalid_argument, "sequence: keys and values of " +
                                                   std::to_string(rows) +
                                                   " positions need too much memory; give a "
                                                   "smaller capacity");
    }
  }

  void rotate_and_narrow(const Context& context, const Batch& batch, MatrixView q, MatrixView k,
                         MatrixView cos_sin, const KeyOrValueRows& keys,
                         const KeyOrValueRows& values) const noexcept {
    parallel_for(
        context.threads, batch.rows, context.grain((heads + 16 * kv_heads) * head_dim),
        [&](std::int64_t begin, std::int64_t end) {
          for (const Slice& slice : batch.slices) {
            const std::int64_t row = std::max(begin, slice.first_row);
            const std::int64_t rows = std::min(end, slice.first_row + slice.count) - row;
            if (rows <= 0) continue;
            rotate(context, q, k, cos_sin, row, rows, slice.position + row - slice.first_row);
            if (slice.state(slot).row_type == Dtype::bf16) {
              const std::int64_t count = rows * kv_width();
              context.kernels->narrow_bf16(
                  {.from = keys.f32.row(row), .to = keys.bf16_row(row), .count = count});
              context.kernels->narrow_bf16(
                  {.from = values.f32.row(row), .to = values.bf16_row(row), .count = count});
            }
          }
        });
  }

  void rotate(const Context& context, MatrixView q, MatrixView k, MatrixView cos_sin,
              std::int64_t row, std::int64_t rows, std::int64_t position) const noexcept {
    const kernels::Table& kernel = *context.kernels;
    float* angles = cos_sin.row(row);
    kernel.rope_angles({.position = position,
                        .frequency = rope.frequency,
                        .cos_sin = angles,
                        .rows = rows,
                        .pairs = rope.pairs});
    kernel.rope({.x = q.row(row),
                 .x_stride = q.stride,
                 .cos_sin = angles,
                 .rows = rows,
                 .heads = heads,
                 .head_dim = head_dim,
                 .pairs = rope.pairs});
    kernel.rope({.x = k.row(row),
                 .x_stride = k.stride,
                 .cos_sin = angles,
                 .rows = rows,
                 .heads = kv_heads,
                 .head_dim = head_dim,
                 .pairs = rope.pairs});
  }

  /// One unit of work is one row of one head, counted head by head within a slice, so that every
  /// thread gets its share of early (short) and of late (long) rows, and the heads of a group fall
  /// to as few threads as may be.
  void attend(Context& context, const Batch& batch, ConstMatrixView q, const KeyOrValueRows& keys,
              const KeyOrValueRows& values, MatrixView y) const noexcept {
    std::int64_t furthest = 0;
    for (const Slice& s : batch.slices) furthest = std::max(furthest, s.position + s.count);
    const std::int64_t visible = std::min(furthest, window);
    parallel_for(context.threads, heads * batch.rows, context.grain(2 * head_dim * visible),
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   for (const Slice& slice : batch.slices) {
                     const std::int64_t first_unit = heads * slice.first_row;
                     const std::int64_t units = heads * slice.count;
                     attend_units(context, worker, slice, q, keys, values, y,
                                  std::clamp(begin - first_unit, std::int64_t{0}, units),
                                  std::clamp(end - first_unit, std::int64_t{0}, units));
                   }
                 });
  }

  /// Units [begin, end) of a slice: the end of one head's rows, whole heads, the start of
  /// another's.
  void attend_units(Context& context, int worker, const Slice& slice, ConstMatrixView q,
                    const KeyOrValueRows& keys, const KeyOrValueRows& values, MatrixView y,
                    std::int64_t begin, std::int64_t end) const noexcept {
    const LayerState ring = slice.state(slot);
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
    while (begin < end) {
      const std::int64_t head = begin / slice.count;
      const std::int64_t row = begin % slice.count;
      const std::int64_t whole_heads = row == 0 ? (end - begin) / slice.count : 0;
      const std::int64_t head_count = std::max<std::int64_t>(whole_heads, 1);
      const std::int64_t row_count =
          whole_heads > 0 ? slice.count : std::min(slice.count - row, end - begin);
      context.kernels->attention[kernels::index_of(ring.row_type)](
          {.q = q.row(slice.first_row),
           .q_stride = q.stride,
           .chunk_keys = keys.as(ring.row_type, slice.first_row),
           .chunk_values = values.as(ring.row_type, slice.first_row),
           .ring_keys = ring.ring(0),
           .ring_values = ring.ring(1),
           .kv_stride = kv_width(),
           .ring_rows = ring.ring_rows,
           .position = slice.position,
           .window = window,
           .scale = scale,
           .y = y.row(slice.first_row),
           .y_stride = y.stride,
           .head_dim = head_dim,
           .group = heads / kv_heads,
           .row_begin = row,
           .row_end = row + row_count,
           .head_begin = head,
           .head_end = head + head_count,
           .scratch = context.scratch(worker)});
      begin += head_count * row_count;
    }
  }
};

}  // namespace griffin
