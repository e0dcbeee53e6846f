// SPDX-License-Identifier: Apache-2.0
// What a layer of one's own has to offer to join a model.
#pragma once

#include <concepts>
#include <cstdint>

#include "griffin/core/view.h"
#include "griffin/layers/context.h"
#include "griffin/state/batch.h"

namespace GRIFFIN_API griffin {

/// A layer that mixes the rows of one sequence over time, or, as the MLP does, the channels of a
/// row. It adds f(z) to the residual stream, so that its last product carries the addition.
/// `needs(table, rows)` is the memory it works in; with less there it throws Error(capacity) before
/// or between its steps, which leaves the state of the sequences undefined.
template <class M>
concept Mixer = requires(const M& mixer, Context& context, const Batch& batch, ConstMatrixView z,
                         MatrixView residual, const kernels::Table& table, std::int64_t rows) {
  mixer(context, batch, z, residual);
  { mixer.needs(table, rows) } -> std::convertible_to<Needs>;
};

/// Checks a mixer or block that is about to be put to rows [.., width], if it has a
/// `check(width)`, which throws Error(invalid_argument). Model::assemble calls it for every block.
template <class M>
void check_parts(const M& self, std::int64_t width) {
  if constexpr (requires { self.check(width); }) self.check(width);
}

/// A layer that keeps something of every sequence, in the slot that the model gave it. state() says
/// what; commit() makes rows that were only tried part of it (Journal::entrust says how).
template <class L>
concept StatefulLayer = requires(L& layer, const SequenceOptions& options, const LayerState& state,
                                 std::int64_t position, ConstMatrixView tried) {
  { layer.slot } -> std::convertible_to<std::int64_t>;
  { layer.state(options) } -> std::same_as<StateShape>;
  layer.commit(state, position, tried);
};

/// Calls f for every stateful layer of a mixer or a block, in a fixed order: for itself if it is
/// one, else for what its `for_each_stateful_layer(self, f)` names, if it has that.
template <class M, class F>
void for_each_stateful_layer(M& self, const F& f) {
  constexpr bool names_layers = requires {
    M::for_each_stateful_layer(self, f);
  };
  static_assert(
      StatefulLayer<M> || names_layers || !requires { self.slot; },
      "a layer with a slot needs state(options) and commit(state, position, tried)");
  if constexpr (StatefulLayer<M>) {
    f(self);
  } else if constexpr (names_layers) {
    M::for_each_stateful_layer(self, f);
  }
}

}  // namespace griffin
