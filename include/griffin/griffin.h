// SPDX-License-Identifier: Apache-2.0
// What an application needs: TextGenerator, and what it is made of: Model, Sequence, Tokenizer,
// Generator, Scheduler. For passes of one's own there is model/forward_pass.h, for the turns of
// conversations generate/conversation.h, for many sequences state/pool.h, for layers model/parts.h.
#pragma once

#include "griffin/core/error.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/request.h"
#include "griffin/generate/scheduler.h"
#include "griffin/generate/text_generator.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/model.h"
#include "griffin/state/sequence.h"
