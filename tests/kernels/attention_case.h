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

namespace griffin::test {

inline constexpr std::int64_t global = INT64_MAX;

struct AttentionShape {
  Dtype storage;
  std::int64_t length;  // positions 0 .. length - 1
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t window;
  std::int64_t ring_rows;
};

/// Rows and heads of one call, within a chunk.
struct Part {
  std::int64_t row_begin, row_end, head_begin, head_end;
};

struct AttentionCase {
  AttentionShape shape;
  GuardedMatrix q;           // [length, heads head_dim]
  StoredArray keys, values;  // [length, head_dim]
  float scale;

  /// Positions [position, position + y.rows()) as one chunk, of which `part` is computed. What no
  /// row of the chunk may see is NaN.
  void run(const kernels::Table& table, std::int64_t position, const Part& part,
           GuardedMatrix& y) const {
    const StoredArray ring_keys = ring(keys, position);
    const StoredArray ring_values = ring(values, position);
    const std::int64_t chunk = position * shape.head_dim;
    const StoredArray chunk_keys = copy(keys, chunk, y.rows() * shape.head_dim);
    const StoredArray chunk_values = copy(values, chunk, y.rows() * shape.head_dim);
    Buffer scratch(static_cast<std::size_t>(table.attention_scratch(shape.head_dim)));
    table.attention[index_of(shape.storage)]({.q = q.row(position),
                                              .q_stride = q.stride(),
                                              .chunk_keys = chunk_keys.data(),
                                              .chunk_values = chunk_values.data(),
                                              .ring_keys = ring_keys.data(),
                                              .ring_values = ring_values.data(),
                                              .ring_rows = shape.ring_rows,
                                              .position = position,
                                              .window = shape.window,
                                              .scale = scale,
                                              .y = y.row(0),
                                              .y_stride = y.stride(),
                                              .head_dim = shape.head_dim,
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

  reference::Recurrence expected() const {
    return reference::attention({q.to_double(),
                                 reference::matrix(keys.values(), shape.length, shape.head_dim),
                                 reference::matrix(values.values(), shape.length, shape.head_dim),
                                 0, shape.window, static_cast<double>(scale)});
  }

 private:
  static StoredArray copy(const StoredArray& from, std::int64_t first, std::int64_t count) {
    const auto begin = from.values().begin() + first;
    return {from.storage(), std::vector<float>(begin, begin + count)};
  }

  /// The ring as it is when `position` is next: what the first row of a chunk there may see, each
  /// position in its row, NaN elsewhere.
  StoredArray ring(const StoredArray& rows, std::int64_t position) const {
    StoredArray filled(shape.storage, shape.ring_rows * shape.head_dim);
    for (std::int64_t p = position - std::min(position, shape.window); p < position; ++p) {
      for (std::int64_t i = 0; i < shape.head_dim; ++i) {
        filled.set(static_cast<std::size_t>(p % shape.ring_rows * shape.head_dim + i),
                   rows.values()[static_cast<std::size_t>(p * shape.head_dim + i)]);
      }
    }
    return filled;
  }
};

inline AttentionCase random_attention(const AttentionShape& shape) {
  Random random(
      static_cast<std::uint32_t>(shape.length * 1000 + shape.heads * 100 + shape.head_dim));
  const std::int64_t width = shape.heads * shape.head_dim;
  return {shape, GuardedMatrix(shape.length, width, random.normals(shape.length * width)),
          StoredArray(shape.storage, random.normals(shape.length * shape.head_dim)),
          StoredArray(shape.storage, random.normals(shape.length * shape.head_dim)),
          static_cast<float>(1 / std::sqrt(static_cast<double>(shape.head_dim)))};
}

}  // namespace griffin::test
