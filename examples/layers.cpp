// SPDX-License-Identifier: Apache-2.0
// A recurrent block by itself, with weights of one's own and no model: linked with griffin::layers
// alone. A signal read at once and the same signal read in pieces leave the same numbers.
#include <griffin/layers/recurrent_block.h>

#include <iostream>
#include <random>
#include <vector>

using namespace griffin;  // NOLINT(google-build-using-namespace): to be read, not to be included

constexpr std::int64_t channels = 16;
constexpr std::int64_t length = 12;  // of the signal, in rows

std::vector<float> numbers(std::int64_t count, unsigned seed, float scale) {
  std::mt19937 bits(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) v = scale * (static_cast<float>(bits() >> 8U) / (1 << 23) - 1.0F);
  return values;
}

/// Adds block(signal) to y, `step` rows of the sequence at a time.
void run(Context& context, const RecurrentBlock& block, std::vector<float>& signal, MatrixView y,
         std::int64_t step) {
  Sequence sequence(StateLayout{.slots = {block.conv_1d.state({}), block.rg_lru.state({})}});
  const ConstMatrixView x(signal.data(), length, channels);
  for (std::int64_t first = 0; first < length; first += step) {
    const Slice slice{&sequence, 0, step, sequence.position()};
    block(context, {{&slice, 1}, step}, x.slice(first, step), y.slice(first, step));
    slice.finish();
  }
}

int main() try {
  const std::vector<float> square = numbers(channels * channels, 1, 0.5F);
  const std::vector<float> taps = numbers(4 * channels, 2, 0.5F);
  const std::vector<float> bias(channels, 0.0F);
  const std::vector<float> log_decay(channels, -0.5F);  // h keeps exp(-0.5 r) of itself, r the gate
  const WeightView matrix{square.data(), Dtype::f32, channels, channels};

  RecurrentBlock block;
  block.linear_y = block.linear_x = block.linear_out = {.weight = matrix};
  block.conv_1d = {
      .weight = taps.data(), .bias = bias.data(), .width = channels, .taps = 4, .slot = 0};
  block.rg_lru.input_gate =
      block.rg_lru.a_gate = {matrix, bias.data(), 1};  // one block of channels
  block.rg_lru.log_decay = log_decay.data();
  block.rg_lru.slot = 1;
  block.check(channels);  // throws where parts do not fit

  const kernels::Table& table = kernels::default_table();
  Context context(table, 1, block.needs(table, length));
  std::vector<float> signal = numbers(length * channels, 3, 1.0F);
  std::vector<float> whole(signal.size());
  std::vector<float> pieces(signal.size());
  run(context, block, signal, MatrixView(whole.data(), length, channels), length);
  run(context, block, signal, MatrixView(pieces.data(), length, channels), 3);
  std::cout << "the last row begins with " << whole[(length - 1) * channels]
            << "; read in pieces it is "
            << (whole == pieces ? "the same numbers" : "something else") << std::endl;
  if (!std::cout) throw Error(ErrorCode::io, "cannot write to stdout");
  return whole == pieces ? 0 : 1;
} catch (const Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
