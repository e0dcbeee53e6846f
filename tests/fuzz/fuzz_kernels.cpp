// SPDX-License-Identifier: Apache-2.0
// Bytes as a kernel, its shapes and its numbers: what every instruction set of this CPU makes of
// them is what the scalar one does, to the bit where that is promised.
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "fuzz/kernels/comparison.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace griffin::fuzz;  // NOLINT(google-build-using-namespace)
  constexpr void (*checks[])(Numbers&) = {check_float_product,
                                          check_packed_product,
                                          check_float_block_diagonal,
                                          check_packed_block_diagonal,
                                          check_pack,
                                          check_linear_scan,
                                          check_rg_lru,
                                          check_conv1d,
                                          check_attention,
                                          check_rms_norm,
                                          check_activation_gate,
                                          check_soft_cap,
                                          check_rope,
                                          check_embed,
                                          check_conversions,
                                          check_argmax};
  if (size == 0) return 0;
  Numbers numbers({data, size});
  checks[numbers.below(static_cast<int>(std::size(checks)))](numbers);
  return 0;
}
