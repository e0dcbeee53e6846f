// SPDX-License-Identifier: Apache-2.0
// A mixing layer of one's own between blocks of the library: a model like any other, for texts in
// batches, with guesses, saved and gone on with.
#include <griffin/griffin.h>
#include <griffin/model/weight_reader.h>

#include <algorithm>
#include <iostream>
#include <sstream>

/// h = 0.9 h + 0.1 z, an exponential moving average over time, added to the residual stream.
struct MovingAverage {
  std::int64_t width = 0;
  std::int64_t slot = 0;  // given by the model

  void describe(auto& /*weights*/, std::int64_t w) { width = w; }  // it has no weights
  griffin::StateShape state(const griffin::SequenceOptions&) const {
    return {.held = width, .tried = width};  // h; and h after every row, while rows are only tried
  }
  griffin::Needs needs(const griffin::kernels::Table&, std::int64_t) const { return {}; }

  void operator()(griffin::Context&, const griffin::Batch& batch, griffin::ConstMatrixView z,
                  griffin::MatrixView residual) const {
    batch.check(*this);
    for (const griffin::Slice& slice : batch.slices) {
      float* h = slice.state(slot).held.data();
      if (slice.position == 0) std::fill_n(h, width, 0.0F);
      for (std::int64_t r = 0; r < slice.count; ++r) {
        const std::int64_t row = slice.first_row + r;
        for (std::int64_t c = 0; c < width; ++c) h[c] = 0.9F * h[c] + 0.1F * z.row(row)[c];
        for (std::int64_t c = 0; c < width; ++c) residual.row(row)[c] += h[c];
        slice.keep_row(slot, r, h);
      }
    }
  }

  void commit(const griffin::LayerState& state, std::int64_t, griffin::ConstMatrixView h) const {
    std::copy_n(h.row(h.rows - 1), width, state.held.data());
  }
};

griffin::Model make_model() {
  griffin::ModelParts parts;
  parts.config = griffin::preset("hawk-100m");
  parts.config.vocab = 1000;
  const griffin::ModelConfig& c = parts.config;
  const griffin::RecurrentBlock::Shape recurrent{c.width, c.lru_width, c.taps, c.gate_blocks};
  auto weights = griffin::WeightReader::random(griffin::Dtype::bf16, 1);
  griffin::ResidualBlock<griffin::RecurrentBlock> first;
  griffin::ResidualBlock<MovingAverage> second;
  weights.part("layers.0", first, recurrent, c.width, c.mlp_width, c.rms_eps);
  weights.part("layers.1", second, c.width, c.width, c.mlp_width, c.rms_eps);
  weights.table("embedding", parts.embedding.table, c.vocab, c.width);
  weights.norm("final_norm", parts.final_norm, c.width, c.rms_eps);
  weights.tied(parts.embedding.table, parts.lm_head.linear);
  parts.blocks = {first, second};
  parts.weights = weights.finish();
  return griffin::Model::assemble(std::move(parts));
}

int main() try {
  const griffin::Model model = make_model();
  griffin::Scheduler scheduler(model);
  griffin::Generator generator(model, {.lookup = 8});
  bool same = true;
  for (std::int32_t start = 100; start < 104; ++start) {
    scheduler.submit(
        {.prompt = {start, 7, 8, 9},
         .options = {.max_new_tokens = 20},
         .on_done = [&, start](griffin::Result&& half, const griffin::Sequence* state) {
           std::stringstream file;
           state->save(file, half.unread());
           griffin::Sequence restored = model.new_sequence();
           const auto rest =
               generator.generate(restored, restored.restore(file), {.max_new_tokens = 20});
           half.tokens.insert(half.tokens.end(), rest.tokens.begin(), rest.tokens.end());
           griffin::Sequence alone = model.new_sequence();
           const std::int32_t prompt[] = {start, 7, 8, 9};
           same = same &&
                  generator.generate(alone, prompt, {.max_new_tokens = 40}).tokens == half.tokens;
         }});
  }
  scheduler.run();
  std::cout << "four texts in a batch, saved half-way, restored and gone on with, against each "
               "alone with guesses: "
            << (same ? "the same tokens\n" : "they differ!\n");
  return same ? 0 : 1;
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
