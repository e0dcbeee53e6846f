// SPDX-License-Identifier: Apache-2.0
// A mixing layer of one's own between blocks of the library, with state of its own that the
// library's Sequence carries.
#include <griffin/layers/blocks.h>
#include <griffin/model/model.h>

#include <cstring>
#include <iostream>
#include <numeric>
#include <vector>

namespace {

/// An exponential moving average over time, h = 0.9 h + 0.1 z, added to the residual stream. It
/// keeps h in a recurrent slot of its own.
struct MovingAverage {
  std::int64_t width = 0;
  std::int64_t slot = 0;

  std::size_t workspace_bytes(const griffin::kernels::Table&, std::int64_t rows) const {
    return 2 * griffin::Workspace::matrix_bytes(rows, width);
  }

  void operator()(griffin::Context& context, const griffin::Batch& batch,
                  griffin::ConstMatrixView z, griffin::MatrixView residual) const {
    griffin::Workspace::Frame frame(context.workspace);
    const griffin::MatrixView a = frame.matrix(batch.rows, width);
    const griffin::MatrixView b = frame.matrix(batch.rows, width);
    for (std::int64_t i = 0; i < batch.rows * width; ++i) {
      a.data[i] = 0.9F;
      b.data[i] = 0.1F * z.data[i];
    }
    for (const griffin::Slice& slice : batch.slices) {
      const griffin::RecurrentState state = slice.sequence->recurrent(slot);
      float* h = slice.journal ? slice.journal->h_of(state, 0, width) : state.h;
      if (slice.position == 0) std::memset(h, 0, static_cast<std::size_t>(width) * sizeof(float));
      const std::int64_t row = slice.first_row;
      context.kernels->linear_scan({.a = a.row(row),
                                    .b = b.row(row),
                                    .stride = width,
                                    .h = h,
                                    .y = b.row(row),
                                    .y_stride = width,
                                    .rows = slice.count,
                                    .begin = 0,
                                    .end = width});
      if (slice.journal) slice.journal->keep_h(slot, b.slice(row, slice.count), 0, width);
    }
    for (std::int64_t i = 0; i < batch.rows * width; ++i) residual.data[i] += b.data[i];
  }
};
static_assert(griffin::Mixer<MovingAverage>);

using Recurrent = griffin::ResidualBlock<griffin::RecurrentBlock>;

/// Embedding, a block of the library, one with our mixer, another of the library, final norm.
struct Stack {
  griffin::Model model;  // whose weights the blocks look into
  Recurrent first = std::get<Recurrent>(model.blocks()[0]);
  griffin::ResidualBlock<MovingAverage> ours = {
      first.temporal_pre_norm, {model.config().width, 2}, first.channel_pre_norm, first.mlp_block};
  Recurrent last = std::get<Recurrent>(model.blocks()[1]);

  /// One more recurrent slot than the model has; ours is number 2.
  griffin::Sequence sequence() const {
    griffin::StateLayout layout = model.config().state_layout({});
    layout.recurrent_slots = 3;
    return griffin::Sequence(layout);
  }

  /// Rows of the final norm. With a journal the tokens are only tried: commit() takes them on.
  std::vector<float> run(griffin::Context& context, griffin::Sequence& sequence,
                         std::span<const std::int32_t> tokens,
                         griffin::Journal* journal = nullptr) const {
    const auto rows = static_cast<std::int64_t>(tokens.size());
    const std::int64_t width = model.config().width;
    std::vector<float> x(tokens.size() * static_cast<std::size_t>(width));
    const griffin::MatrixView view(x.data(), rows, width);
    const griffin::Slice slice{&sequence, 0, rows, sequence.position(), journal};
    const griffin::Batch batch{{&slice, 1}, rows};
    if (journal) journal->begin(sequence, rows);
    model.embedding()(context, tokens, view);
    first(context, batch, view);
    ours(context, batch, view);
    last(context, batch, view);
    model.final_norm()(context, view, view);
    if (!journal) sequence.advance(rows);
    return x;
  }

  std::vector<float> in_steps(griffin::Context& context,
                              std::span<const std::int32_t> tokens) const {
    griffin::Sequence s = sequence();
    std::vector<float> rows;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const auto row = run(context, s, tokens.subspan(t, 1));
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return rows;
  }

  /// All but the first few are tried, of which as many turn out right; the rest is run again.
  std::vector<float> after_trying(griffin::Context& context,
                                  std::span<const std::int32_t> tokens) const {
    constexpr std::size_t few = 5;
    griffin::Sequence s = sequence();
    griffin::Journal journal(s.layout(), static_cast<std::int64_t>(tokens.size()));
    std::vector<float> rows = run(context, s, tokens.first(few));
    const auto tried = run(context, s, tokens.subspan(few), &journal);
    journal.commit(s, few);
    rows.insert(rows.end(), tried.begin(), tried.begin() + std::ssize(rows));
    const auto rest = run(context, s, tokens.subspan(2 * few));
    rows.insert(rows.end(), rest.begin(), rest.end());
    return rows;
  }
};

const griffin::kernels::Table& kernels() {
  const griffin::kernels::Table* table = griffin::kernels::default_table();
  if (table) return *table;
  throw griffin::Error(griffin::ErrorCode::unsupported,
                       "GRIFFIN_ISA names kernels that do not run here");
}

}  // namespace

int main() try {
  griffin::ModelConfig config = griffin::preset("hawk-100m");
  config.depth = 2;
  config.vocab = 1000;
  const Stack stack{griffin::Model::random(config, griffin::Dtype::bf16, 1)};

  constexpr std::int64_t rows = 24;
  std::vector<std::int32_t> tokens(rows);
  std::iota(tokens.begin(), tokens.end(), 100);
  griffin::Context context(kernels(), griffin::available_cores(),
                           std::max(stack.first.workspace_bytes(kernels(), rows),
                                    stack.ours.workspace_bytes(kernels(), rows)),
                           config.mlp_width, 1);

  griffin::Sequence sequence = stack.sequence();
  const std::vector<float> whole = stack.run(context, sequence, tokens);
  const bool same =
      stack.in_steps(context, tokens) == whole && stack.after_trying(context, tokens) == whole;
  std::cout << rows
            << " tokens through recurrent, moving average, recurrent: at once, step by step and "
               "tried beforehand "
            << (same ? "give the same bits\n" : "differ!\n");
  return same ? 0 : 1;
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
