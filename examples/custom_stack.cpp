// SPDX-License-Identifier: Apache-2.0
// A mixing layer of one's own behind a block of the library: a model like any other, for texts in
// batches, with guesses, saved half-way and continued.
#include <griffin/griffin.h>
#include <griffin/model/weight_reader.h>

#include <algorithm>
#include <iostream>
#include <sstream>

using namespace griffin;  // NOLINT(google-build-using-namespace): to be read, not to be included

/// h = 0.9 h + 0.1 z, an exponential moving average over time, added to the residual stream.
struct MovingAverage {
  std::int64_t width = 0;
  std::int64_t slot = 0;  // given by the model

  void describe(auto& /*weights*/, std::int64_t of_model) { width = of_model; }
  StateShape state(const SequenceOptions&) const { return {.held = width, .tried = width}; }
  Needs needs(const kernels::Table&, std::int64_t) const { return {}; }

  void operator()(Context&, const Batch& batch, ConstMatrixView z, MatrixView residual) const {
    batch.check(*this);
    for (const Slice& slice : batch.slices) {
      float* h = slice.state(slot).held.data();
      if (slice.position == 0) std::fill_n(h, width, 0.0F);
      for (std::int64_t r = 0; r < slice.count; ++r) {
        const std::int64_t row = slice.first_row + r;
        for (std::int64_t c = 0; c < width; ++c) {
          residual.row(row)[c] += h[c] = 0.9F * h[c] + 0.1F * z.row(row)[c];
        }
        slice.keep_row(slot, r, h);  // for commit(), should the row only be tried
      }
    }
  }

  void commit(const LayerState& state, std::int64_t, ConstMatrixView h) const {
    std::copy_n(h.row(h.rows - 1), width, state.held.data());
  }
};

Model make_model() {
  ModelParts parts;
  parts.config = preset("hawk-100m");
  ModelConfig& c = parts.config;
  c.vocab = 1000;
  ResidualBlock<RecurrentBlock> first;
  ResidualBlock<MovingAverage> second;
  WeightReader weights = WeightReader::random(Dtype::bf16, 1);
  weights.part("0", first, RecurrentBlock::Shape{c.width, c.lru_width, c.taps, c.gate_blocks},
               c.width, c.mlp_width, c.rms_eps);
  weights.part("1", second, c.width, c.width, c.mlp_width, c.rms_eps);
  weights.table("embedding", parts.embedding.table, c.vocab, c.width);
  weights.norm("final_norm", parts.final_norm, c.width, c.rms_eps);
  weights.tied(parts.embedding.table, parts.lm_head.linear);
  parts.blocks = {first, second};
  parts.weights = weights.finish();
  return Model::assemble(std::move(parts));
}

int main() try {
  const Model model = make_model();
  Generator generator(model, {.lookup = 8});
  const std::vector<std::int32_t> prompt = {100, 7, 8, 9};
  Sequence alone = model.new_sequence();
  const auto expected = generator.generate(alone, prompt, {.max_new_tokens = 40}).tokens;

  Scheduler scheduler(model, {.lookup = 4});
  bool same = true;
  Request request{.prompt = prompt, .options = {.max_new_tokens = 20}};
  request.on_done = [&](Result&& half, const Sequence* state) {
    std::stringstream file;
    state->save(file, half.unread());
    Sequence restored = model.new_sequence();
    const Result rest =
        generator.generate(restored, restored.restore(file), {.max_new_tokens = 20});
    half.tokens.insert(half.tokens.end(), rest.tokens.begin(), rest.tokens.end());
    same = same && half.tokens == expected;
  };
  for (int i = 0; i < 4; ++i) scheduler.submit(request);
  scheduler.run();
  std::cout << "four texts in a batch, saved half-way and continued, and one alone: "
            << (same ? "the same tokens" : "they differ!") << std::endl;
  if (!std::cout) throw Error(ErrorCode::io, "cannot write to stdout");
  return same ? 0 : 1;
} catch (const Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
