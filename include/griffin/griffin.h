// SPDX-License-Identifier: Apache-2.0
// What an application needs: TextGenerator; Model, Sequence, SequencePool, Tokenizer, Generator,
// Scheduler, ForwardPass.
#pragma once

#include "griffin/core/error.h"
#include "griffin/generate/conversation.h"
#include "griffin/generate/generator.h"
#include "griffin/generate/scheduler.h"
#include "griffin/generate/text_generator.h"
#include "griffin/generate/text_stream.h"
#include "griffin/generate/tokenizer.h"
#include "griffin/model/forward_pass.h"
#include "griffin/model/model.h"
#include "griffin/state/pool.h"
