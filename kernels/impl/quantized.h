// SPDX-License-Identifier: Apache-2.0
// Everything that is written once over Quads, and its place in the table.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/embed_quantized.h"
#include "impl/int4.h"
#include "impl/int8.h"
#include "impl/pack_int8.h"
#include "impl/product.h"

namespace griffin::kernels {
namespace {

void int8_in_panels(const MatmulArgs& p) noexcept {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  const std::int64_t end = last_panel(p);
  for (std::int64_t panel = first_panel(p); panel < end;) {
    const char* w = static_cast<const char*>(p.w) + panel * x.groups * int8_block;
    const int panels = panels_together(p, end - panel);
    const char* next = w + panels * x.groups * int8_block;
    const Ahead ahead = ahead_of(x, next, panels_together(p, end - panel - panels), int8_block);
    int8_panels(p, x, panel * panel_rows, panels, w, ahead);
    panel += panels;
  }
}

/// One panel after the other, as long as the sums of all rows have registers.
inline void int8_in_stream(const MatmulArgs& p) {
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  const auto* w = static_cast<const char*>(p.w);
  for_row_tiles<quad_rows>(quad_rows, p.rows, [&]<int B>(Rows<B>, std::int64_t) {
    for (std::int64_t panel = first_panel(p); panel < last_panel(p); ++panel) {
      int8_two_tiles<B>(p, x, panel * panel_rows, w + panel * x.groups * int8_block);
    }
  });
}

void matmul_int8(const MatmulArgs& p) noexcept {
  if constexpr (quad_stream_rows > quad_rows) {
    // NOLINTNEXTLINE(misc-redundant-expression): equal with some instruction sets only
    if (p.rows > quad_rows && p.rows <= quad_stream_rows && p.out_begin < p.out_end) {
      int8_in_stream(p);
      return;
    }
  }
  int8_in_panels(p);
}

/// From so many rows on it pays to widen the panels first.
constexpr std::int64_t rows_worth_widening = 17;

void matmul_int4(const MatmulArgs& p) noexcept {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  const std::int64_t wide_bytes = x.groups * int8_block;
  const std::int64_t room = product_scratch(p.in) / (wide_bytes > 0 ? wide_bytes : 1);
  char* wide = static_cast<char*>(p.scratch);
  const std::int64_t end = last_panel(p);
  for (std::int64_t panel = first_panel(p); panel < end;) {
    const auto at = [&](std::int64_t n) {
      return static_cast<const char*>(p.w) + (panel + n) * x.groups * int4_block;
    };
    if (p.rows < rows_worth_widening) {
      int4_panel(p, x, panel * panel_rows, at(0));
      ++panel;
      continue;
    }
    const std::int64_t left = end - panel < room ? end - panel : room;
    const int panels = panels_together(p, left);
    for (int n = 0; n < panels; ++n) widen_panel(at(n), wide + n * wide_bytes, x.groups);
    const Ahead ahead =
        ahead_of(x, at(panels), panels_together(p, end - panel - panels), int4_block);
    int8_panels(p, x, panel * panel_rows, panels, wide, ahead);
    panel += panels;
  }
}

inline void fill_quantized(Table& table) {
  table.pack[index_of(Operand::int8)] = pack_int8;
  set_product<Dtype::int8, Operand::int8, matmul_int8>(table);
  set_product<Dtype::int4, Operand::int8, matmul_int4>(table);
  table.embed[index_of(Dtype::int8)] = embed_quantized<Dtype::int8>;
  table.embed[index_of(Dtype::int4)] = embed_quantized<Dtype::int4>;
}

}  // namespace
}  // namespace griffin::kernels
