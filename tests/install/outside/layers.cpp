// SPDX-License-Identifier: Apache-2.0
// A layer by itself, to show that everything it needs is there: every row plus the one before it.
#include <griffin/layers/conv1d.h>

#include <iostream>

int main() {
  griffin::StateLayout layout;
  layout.recurrent_slots = 1;
  layout.lru_width = 1;
  layout.taps = 2;
  griffin::Sequence sequence(layout);
  griffin::Context context(griffin::kernels::table_at(0), 1, 0, 1, 1);

  const float weight[] = {1.0F, 1.0F};
  const float bias[] = {0.0F};
  const float x[] = {1.0F, 1.0F, 3.0F};
  float y[3] = {};
  const griffin::Slice slice{&sequence, 0, 3, 0};
  const griffin::CausalConv1d conv{weight, bias, 1, 2, 0};
  conv(context, {{&slice, 1}, 3}, griffin::ConstMatrixView(x, 3, 1), griffin::MatrixView(y, 3, 1));
  std::cout << y[0] << ' ' << y[1] << ' ' << y[2] << '\n';
}
