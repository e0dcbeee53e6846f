// SPDX-License-Identifier: Apache-2.0
// Matrix products with int8 and int4 weights and int8 activations.
//
// A lane is an output, so there are no sums across lanes, and a group is summed exactly in
// integers. What is left of float32 arithmetic is one product and one sum a group, in the order of
// the groups: the bits of an element depend neither on the tile nor on the instruction set.
#pragma once

namespace griffin::kernels {
namespace {

constexpr int panel_vecs = static_cast<int>(panel_rows) / lanes;
constexpr int quads_per_group = static_cast<int>(group_width) / 4;
constexpr int quads_per_run = static_cast<int>(run_width) / 4;

/// Where things lie in a packed operand. Tiles of up to quad_rows rows follow one another; with A
/// rows in a tile it holds values [quad, A, 4], and further on sums of values, [group, A] and
/// [group, run, A], and scales [group, A].
struct Int8Operand {
  const char* base;
  std::int64_t rows;
  std::int64_t groups;

  const char* tile(std::int64_t row) const { return base + row * groups * group_width; }
  const std::int32_t* group_sums(std::int64_t row) const {
    return reinterpret_cast<const std::int32_t*>(tile(rows)) + row * groups;
  }
  const std::int32_t* run_sums(std::int64_t row) const {
    return group_sums(rows) + row * groups * runs_per_group;
  }
  const float* scales(std::int64_t row) const {
    return reinterpret_cast<const float*>(run_sums(rows)) + row * groups;
  }
};

/// max |x|, and 0 if all values are finite, else NaN.
struct Range {
  float largest;
  float invalid;
};

inline Range range_of(const float* x, std::int64_t width) {
  Vec largest = broadcast(0.0F);
  Vec invalid = broadcast(0.0F);
  for_each_vec(0, width, [&](std::int64_t i, auto count) {
    __builtin_prefetch(x + i + 2 * group_width);  // rows are too far apart to be foreseen
    const Vec value = load(x + i, count);
    largest = max(abs(value), largest);
    invalid = invalid + value * broadcast(0.0F);
  });
  return {max_of_lanes(largest), sum_of_lanes(invalid)};
}

/// The rounded values of one group of one row.
struct PackedGroup {
  alignas(64) std::int8_t values[group_width];
  std::int32_t sums[runs_per_group];
  float scale;
};

inline void pack_group(const float* x, std::int64_t width, PackedGroup& to) {
  const Range range = range_of(x, width);
  // Where 127 / largest would be infinite, the values are zero.
  const bool usable = range.invalid == 0.0F && range.largest >= 0x1p-119F;
  const Vec to_integer = broadcast(usable ? 127.0F / range.largest : 0.0F);
  alignas(64) float rounded[group_width];
  if (!usable || width < group_width) {
    for (float& value : rounded) value = 0.0F;
  }
  if (usable) {
    for_each_vec(0, width, [&](std::int64_t i, auto count) {
      store(rounded + i, round(load(x + i, count) * to_integer), count);
    });
  }
  for (int i = 0; i < group_width; ++i) to.values[i] = static_cast<std::int8_t>(rounded[i]);
  for (int run = 0; run < runs_per_group; ++run) {
    std::int32_t sum = 0;
    for (int i = 0; i < run_width; ++i) sum += to.values[run * run_width + i];
    to.sums[run] = sum;
  }
  to.scale = range.largest / 127.0F + range.invalid;
}

/// One group of the rows of a tile: [row, quad] becomes [quad, row].
inline void interleave(const PackedGroup* rows, std::int64_t count, char* to) {
  for (int q = 0; q < quads_per_group; q += lanes) {
    for (std::int64_t first = 0; first < count; first += lanes) {
      Vec r[lanes];  // of quads: only moved, never computed with
      for (int i = 0; i < lanes; ++i) {
        r[i] = first + i < count ? load_as<Storage::f32>(rows[first + i].values, q, All{})
                                 : broadcast(0.0F);
      }
      transpose(r);
      for (int i = 0; i < lanes; ++i) {
        auto* at = reinterpret_cast<float*>(to) + (q + i) * count + first;
        const std::int64_t width = count - first < lanes ? count - first : lanes;
        for_each_vec(0, width, [&](std::int64_t c, auto part) { store(at + c, r[i], part); });
      }
    }
  }
}

void pack_int8(const PackArgs& p) noexcept {
  const Int8Operand operand{static_cast<const char*>(p.operand), p.rows, groups_of(p.in)};
  for (std::int64_t first = p.row_begin; first < p.row_end; first += quad_rows) {
    const std::int64_t rows = p.rows - first < quad_rows ? p.rows - first : quad_rows;
    auto* tile = const_cast<char*>(operand.tile(first));
    auto* group_sums = const_cast<std::int32_t*>(operand.group_sums(first));
    auto* run_sums = const_cast<std::int32_t*>(operand.run_sums(first));
    auto* scales = const_cast<float*>(operand.scales(first));
    for (std::int64_t g = 0; g < operand.groups; ++g) {
      const std::int64_t start = g * group_width;
      const std::int64_t width = p.in - start < group_width ? p.in - start : group_width;
      PackedGroup packed[quad_rows];
      for (std::int64_t r = 0; r < rows; ++r) {
        pack_group(p.x + (first + r) * p.x_stride + start, width, packed[r]);
        std::int32_t sum = 0;
        for (int run = 0; run < runs_per_group; ++run) {
          run_sums[(g * runs_per_group + run) * rows + r] = packed[r].sums[run];
          sum += packed[r].sums[run];
        }
        group_sums[g * rows + r] = sum;
        scales[g * rows + r] = packed[r].scale;
      }
      interleave(packed, rows, tile + start * rows);
    }
  }
}

struct Sixteen {
  Vec v[panel_vecs];
};

/// y += float(sum) (x_scale w_scale), without a fused operation: the same on every machine.
inline void add_group(float* y, const Quads& sum, float x_scale, const Sixteen& w_scale) {
  Vec value[panel_vecs];
  to_float(sum, value);
  for (int i = 0; i < panel_vecs; ++i) {
    const Vec scaled = value[i] * (broadcast(x_scale) * w_scale.v[i]);
    store(y + i * lanes, load(y + i * lanes, All{}) + scaled, All{});
  }
}

/// c[a][o] = inner products of A rows of an operand tile with W panels of int8 blocks, `stride`
/// bytes apart. Few sums alone would wait for each other: then they are split in `chains`.
template <int A, int W>
inline void int8_tile(const Int8Operand& x, std::int64_t row, const char* w, std::int64_t stride,
                      float (&c)[A][W * panel_rows]) {
  constexpr int chains = A * W >= 4 ? 1 : 4 / (A * W);
  // One row reads weights faster than any other product, and what is near comes first.
  constexpr std::int64_t ahead = W > 1 ? 1024 : A > 1 ? stream_ahead : 4096;
  for (auto& of_row : c) {
    for (float& value : of_row) value = 0.0F;
  }
  const char* tile = x.tile(row);
  const std::int32_t* group_sums = x.group_sums(row);
  const float* x_scales = x.scales(row);
  for (std::int64_t g = 0; g < x.groups; ++g, w += int8_block, group_sums += A, x_scales += A) {
    Quads sum[chains][A][W];
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        sum[0][a][v] = offset_start(group_sums[a]);
        GRIFFIN_UNROLL for (int n = 1; n < chains; ++n) sum[n][a][v] = all(0);
      }
    }
    for (int q = 0; q < quads_per_group; q += chains) {
      GRIFFIN_UNROLL for (int n = 0; n < chains; ++n) {
        Bytes weight[W];
        GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
          const char* from = w + v * stride + (q + n) * 64;
          __builtin_prefetch(from + ahead);
          weight[v] = load_bytes(from);
        }
        GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
          const Quad value = load_quad(tile + 4 * a);
          GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
            add_offset_dot(sum[n][a][v], weight[v], value);
          }
        }
        tile += 4 * A;
      }
    }
    Sixteen scale[W];
    GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
      const auto* scales = reinterpret_cast<const float*>(w + v * stride + int8_scales);
      for (int i = 0; i < panel_vecs; ++i) {
        scale[v].v[i] = load_as<Storage::f32>(scales, i * lanes, All{});
      }
    }
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      GRIFFIN_UNROLL for (int v = 0; v < W; ++v) {
        GRIFFIN_UNROLL for (int n = 1; n < chains; ++n) {
          sum[0][a][v] = sum[0][a][v] + sum[n][a][v];
        }
        add_group(&c[a][v * panel_rows], sum[0][a][v], x_scales[a], scale[v]);
      }
    }
  }
}

/// The bf16 scales of an int4 block.
inline Sixteen int4_scale(const char* block) {
  Sixteen scale;
  for (int i = 0; i < panel_vecs; ++i) {
    scale.v[i] = load_as<Storage::bf16>(block + int4_scales, i * lanes, All{});
  }
  return scale;
}

/// The same with one panel of int4 blocks. The sum of a group, runs times their factors, is exact:
/// it is an integer below 2^24 at every step.
template <int A>
inline void int4_tile(const Int8Operand& x, std::int64_t row, const char* w,
                      float (&c)[A][panel_rows]) {
  for (auto& of_row : c) {
    for (float& value : of_row) value = 0.0F;
  }
  const char* tile = x.tile(row);
  const std::int32_t* run_sums = x.run_sums(row);
  const float* x_scales = x.scales(row);
  for (std::int64_t g = 0; g < x.groups; ++g, w += int4_block, x_scales += A) {
    Sixteen sum[A];
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      for (Vec& v : sum[a].v) v = broadcast(0.0F);
    }
    __builtin_prefetch(w + int4_scales + stream_ahead);
    for (int run = 0; run < runs_per_group; ++run, run_sums += A) {
      Quads low[A];
      Quads high[A];
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        low[a] = all(-8 * run_sums[a]);
        high[a] = all(0);
      }
      GRIFFIN_UNROLL for (int q = 0; q < quads_per_run / 2; ++q) {
        const char* from = w + (run * quads_per_run / 2 + q) * 64;
        __builtin_prefetch(from + stream_ahead);
        const Bytes nibbles = load_bytes(from);
        const Bytes low_weights = low_nibbles(nibbles);
        const Bytes high_weights = high_nibbles(nibbles);
        GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
          add_nibble_dot(low[a], low_weights, load_quad(tile + 4 * a));
          add_nibble_dot(high[a], high_weights, load_quad(tile + 4 * (A + a)));
        }
        tile += 8 * A;
      }
      Sixteen factor;
      to_float(load_factors(w + int4_factors, 4 * run), factor.v);
      GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
        Sixteen value;
        to_float(low[a] + high[a], value.v);
        for (int i = 0; i < panel_vecs; ++i) {
          sum[a].v[i] = multiply_add(value.v[i], factor.v[i], sum[a].v[i]);
        }
      }
    }
    const Sixteen scale = int4_scale(w);
    GRIFFIN_UNROLL for (int a = 0; a < A; ++a) {
      for (int i = 0; i < panel_vecs; ++i) {
        float* y = &c[a][i * lanes];
        const Vec scaled = sum[a].v[i] * (broadcast(x_scales[a]) * scale.v[i]);
        store(y, load(y, All{}) + scaled, All{});
      }
    }
  }
}

/// One panel of int4 blocks as int8 blocks: w factor fits in a byte.
inline void widen_panel(const char* from, char* to, std::int64_t groups) {
  for (std::int64_t g = 0; g < groups; ++g, from += int4_block, to += int8_block) {
    for (int run = 0; run < runs_per_group; ++run) {
      const Quads factor = load_factors(from + int4_factors, 4 * run);
      for (int q = run * quads_per_run; q < (run + 1) * quads_per_run; q += 2) {
        const Bytes nibbles = load_bytes(from + q / 2 * 64);
        store_bytes(to + q * 64, scale_nibbles(low_nibbles(nibbles), factor));
        store_bytes(to + (q + 1) * 64, scale_nibbles(high_nibbles(nibbles), factor));
      }
    }
    const Sixteen scale = int4_scale(from);
    for (int i = 0; i < panel_vecs; ++i) {
      store(reinterpret_cast<float*>(to + int8_scales) + i * lanes, scale.v[i], All{});
    }
  }
}

/// W panels of int8 blocks from column o on, for rows [row, row_end): whole tiles, then the rest.
template <int W, int A = quad_rows>
inline void int8_rows(const MatmulArgs& p, const Int8Operand& x, std::int64_t row,
                      std::int64_t row_end, std::int64_t o, const char* w) {
  for (; row + A <= row_end; row += A) {
    alignas(64) float c[A][W * panel_rows];
    int8_tile<A, W>(x, row, w, x.groups * int8_block, c);
    for (int a = 0; a < A; ++a) finish_row(p, row + a, o, W * panel_rows, c[a]);
  }
  if constexpr (A > 1) {
    if (row < row_end) int8_rows<W, A - 1>(p, x, row, row_end, o, w);
  }
}

/// Up to W panels, as many as there are; returns how many.
template <int W = quad_panels>
inline int int8_panels(const MatmulArgs& p, const Int8Operand& x, std::int64_t o, int panels,
                       const char* w) {
  if constexpr (W > 1) {
    if (panels < W) return int8_panels<W - 1>(p, x, o, panels, w);
  }
  int8_rows<W>(p, x, 0, p.rows, o, w);
  return W;
}

inline std::int64_t first_panel(const MatmulArgs& p) {
  return p.out_begin / panel_rows;
}
inline std::int64_t last_panel(const MatmulArgs& p) {
  return (p.out_end + panel_rows - 1) / panel_rows;
}
/// How many of the panels left go together: one alone while there is one tile of rows and weights
/// are read once, in a single stream.
inline int panels_together(const MatmulArgs& p, std::int64_t left) {
  const std::int64_t most = p.rows > quad_rows ? quad_panels : 1;
  return static_cast<int>(left < most ? left : most);
}

void matmul_int8(const MatmulArgs& p) noexcept {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  const std::int64_t end = last_panel(p);
  for (std::int64_t panel = first_panel(p); panel < end;) {
    const char* w = static_cast<const char*>(p.w) + panel * x.groups * int8_block;
    panel += int8_panels(p, x, panel * panel_rows, panels_together(p, end - panel), w);
  }
}

/// One panel of int4 blocks for rows [row, p.rows): whole tiles, then the rest.
template <int A = quad_rows>
inline void int4_rows(const MatmulArgs& p, const Int8Operand& x, std::int64_t row, std::int64_t o,
                      const char* w) {
  for (; row + A <= p.rows; row += A) {
    alignas(64) float c[A][panel_rows];
    int4_tile<A>(x, row, w, c);
    for (int a = 0; a < A; ++a) finish_row(p, row + a, o, panel_rows, c[a]);
  }
  if constexpr (A > 1) {
    if (row < p.rows) int4_rows<A - 1>(p, x, row, o, w);
  }
}

/// From so many rows on it pays to widen the panels first.
constexpr std::int64_t rows_worth_widening = 65;

void matmul_int4(const MatmulArgs& p) noexcept {
  if (p.out_begin >= p.out_end) return;
  const Int8Operand x{static_cast<const char*>(p.x), p.rows, groups_of(p.in)};
  const std::int64_t wide_bytes = x.groups * int8_block;
  const std::int64_t room = matmul_scratch(p.in) / (wide_bytes > 0 ? wide_bytes : 1);
  char* wide = static_cast<char*>(p.scratch);
  const std::int64_t end = last_panel(p);
  for (std::int64_t panel = first_panel(p); panel < end;) {
    const auto at = [&](std::int64_t n) {
      return static_cast<const char*>(p.w) + (panel + n) * x.groups * int4_block;
    };
    if (p.rows < rows_worth_widening) {
      int4_rows(p, x, 0, panel * panel_rows, at(0));
      ++panel;
      continue;
    }
    const std::int64_t left = end - panel < room ? end - panel : room;
    const int together = panels_together(p, left);
    for (int n = 0; n < together; ++n) widen_panel(at(n), wide + n * wide_bytes, x.groups);
    panel += int8_panels(p, x, panel * panel_rows, together, wide);
  }
}

/// y = scale widen(row of a quantised table), output by output as embed.
template <Storage S>
void embed_quantized(const EmbedArgs& p) noexcept {
  constexpr std::int64_t block_bytes = S == Storage::int8 ? int8_block : int4_block;
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const std::int64_t o = p.tokens[r] % panel_rows;
    const char* panel = static_cast<const char*>(p.table) +
                        p.tokens[r] / panel_rows * groups_of(p.width) * block_bytes;
    for (std::int64_t i = 0; i < p.width; ++i) {
      const char* block = panel + i / group_width * block_bytes;
      const std::int64_t within = i % group_width;
      float weight;
      float scale;
      if constexpr (S == Storage::int8) {
        const auto byte = static_cast<unsigned char>(block[within / 4 * 64 + o * 4 + within % 4]);
        weight = static_cast<float>(byte - 128);
        __builtin_memcpy(&scale, block + int8_scales + o * 4, sizeof scale);
      } else {
        const auto byte = static_cast<unsigned char>(block[within / 8 * 64 + o * 4 + within % 4]);
        const int nibble = within / 4 % 2 == 0 ? byte & 15 : byte >> 4;
        std::uint16_t factors;
        __builtin_memcpy(&factors, block + int4_factors + o * 2, sizeof factors);
        const int factor = factors >> (within / run_width * 4) & 15;
        weight = static_cast<float>((nibble - 8) * factor);
        std::uint16_t bf16;
        __builtin_memcpy(&bf16, block + int4_scales + o * 2, sizeof bf16);
        const std::uint32_t wide = static_cast<std::uint32_t>(bf16) << 16;
        __builtin_memcpy(&scale, &wide, sizeof scale);
      }
      p.y[r * p.y_stride + i] = weight * scale * p.scale;
    }
  }
}

inline void fill_quantized(Table& table) {
  table.pack[static_cast<int>(Operand::int8)] = pack_int8;
  set_product<Product::int8, matmul_int8>(table);
  set_product<Product::int4, matmul_int4>(table);
  table.embed[static_cast<int>(Storage::int8)] = embed_quantized<Storage::int8>;
  table.embed[static_cast<int>(Storage::int4)] = embed_quantized<Storage::int4>;
}

}  // namespace
}  // namespace griffin::kernels
