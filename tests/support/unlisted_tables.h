// SPDX-License-Identifier: Apache-2.0
// Tables that this CPU can run and the library does not offer on it, because others are faster
// there or because what they are made for is not there: to be tested all the same.
#pragma once

#include <string>
#include <vector>

#include "griffin/kernels.h"

namespace griffin::test {

/// They live as long as the program. The kernels for matrix units among them are those of one
/// model of tiles.
std::vector<const kernels::Table*> unlisted_tables();

/// The kernels for matrix units over the model of their tiles: with plain C++ around it and, where
/// the CPU has the vectors, as they are compiled for one with such a unit; best last.
std::vector<const kernels::Table*> tile_models();

/// The name of the table whose bits this one gives, all of them: its own but where one is made to
/// give those of another by other instructions.
std::string name_of_bits(const kernels::Table& table);

/// Whether a table's attention to bf16 keys and values is on a matrix unit, or a model of one, and
/// so rounds queries and weights to bf16.
bool attends_on_tiles(const kernels::Table& table);

}  // namespace griffin::test
