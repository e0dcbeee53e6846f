// SPDX-License-Identifier: Apache-2.0
// A layer by itself, to show that everything it needs is there: every row plus the one before it,
// with a state that is saved in between.
#include <griffin/layers/conv1d.h>

#include <iostream>
#include <sstream>

int main() {
  const float weight[] = {1.0F, 1.0F};
  const float bias[] = {0.0F};
  const griffin::CausalConv1d conv{weight, bias, 1, 2, 0};
  const griffin::StateLayout layout{.slots = {conv.state({})}};
  griffin::Context context(griffin::kernels::table_at(0), 1, {});

  const float x[] = {1.0F, 1.0F, 3.0F};
  float y[3] = {};
  const auto run = [&](griffin::Sequence& sequence, std::int64_t first, std::int64_t count) {
    const griffin::Slice slice{&sequence, 0, count, sequence.position()};
    conv(context, {{&slice, 1}, count}, griffin::ConstMatrixView(x + first, count, 1),
         griffin::MatrixView(y + first, count, 1));
    slice.finish();
  };
  griffin::Sequence sequence(layout);
  run(sequence, 0, 2);
  std::stringstream saved;
  sequence.save(saved);
  griffin::Sequence restored(layout);
  restored.restore(saved);
  run(restored, 2, 1);
  std::cout << y[0] << ' ' << y[1] << ' ' << y[2] << '\n';
}
