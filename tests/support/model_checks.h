// SPDX-License-Identifier: Apache-2.0
// What every model promises, whatever its layers are and wherever they come from. All with ==. `kv`
// is the type of the rings, f32 if it is not given.
#pragma once

#include "griffin/kernels.h"
#include "griffin/model/model.h"

namespace griffin::test {

/// A text in one pass, in passes of any lengths and token by token, by one thread and by two, gives
/// the same logits and the same state.
void expect_the_same_bits_however_cut(const Model& model, const kernels::Table& table);
void expect_the_same_bits_however_cut(const Model& model, const kernels::Table& table, Dtype kv);

/// Trying rows changes nothing and gives the logits of running them; committing any number of them
/// gives the state of running that many, and the sequence goes on from there.
void expect_tried_rows_are_committed(const Model& model, const kernels::Table& table);
void expect_tried_rows_are_committed(const Model& model, const kernels::Table& table, Dtype kv);

/// What was saved and restored, forked, or rolled back to a snapshot goes on to the same logits and
/// the same state.
void expect_states_go_on(const Model& model, const kernels::Table& table);
void expect_states_go_on(const Model& model, const kernels::Table& table, Dtype kv);

/// Texts in a Scheduler with prompt lookup are those of a Generator without.
void expect_guesses_change_nothing(const Model& model, const kernels::Table& table);

}  // namespace griffin::test
