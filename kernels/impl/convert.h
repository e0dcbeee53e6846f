// SPDX-License-Identifier: Apache-2.0
// From one float type to another.
#pragma once

#include <cstdint>

#include "griffin/kernels.h"
#include "impl/narrow.h"
#include "simd/math.h"
#include "simd/vec.h"

namespace griffin::kernels {
namespace {

template <Dtype D>
void widen(const ConvertArgs& p) noexcept {
  float* to = static_cast<float*>(p.to);
  for_each_vec(0, p.count, [&](std::int64_t i, auto count) {
    store(to + i, load_as<D>(p.from, i, count), count);
  });
}

void narrow_bf16(const ConvertArgs& p) noexcept {
  round_to_bf16(p.from, p.to, p.count);
}

}  // namespace
}  // namespace griffin::kernels
