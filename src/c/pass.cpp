// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/pass.h"

#include <algorithm>
#include <string>

#include "c/boundary.h"
#include "c/convert.h"
#include "c/handles.h"
#include "griffin/generate/sampler.h"
#include "griffin/model/forward_pass.h"

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

struct griffin_pass {
  griffin_pass(const griffin::Model& model, const griffin::ForwardOptions& options)
      : vocab(model.config().vocab), pass(model, options), scratch(vocab, pass.kernels()) {}

  std::int64_t vocab;
  griffin::ForwardPass pass;
  griffin::SamplerScratch scratch;
};

namespace {

void check_ids(std::span<const std::int32_t> ids, std::int64_t vocab) {
  const auto outside =
      std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) { return id < 0 || id >= vocab; });
  if (outside == ids.end()) return;
  refuse("ids: expected 0 to " + std::to_string(vocab - 1) + ", found " + std::to_string(*outside) +
         " at " + std::to_string(outside - ids.begin()));
}

/// What the first part of a long run would not see.
void check_room(const griffin::Sequence& sequence, std::size_t count) {
  const std::int64_t room = sequence.layout().furthest() - sequence.position();
  if (static_cast<std::int64_t>(count) > room) {
    throw griffin::Error(griffin::ErrorCode::capacity,
                         "the sequence has room for " + std::to_string(room) + " tokens, found " +
                             std::to_string(count));
  }
}

/// Runs the tokens in as many passes as they take; writes the rows wanted one after the other.
void run(griffin_pass& p, griffin::Sequence& sequence, std::span<const std::int32_t> ids,
         griffin_logits wanted, float* out) {
  const std::int64_t most = wanted == GRIFFIN_LOGITS_ALL
                                ? std::min(p.pass.max_rows(), p.pass.max_logits())
                                : p.pass.max_rows();
  while (!ids.empty()) {
    const auto part = ids.first(std::min(ids.size(), static_cast<std::size_t>(most)));
    ids = ids.subspan(part.size());
    const bool last = wanted == GRIFFIN_LOGITS_LAST && ids.empty();
    p.pass.add(sequence, part,
               wanted == GRIFFIN_LOGITS_ALL ? griffin::Logits::all
               : last                       ? griffin::Logits::last
                                            : griffin::Logits::none);
    const griffin::MatrixView logits = p.pass.run();
    for (std::int64_t row = 0; row < logits.rows; ++row) {
      out = std::copy_n(logits.row(row), p.vocab, out);
    }
  }
}

}  // namespace

griffin_status griffin_pass_new(const griffin_model* model, const griffin_pass_options* options,
                                griffin_pass** pass, griffin_error* error) {
  return guarded(error, [&] {
    griffin_pass*& out = cleared(pass, "pass");
    const griffin::Model& of = required(model, "model").model;
    const auto given = options_of(options, "griffin_pass_options");
    griffin::ForwardOptions how;
    how.threads = threads_of(given.threads, "griffin_pass_options.threads");
    how.max_rows = or_default(given.max_rows, how.max_rows);
    how.max_logits = or_default(given.max_logits, std::min<std::int64_t>(16, how.max_rows));
    out = new griffin_pass(of, how);
  });
}

void griffin_pass_free(griffin_pass* pass) {
  delete pass;
}

griffin_status griffin_pass_run(griffin_pass* pass, griffin_sequence* sequence, const int32_t* ids,
                                size_t count, griffin_logits wanted, float* logits,
                                size_t capacity_rows, size_t* rows, griffin_error* error) {
  return guarded(error, [&] {
    griffin_pass& p = required(pass, "pass");
    griffin::Sequence& on = required(sequence, "sequence").sequence;
    const auto all = array(ids, count, "ids");
    if (all.empty()) refuse("ids: expected one or more");
    const std::size_t needed = choice_of(wanted, 3, "wanted") == GRIFFIN_LOGITS_ALL ? count
                               : wanted == GRIFFIN_LOGITS_LAST                      ? 1
                                                                                    : 0;
    if (rows != nullptr) *rows = needed;
    if (needed > capacity_rows) {
      throw griffin::Error(griffin::ErrorCode::capacity,
                           "logits has room for " + std::to_string(capacity_rows) +
                               " rows, expected " + std::to_string(needed));
    }
    if (needed > 0) required(logits, "logits");
    check_ids(all, p.vocab);
    check_room(on, count);
    run(p, on, all, wanted, logits);
    sequence->unread.clear();
  });
}

griffin_status griffin_pass_logprobs(griffin_pass* pass, const float* logits, size_t rows,
                                     const int32_t* ids, float* logprobs, griffin_error* error) {
  return guarded(error, [&] {
    griffin_pass& p = required(pass, "pass");
    const auto chosen = array(ids, rows, "ids");
    const auto vocab = static_cast<std::size_t>(p.vocab);
    if (rows > SIZE_MAX / sizeof(float) / vocab) refuse("rows: found " + std::to_string(rows));
    const auto all = array(logits, rows * vocab, "logits");
    const auto out = array(logprobs, rows, "logprobs");
    check_ids(chosen, p.vocab);
    for (std::size_t row = 0; row < rows; ++row) {
      out[row] =
          griffin::log_probabilities(all.subspan(row * vocab, vocab), chosen[row], {}, p.scratch);
    }
  });
}
