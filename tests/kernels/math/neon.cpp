// SPDX-License-Identifier: Apache-2.0
#include "kernels/math/functions_of_isa.h"

constinit const griffin::test::MathFunctions griffin::test::neon_functions =
    griffin::kernels::functions_of("neon");
