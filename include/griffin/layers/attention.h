// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "griffin/layers/context.h"

namespace griffin {

/// Rotary position embedding of the first 2 pairs elements of a head; the rest carries no position
/// (recurrentgemma `apply_rope`).
struct Rope {
  const float* frequency = nullptr;  // [pairs], theta^(-j / pairs)
  std::int64_t pairs = 0;
};

/// Causal multi-query attention, one key/value head for all heads, over the token itself and up to
/// `window` tokens before it: window + 1 keys, as in recurrentgemma's attention mask. With window =
/// global_window it is the attention of the Transformer baseline.
///
/// The ring holds past tokens only; the rows of the pass itself are read where they were computed
/// and enter the ring afterwards. So a chunk of any length needs no room in the state.
struct LocalAttention {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t window = global_window;
  Rope rope;
  std::int64_t slot = 0;

  std::size_t workspace_bytes(const kernels::Table&, std::int64_t rows) const noexcept {
    return Workspace::matrix_bytes(rows, 2 * rope.pairs) +
           2 * round_up_to_cache_line(row_bytes(Dtype::bf16) * static_cast<std::size_t>(rows));
  }

  /// q [rows, heads head_dim] and k [rows, head_dim] are rotated in place, v [rows, head_dim] is
  /// read -> y [rows, heads head_dim]; k and v dense. Appends k and v to the ring of every slice's
  /// sequence.
  void operator()(Context& context, const Batch& batch, MatrixView q, MatrixView k,
                  ConstMatrixView v, MatrixView y) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView cos_sin = frame.matrix(batch.rows, 2 * rope.pairs);
    const auto bf16_bytes = row_bytes(Dtype::bf16) * static_cast<std::size_t>(batch.rows);
    const KeyOrValueRows keys{k, frame.bytes(bf16_bytes)};
    const KeyOrValueRows values{v, frame.bytes(bf16_bytes)};
    rotate_and_narrow(context, batch, q, k, cos_sin, keys, values);
    attend(context, batch, q, keys, values, y);
    for (const Slice& slice : batch.slices) {
      const KeyValueRing ring = slice.sequence->ring(slot);
      const std::byte* new_keys = keys.as(ring.dtype, slice.first_row);
      const std::byte* new_values = values.as(ring.dtype, slice.first_row);
      if (slice.journal) {
        slice.journal->keep_keys(slot, new_keys, new_values, slice.count);
      } else {
        append(slice, ring, new_keys, ring.keys);
        append(slice, ring, new_values, ring.values);
      }
    }
  }

 private:
  /// Keys or values of the rows of this pass in every type a ring may have: a row reads the same
  /// numbers here as after they went through the ring.
  struct KeyOrValueRows {
    ConstMatrixView f32;  // [rows, head_dim]
    std::byte* bf16;      // [rows, head_dim]; filled for slices with a bf16 ring

    std::byte* bf16_row(std::int64_t row) const noexcept { return bf16 + row * f32.cols * 2; }
    const std::byte* as(Dtype dtype, std::int64_t row) const noexcept {
      return dtype == Dtype::f32 ? reinterpret_cast<const std::byte*>(f32.row(row)) : bf16_row(row);
    }
  };

  std::size_t row_bytes(Dtype dtype) const noexcept {
    return static_cast<std::size_t>(head_dim) * size_of(dtype);
  }

  void rotate_and_narrow(const Context& context, const Batch& batch, MatrixView q, MatrixView k,
                         MatrixView cos_sin, const KeyOrValueRows& keys,
                         const KeyOrValueRows& values) const noexcept {
    parallel_for(
        context.threads, batch.rows, context.grain((heads + 16) * head_dim),
        [&](std::int64_t begin, std::int64_t end) {
          for (const Slice& slice : batch.slices) {
            const std::int64_t row = std::max(begin, slice.first_row);
            const std::int64_t rows = std::min(end, slice.first_row + slice.count) - row;
            if (rows <= 0) continue;
            rotate(context, q, k, cos_sin, row, rows, slice.position + row - slice.first_row);
            if (slice.sequence->ring(slot).dtype == Dtype::bf16) {
              const std::int64_t count = rows * head_dim;
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
                 .heads = 1,
                 .head_dim = head_dim,
                 .pairs = rope.pairs});
  }

  /// One unit of work is one row of one head, counted head by head within a slice, so that every
  /// thread gets its share of early (short) and of late (long) rows.
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
    const KeyValueRing ring = slice.sequence->ring(slot);
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
    while (begin < end) {
      const std::int64_t head = begin / slice.count;
      const std::int64_t row = begin % slice.count;
      const std::int64_t whole_heads = row == 0 ? (end - begin) / slice.count : 0;
      const std::int64_t head_count = std::max<std::int64_t>(whole_heads, 1);
      const std::int64_t row_count =
          whole_heads > 0 ? slice.count : std::min(slice.count - row, end - begin);
      context.kernels->attention[kernels::index_of(ring.dtype)](
          {.q = q.row(slice.first_row),
           .q_stride = q.stride,
           .chunk_keys = keys.as(ring.dtype, slice.first_row),
           .chunk_values = values.as(ring.dtype, slice.first_row),
           .ring_keys = ring.keys,
           .ring_values = ring.values,
           .ring_rows = ring.rows,
           .position = slice.position,
           .window = window,
           .scale = scale,
           .y = y.row(slice.first_row),
           .y_stride = y.stride,
           .head_dim = head_dim,
           .row_begin = row,
           .row_end = row + row_count,
           .head_begin = head,
           .head_end = head + head_count,
           .scratch = context.scratch(worker)});
      begin += head_count * row_count;
    }
  }

  /// The newest rows of the slice, as many as the ring holds, take the place of the oldest in it.
  void append(const Slice& slice, const KeyValueRing& ring, const std::byte* from,
              std::byte* to) const noexcept {
    const std::size_t bytes = row_bytes(ring.dtype);
    for (std::int64_t r = std::max<std::int64_t>(0, slice.count - ring.rows); r < slice.count;
         ++r) {
      const auto ring_row = static_cast<std::size_t>((slice.position + r) % ring.rows);
      std::memcpy(to + ring_row * bytes, from + static_cast<std::size_t>(r) * bytes, bytes);
    }
  }
};

}  // namespace griffin
