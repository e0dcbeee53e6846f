// SPDX-License-Identifier: Apache-2.0
// One call of the RG-LRU kernel with everything it points to.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/guarded_matrix.h"
#include "support/kernel_reference.h"
#include "support/random_data.h"

namespace griffin::test {

struct RgLruCase {
  GuardedMatrix x, input_gate, recurrence_gate;  // [rows, width]
  std::vector<float> log_decay;                  // [width]
  GuardedMatrix h;                               // [1, width]
  std::int64_t position;

  std::int64_t rows() const { return x.rows(); }
  std::int64_t width() const { return x.cols(); }

  /// Channels [begin, end) of rows [first, first + y.rows()) into y; `state` moves on.
  void run(const kernels::Table& table, std::int64_t first, std::int64_t begin, std::int64_t end,
           GuardedMatrix& state, GuardedMatrix& y) const {
    table.rg_lru({.x = x.row(first),
                  .x_stride = x.stride(),
                  .input_gate = input_gate.row(first),
                  .recurrence_gate = recurrence_gate.row(first),
                  .gate_stride = input_gate.stride(),
                  .log_decay = log_decay.data(),
                  .h = state.row(0),
                  .y = y.row(0),
                  .y_stride = y.stride(),
                  .position = position + first,
                  .rows = y.rows(),
                  .begin = begin,
                  .end = end});
  }

  GuardedMatrix whole(const kernels::Table& table, GuardedMatrix& state) const {
    GuardedMatrix y(rows(), width());
    run(table, 0, 0, width(), state, y);
    return y;
  }

  GuardedMatrix whole(const kernels::Table& table) const {
    GuardedMatrix state = h;
    return whole(table, state);
  }

  reference::Recurrence expected() const {
    return reference::rg_lru({x.to_double(), input_gate.to_double(), recurrence_gate.to_double(),
                              reference::row(log_decay), h.to_double(), position});
  }
};

/// A case of one row: column c has x[c], the gates and log decays given, and state h[c].
inline RgLruCase one_step(const std::vector<float>& x, const std::vector<float>& input_gate,
                          const std::vector<float>& recurrence_gate, std::vector<float> log_decay,
                          const std::vector<float>& h, std::int64_t position) {
  const auto width = static_cast<std::int64_t>(x.size());
  return {GuardedMatrix(1, width, x),
          GuardedMatrix(1, width, input_gate),
          GuardedMatrix(1, width, recurrence_gate),
          std::move(log_decay),
          GuardedMatrix(1, width, h),
          position};
}

/// Decays from almost none to almost all, gates on both sides.
inline RgLruCase random_rg_lru(std::int64_t rows, std::int64_t width, std::int64_t position) {
  Random random(static_cast<std::uint32_t>(rows * 10007 + width));
  std::vector<float> log_decay = random.uniforms(width, -9, 2);
  for (float& value : log_decay) value = -std::exp(value);
  return {GuardedMatrix(rows, width, random.normals(rows * width)),
          GuardedMatrix(rows, width, random.uniforms(rows * width, -6, 6)),
          GuardedMatrix(rows, width, random.uniforms(rows * width, -6, 6)),
          log_decay,
          GuardedMatrix(1, width, random.normals(width)),
          position};
}

}  // namespace griffin::test
