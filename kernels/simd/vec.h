// SPDX-License-Identifier: Apache-2.0
// Vec of the instruction set that a file is compiled for, which isa.cmake names; of one lane for
// who reads a file by itself.
#pragma once

#ifndef GRIFFIN_VEC
#define GRIFFIN_VEC "simd/scalar.h"
#endif
#include GRIFFIN_VEC
