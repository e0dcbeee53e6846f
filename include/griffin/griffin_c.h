// SPDX-License-Identifier: Apache-2.0
// The C API: everything that bindings of other languages need, in C99. griffin/c/base.h has the
// conventions, which hold for all of it.
#pragma once

#include "griffin/c/base.h"
#include "griffin/c/generate.h"
#include "griffin/c/model.h"
#include "griffin/c/pass.h"
#include "griffin/c/result.h"
#include "griffin/c/scheduler.h"
#include "griffin/c/sequence.h"
#include "griffin/c/tokenizer.h"
