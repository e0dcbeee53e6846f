// SPDX-License-Identifier: Apache-2.0
// Tables that the library does not offer on this machine, and that can be run on it all the same.
#pragma once

#include <string>
#include <vector>

#include "griffin/kernels.h"

namespace griffin::test {

/// The matrix unit's kernels over the model of its tiles: with plain C++ around it everywhere, and
/// as they are compiled for a CPU with such a unit where its vectors are.
std::vector<const kernels::Table*> unlisted_tables();

/// Whether a table's attention to bf16 keys and values is on a matrix unit, or a model of one, and
/// so rounds queries and weights to bf16.
bool attends_on_tiles(const kernels::Table& table);

/// The name under which the bits of a table were recorded: those that are to give the same bits as
/// another have its name.
std::string recorded_name(const kernels::Table& table);

}  // namespace griffin::test
