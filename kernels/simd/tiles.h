// SPDX-License-Identifier: Apache-2.0
// Matrix units of the instruction set that a file is compiled for, which isa.cmake names; the model
// in plain C++ for who reads a file by itself.
#pragma once

#ifndef GRIFFIN_TILES
#define GRIFFIN_TILES "simd/tiles_model.h"
#endif
#include GRIFFIN_TILES
