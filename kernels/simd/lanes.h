// SPDX-License-Identifier: Apache-2.0
// How many lanes of a register a load or a store touches.
#pragma once

namespace griffin::kernels {
namespace {

struct All {};

/// The first `count`, 0 < count < lanes; the others read as zero and are not written.
struct First {
  int count;
};

}  // namespace
}  // namespace griffin::kernels
