// SPDX-License-Identifier: Apache-2.0
// Mamba-2 (state space duality, arXiv 2405.21060), which the library does not know: a layer, its
// kernel in plain C++, and models with it.
#pragma once

#include <griffin/model/weight_reader.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mamba2 {

using namespace griffin;  // NOLINT(google-build-using-namespace): this is a guest of the library
using std::int64_t;

struct Shape {
  int64_t width, heads, head_dim, state_size, taps = 4;

  int64_t inner() const { return heads * head_dim; }
  int64_t convolved() const { return inner() + 2 * state_size; }
};

inline float silu(float v) {
  return v / (1.0F + std::exp(-v));
}

inline MatrixView columns(MatrixView m, int64_t first, int64_t count) {
  return {m.data + first, m.rows, count, m.stride};
}

/// The recurrence of every head, whose decay is a scalar:
///   H[n, p] = a H[n, p] + dt B[n] x[p];   y[p] = (sum_n C[n] H[n, p] + D x[p]) silu(gate[p])
/// It works on rows [a (heads), dt (heads), x (inner), B (state_size), C (state_size)]: all but C
/// is what commit() needs to do to H again what a row did.
struct StateSpace {
  Shape shape;
  std::vector<float> rate, dt_bias, skip;  // [heads] each: exp(A_log), dt_bias, D
  int64_t slot = 0;                        // given by the model

  /// From random numbers in (-0.1, 0.1), what a new Mamba-2 has: exp(A_log) in (1, 16),
  /// softplus(dt_bias) in (0.001, 0.1), D about 1. A checkpoint's would be taken as they are.
  void describe(WeightReader& weights, const Shape& s) {
    shape = s;
    const auto read = [&](const char* name, std::vector<float>& to, auto transform) {
      const float* random = nullptr;
      weights.vector(name, random, s.heads);
      to.assign(random, random + s.heads);
      for (float& value : to) value = transform(value);
    };
    read("A_log", rate, [](float r) { return 8.5F + 75.0F * r; });
    read("dt_bias", dt_bias,
         [](float r) { return std::log(std::expm1(std::pow(10.0F, 10.0F * r - 2.0F))); });
    read("D", skip, [](float r) { return 1.0F + r; });
  }

  int64_t row_width() const { return 2 * shape.heads + shape.convolved(); }
  StateShape state(const SequenceOptions&) const {
    return {.held = shape.inner() * shape.state_size, .tried = row_width() - shape.state_size};
  }

  /// dt as it was projected -> a and dt; SiLU of x, B and C, which are in the row.
  void prepare(const float* dt, float* row) const {
    for (int64_t h = 0; h < shape.heads; ++h) {
      const float v = dt[h] + dt_bias.data()[h];
      const float step = v > 20.0F ? v : std::log1p(std::exp(v));  // softplus
      row[h] = std::exp(-step * rate.data()[h]);
      row[shape.heads + h] = step;
    }
    for (int64_t c = 2 * shape.heads; c < row_width(); ++c) row[c] = silu(row[c]);
  }

  /// rows [rows, row_width], gate [rows, inner] -> y [rows, inner]. Moves every slice's H on.
  void operator()(const Context& context, const Batch& batch, ConstMatrixView rows,
                  ConstMatrixView gate, MatrixView y) const {
    batch.check(*this);
    const Grain grain = context.grain(2 * shape.head_dim * shape.state_size * batch.rows);
    for (const Slice& slice : batch.slices) {
      slice.keep(slot, rows.slice(slice.first_row, slice.count), 0, row_width() - shape.state_size);
    }
    parallel_for(context.threads, shape.heads, grain, [&](int64_t begin, int64_t end) {
      for (const Slice& slice : batch.slices) {
        for (int64_t h = begin; h < end; ++h) {
          float* H = head_of(slice.state(slot), h, slice.position);
          for (int64_t r = slice.first_row; r < slice.first_row + slice.count; ++r) {
            update(h, rows.row(r), H);
            read(h, rows.row(r), H, gate.row(r), y.row(r) + h * shape.head_dim);
          }
        }
      }
    });
  }

  void commit(const LayerState& state, int64_t position, ConstMatrixView tried) const {
    for (int64_t h = 0; h < shape.heads; ++h) {
      float* H = head_of(state, h, position);
      for (int64_t r = 0; r < tried.rows; ++r) update(h, tried.row(r), H);
    }
  }

 private:
  /// [state_size, head_dim]: no sum runs along memory, so that vector instructions change no bit.
  /// Zeros at the start of a sequence.
  float* head_of(const LayerState& state, int64_t h, int64_t position) const {
    const int64_t size = shape.state_size * shape.head_dim;
    float* H = state.held.data() + h * size;
    if (position == 0) std::fill_n(H, size, 0.0F);
    return H;
  }

  /// Compiled once: whatever a compiler contracts, a row is committed as it was run.
  [[gnu::noinline]] void update(int64_t h, const float* row, float* H) const {
    const float a = row[h];
    const float dt = row[shape.heads + h];
    const float* x = row + 2 * shape.heads + h * shape.head_dim;
    const float* B = row + 2 * shape.heads + shape.inner();
    for (int64_t n = 0; n < shape.state_size; ++n, H += shape.head_dim) {
      const float b = dt * B[n];
      for (int64_t p = 0; p < shape.head_dim; ++p) H[p] = a * H[p] + b * x[p];
    }
  }

  void read(int64_t h, const float* row, const float* H, const float* gate, float* y) const {
    const float* x = row + 2 * shape.heads + h * shape.head_dim;
    const float* C = row + row_width() - shape.state_size;
    for (int64_t p = 0; p < shape.head_dim; ++p) y[p] = skip.data()[h] * x[p];
    for (int64_t n = 0; n < shape.state_size; ++n, H += shape.head_dim) {
      for (int64_t p = 0; p < shape.head_dim; ++p) y[p] += C[n] * H[p];
    }
    for (int64_t p = 0; p < shape.head_dim; ++p) y[p] *= silu(gate[h * shape.head_dim + p]);
  }
};

/// out_proj(norm(ssm(silu(conv([x, B, C])), dt, gate))) of [gate, x, B, C, dt] = in_proj(z).
struct Mamba2 {
  Linear in_proj;  // [inner + convolved + heads, width]
  CausalConv1d conv1d;
  StateSpace ssm;
  RmsNorm norm;     // [inner], an offset from one as in all norms of the library
  Linear out_proj;  // [width, inner]

  void describe(WeightReader& weights, const Shape& s) {
    weights.matrix("in_proj", in_proj, s.inner() + s.convolved() + s.heads, s.width);
    weights.conv1d("conv1d", conv1d, s.taps, s.convolved());
    ssm.describe(weights, s);
    weights.norm("norm", norm, s.inner(), 1e-5F);
    weights.matrix("out_proj", out_proj, s.width, s.inner());
  }

  static void for_each_stateful_layer(auto& mixer, const auto& f) {
    f(mixer.conv1d);
    f(mixer.ssm);
  }

  Needs needs(const kernels::Table& table, int64_t rows) const {
    Workspace::CountingFrame frame;
    const Scratch scratch(frame, *this, rows);
    return frame.used() + either(needs_of_products(table, rows, in_proj),
                                 needs_of_products(table, rows, out_proj));
  }

  /// residual += mixer(z). z and residual [rows, width].
  void operator()(Context& context, const Batch& batch, ConstMatrixView z,
                  MatrixView residual) const {
    const Shape& shape = ssm.shape;
    Workspace::Frame frame(context.workspace);
    const Scratch s(frame, *this, z.rows);
    multiply(context, z, into(s.projected, in_proj));
    conv1d(context, batch, columns(s.projected, shape.inner(), shape.convolved()),
           columns(s.rows, 2 * shape.heads, shape.convolved()));
    const Grain grain = context.grain(16 * ssm.row_width());
    parallel_for(context.threads, z.rows, grain, [&](int64_t begin, int64_t end) {
      const int64_t dt = in_proj.out() - shape.heads;
      for (int64_t r = begin; r < end; ++r) ssm.prepare(s.projected.row(r) + dt, s.rows.row(r));
    });
    ssm(context, batch, s.rows, s.projected, s.y);
    norm(context, s.y, s.y);
    add_product(context, s.y, out_proj, residual);
  }

 private:
  struct Scratch {
    Scratch(auto& frame, const Mamba2& m, int64_t n)
        : projected(frame.matrix(n, m.in_proj.out())),
          rows(frame.matrix(n, m.ssm.row_width())),
          y(frame.matrix(n, m.norm.width)) {}

    MatrixView projected, rows, y;  // `rows` as StateSpace has them
  };
};

/// x += mixer(norm(x)): there is no MLP.
struct Mamba2Block {
  RmsNorm norm;
  Mamba2 mixer;

  void describe(WeightReader& weights, const Shape& shape) {
    weights.norm("norm", norm, shape.width, 1e-5F);
    weights.part("mixer", mixer, shape);
  }
  static void for_each_stateful_layer(auto& block, const auto& f) {
    Mamba2::for_each_stateful_layer(block.mixer, f);
  }
  Needs needs(const kernels::Table& table, int64_t rows) const {
    return Workspace::matrix_bytes(rows, norm.width) + mixer.needs(table, rows);
  }
  void operator()(Context& context, const Batch& batch, MatrixView x) const {
    Workspace::Frame frame(context.workspace);
    const MatrixView z = frame.matrix(x.rows, x.cols);
    norm(context, x, z);
    mixer(context, batch, z, x);
  }
};

/// A model with random weights: of every letter of `stack` a block, m of Mamba-2, r recurrent, and
/// any other of local attention, these as the config says.
inline Model random_model(std::string_view stack, const ModelConfig& c, const Shape& shape,
                          Dtype dtype, std::uint64_t seed) {
  ModelParts parts;
  parts.config = c;
  WeightReader weights = WeightReader::random(dtype, seed);
  const auto add = [&](auto block, const auto&... shapes) {
    weights.part("layers." + std::to_string(parts.blocks.size()), block, shapes...);
    parts.blocks.push_back(block);
  };
  for (const char kind : stack) {
    if (kind == 'm') {
      add(Mamba2Block(), shape);
    } else if (kind == 'r') {
      add(ResidualBlock<RecurrentBlock>(),
          RecurrentBlock::Shape{c.width, c.lru_width, c.taps, c.gate_blocks}, c.width, c.mlp_width,
          c.rms_eps);
    } else {
      add(ResidualBlock<AttentionBlock>(),
          AttentionBlock::Shape{c.width, c.heads, c.kv_heads, c.head_dim, c.window, c.rotary_dim,
                                1e4F},
          c.width, c.mlp_width, c.rms_eps);
    }
  }
  weights.table("embedding", parts.embedding.table, c.vocab, c.width);
  weights.norm("final_norm", parts.final_norm, c.width, c.rms_eps);
  weights.tied(parts.embedding.table, parts.lm_head.linear);
  parts.weights = weights.finish();
  return Model::assemble(std::move(parts));
}

}  // namespace mamba2
