// SPDX-License-Identifier: Apache-2.0
// Products of few rows with int8 and int4 weights, for CPUs whose memory gives more to several
// streams than to one: panels are read side by side. The same bits as one panel after the other.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/int4.h"
#include "impl/int8.h"
#include "impl/pack_int8.h"
#include "impl/product.h"
#include "impl/tiles.h"
#include "simd/quads.h"

namespace griffin::kernels {
namespace {

/// As many streams as the sums of so many rows leave registers for.
template <int A>
constexpr int streams_of_rows = A <= 2 ? 8 : quad_panels;

/// W panels of A rows from column o on.
template <Dtype D, int A, int W>
inline void multiply_streams(const MatmulArgs& p, const Int8Operand& x, std::int64_t row,
                             std::int64_t o) {
  alignas(64) float c[A][W * panel_rows];
  const std::int64_t stride = weight_bytes<D>(panel_rows, p.in);
  const char* w = static_cast<const char*>(p.w) + o / panel_rows * stride;
  if constexpr (D == Dtype::int8) {
    Ahead none = {};
    int8_tile<A, W>(x, row, w, stride, none, c);
  } else {
    int4_tile<A, W>(x, row, w, stride, c);
  }
  finish_tile(p, row, o, c);
}

/// Up to so many rows weights come no faster than memory gives them.
constexpr std::int64_t most_streamed_rows = 8;

template <Dtype D>
inline void stream_panels(const MatmulArgs& p) {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  for_row_tiles<quad_rows>(0, p.rows, [&]<int A>(Rows<A>, std::int64_t row) {
    constexpr int W = streams_of_rows<A>;
    std::int64_t panel = first_panel(p);
    for (; panel + W <= last_panel(p); panel += W) {
      multiply_streams<D, A, W>(p, x, row, panel * panel_rows);
    }
    for (; panel < last_panel(p); ++panel) {
      multiply_streams<D, A, 1>(p, x, row, panel * panel_rows);
    }
  });
}

/// The product of weights D, where `Many` is that of more rows.
template <Dtype D, void (*Many)(const MatmulArgs&) noexcept>
void matmul_streams(const MatmulArgs& p) noexcept {
  p.rows <= most_streamed_rows ? stream_panels<D>(p) : Many(p);
}

}  // namespace
}  // namespace griffin::kernels
