// SPDX-License-Identifier: Apache-2.0
// Integer sums of the instruction set that a file is compiled for, which isa.cmake names; plain C++
// for who reads a file by itself.
#pragma once

#ifndef GRIFFIN_QUADS
#define GRIFFIN_QUADS "simd/quads_scalar.h"
#endif
#include GRIFFIN_QUADS
