// SPDX-License-Identifier: Apache-2.0
// A sequence as attention sees it: all keys ever, of which a call gets some in the ring and some as
// its chunk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "griffin/core/buffer.h"
#include "kernels/guarded_matrix.h"
#include "kernels/stored_array.h"
#include "support/kernel_reference.h"
#include "support/random_data.h"
#include "support/unlisted_tables.h"

namespace griffin::test {

inline constexpr std::int64_t global = INT64_MAX;

struct AttentionShape {
  Dtype storage;
  std::int64_t length;  // positions 0 .. length - 1
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t window;
  std::int64_t ring_rows;
  std::int64_t kv_heads = 1;
  std::int64_t kv_gap = 0;  // elements between rows of keys, and of values: NaN

  std::int64_t kv_width() const { return kv_heads * head_dim; }
  std::int64_t kv_stride() const { return kv_width() + kv_gap; }
};

/// Rows and heads of one call, within a chunk.
struct Part {
  std::int64_t row_begin, row_end, head_begin, head_end;
};

struct AttentionCase {
  AttentionShape shape;
  GuardedMatrix q;           // [length, heads head_dim]
  StoredArray keys, values;  // [length, kv_heads head_dim]
  float scale;

  /// Positions [position, position + y.rows()) as one chunk, of which `part` is computed. What no
  /// row of the chunk may see is NaN.
  void run(const kernels::Table& table, std::int64_t position, const Part& part,
           GuardedMatrix& y) const {
    const StoredArray ring_keys = ring(keys, position);
    const StoredArray ring_values = ring(values, position);
    const StoredArray chunk_keys = chunk_rows(keys, position, y.rows());
    const StoredArray chunk_values = chunk_rows(values, position, y.rows());
    Buffer scratch(static_cast<std::size_t>(table.attention_scratch(shape.head_dim)));
    table.attention[index_of(shape.storage)]({.q = q.row(position),
                                              .q_stride = q.stride(),
                                              .chunk_keys = chunk_keys.data(),
                                              .chunk_values = chunk_values.data(),
                                              .ring_keys = ring_keys.data(),
                                              .ring_values = ring_values.data(),
                                              .kv_stride = shape.kv_stride(),
                                              .ring_rows = shape.ring_rows,
                                              .position = position,
                                              .window = shape.window,
                                              .scale = scale,
                                              .y = y.row(0),
                                              .y_stride = y.stride(),
                                              .head_dim = shape.head_dim,
                                              .group = shape.heads / shape.kv_heads,
                                              .row_begin = part.row_begin,
                                              .row_end = part.row_end,
                                              .head_begin = part.head_begin,
                                              .head_end = part.head_end,
                                              .scratch = scratch.data()});
  }

  /// All rows and heads of a chunk.
  GuardedMatrix chunk(const kernels::Table& table, std::int64_t position,
                      std::int64_t count) const {
    GuardedMatrix y(count, q.cols());
    run(table, position, {0, count, 0, shape.heads}, y);
    return y;
  }

  GuardedMatrix whole(const kernels::Table& table) const { return chunk(table, 0, shape.length); }

  reference::Recurrence expected(const kernels::Table& table) const {
    const bool rounds = shape.storage == Dtype::bf16 && attends_on_tiles(table);
    const auto all = [&](const StoredArray& rows) {
      return reference::matrix(rows.values(), shape.length, shape.kv_width());
    };
    const auto as_multiplied = [&](double x) {
      return rounds ? static_cast<double>(Eigen::bfloat16(static_cast<float>(x))) : x;
    };
    return reference::attention({q.to_double().unaryExpr(as_multiplied), all(keys), all(values),
                                 shape.head_dim, 0, shape.window, static_cast<double>(scale),
                                 rounds ? reference::bf16_roundoff : 0.0});
  }

 private:
  /// Row `position` of all there are becomes row `row` of what a call is given.
  void copy_row(const StoredArray& from, std::int64_t position, StoredArray& to,
                std::int64_t row) const {
    for (std::int64_t i = 0; i < shape.kv_width(); ++i) {
      to.set(static_cast<std::size_t>(row * shape.kv_stride() + i),
             from.values()[static_cast<std::size_t>(position * shape.kv_width() + i)]);
    }
  }

  StoredArray chunk_rows(const StoredArray& rows, std::int64_t position, std::int64_t count) const {
    StoredArray chunk(shape.storage, elements(count));
    for (std::int64_t r = 0; r < count; ++r) copy_row(rows, position + r, chunk, r);
    return chunk;
  }

  /// The ring as it is when `position` is next: what the first row of a chunk there may see, each
  /// position in its row, NaN elsewhere.
  StoredArray ring(const StoredArray& rows, std::int64_t position) const {
    StoredArray filled(shape.storage, elements(shape.ring_rows));
    for (std::int64_t p = position - std::min(position, shape.window); p < position; ++p) {
      copy_row(rows, p, filled, p % shape.ring_rows);
    }
    return filled;
  }

  /// Of so many rows; nothing is behind the last.
  std::int64_t elements(std::int64_t rows) const {
    return std::max<std::int64_t>(0, rows * shape.kv_stride() - shape.kv_gap);
  }
};

inline AttentionCase random_attention(const AttentionShape& shape) {
  Random random(static_cast<std::uint32_t>(shape.length * 1000 + shape.heads * 100 +
                                           shape.kv_heads * 10 + shape.head_dim));
  const std::int64_t width = shape.heads * shape.head_dim;
  return {shape, GuardedMatrix(shape.length, width, random.normals(shape.length * width)),
          StoredArray(shape.storage, random.normals(shape.length * shape.kv_width())),
          StoredArray(shape.storage, random.normals(shape.length * shape.kv_width())),
          static_cast<float>(1 / std::sqrt(static_cast<double>(shape.head_dim)))};
}

}  // namespace griffin::test
