// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/forward_pass.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/model/parts.h"

namespace griffin {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "forward pass: " + what);
}

[[noreturn]] void refuse_for_room(const std::string& what) {
  throw Error(ErrorCode::capacity, "forward pass: " + what);
}

Needs needs_of(const ModelParts& model, const kernels::Table& table,
               const ForwardOptions& options) {
  Needs layers;
  for (const Block& block : model.blocks) {
    layers = either(layers, block.needs(table, options.max_rows));
  }
  const std::int64_t width = model.config.width;
  const Needs head = Workspace::matrix_bytes(options.max_logits, width) +
                     model.lm_head.needs(table, options.max_logits);
  return Workspace::matrix_bytes(options.max_rows, width) + either(layers, head);
}

void check_tokens(std::span<const std::int32_t> tokens, std::int64_t vocab) {
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocab) {
      refuse("token " + std::to_string(token) + " is outside the vocabulary of " +
             std::to_string(vocab));
    }
  }
}

void check_journal(const Journal& journal, const Sequence& sequence, std::int64_t count) {
  if (journal.layout() != sequence.layout()) refuse("the journal is of another layout");
  if (count > journal.max_rows()) {
    refuse_for_room("the journal has room for " + std::to_string(journal.max_rows()) +
                    " rows, not for " + std::to_string(count));
  }
}

/// Without memory: this is asked for every sequence of every pass.
bool is_of(const ModelParts& model, const StateLayout& layout) {
  if (layout.model != model.weights.fingerprint) return false;
  const std::int64_t capacity = layout.capacity == unlimited_capacity ? 0 : layout.capacity;
  return std::all_of(model.blocks.begin(), model.blocks.end(), [&](const Block& block) {
    return block.fits({capacity, layout.kv}, layout.slots);
  });
}

void check_sequence(const Sequence& sequence, std::int64_t count, const ModelParts& model) {
  if (!sequence.is_whole()) refuse("the sequence was moved from");
  const StateLayout& layout = sequence.layout();
  if (!is_of(model, layout)) refuse("the sequence was made for another model");
  const std::int64_t most = layout.furthest();
  if (sequence.position() > most - count) {
    refuse_for_room("the sequence has room for " + std::to_string(most) + " positions and is at " +
                    std::to_string(sequence.position()) + "; " + std::to_string(count) +
                    " more do not fit");
  }
}

void check(const ForwardOptions& options) {
  if (options.threads < 0 || options.threads > most_threads) {
    refuse("threads: expected 0 to " + std::to_string(most_threads) + ", found " +
           std::to_string(options.threads));
  }
  if (options.work_per_thread < 1) {
    refuse("work_per_thread: expected >= 1, found " + std::to_string(options.work_per_thread));
  }
  if (options.max_rows < 1 || options.max_rows > most_pass_rows) {
    refuse("max_rows: expected 1 to 2^20, found " + std::to_string(options.max_rows));
  }
  if (options.max_logits < 1 || options.max_logits > options.max_rows) {
    refuse("max_logits: expected 1 to max_rows, found " + std::to_string(options.max_logits));
  }
}

}  // namespace

struct ForwardPass::Parts {
  Parts(const Model& of, const ForwardOptions& options)
      : model(of.parts_),
        max_rows(options.max_rows),
        max_logits(options.max_logits),
        context(context_for(*model, options)),
        logits(Workspace::matrix_bytes(max_logits, model->config.vocab)) {
    tokens.reserve(static_cast<std::size_t>(max_rows));
    slices.reserve(static_cast<std::size_t>(max_rows));
    logit_rows.reserve(static_cast<std::size_t>(max_logits));
  }

  static Context context_for(const ModelParts& model, const ForwardOptions& options) {
    check(options);
    const kernels::Table& table =
        options.kernels != nullptr ? *options.kernels : kernels::default_table();
    return {table, options.threads > 0 ? options.threads : available_cores(),
            needs_of(model, table, options), options.work_per_thread};
  }

  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(tokens.size()); }
  void check_room(std::int64_t count, std::int64_t wanted_rows) const;
  void check_alone(const Sequence& sequence, const Journal* journal) const;
  void begin() noexcept;
  void write_logits(ConstMatrixView x, MatrixView to);
  void clear() noexcept;

  std::shared_ptr<const ModelParts> model;
  std::int64_t max_rows;
  std::int64_t max_logits;
  Context context;
  std::vector<std::int32_t> tokens;  // [rows]
  std::vector<Slice> slices;
  std::vector<std::int64_t> logit_rows;  // rows whose logits are wanted
  Buffer logits;                         // [max_logits, vocab]
};

ForwardPass::ForwardPass(const Model& model, const ForwardOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
ForwardPass::ForwardPass(ForwardPass&&) noexcept = default;
ForwardPass& ForwardPass::operator=(ForwardPass&&) noexcept = default;
ForwardPass::~ForwardPass() = default;

void ForwardPass::add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted) {
  add(sequence, tokens, wanted, nullptr);
}

void ForwardPass::try_out(Sequence& sequence, std::span<const std::int32_t> tokens,
                          Journal& journal, Logits wanted) {
  add(sequence, tokens, wanted, &journal);
}

void ForwardPass::add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted,
                      Journal* journal) {
  Parts& p = *parts_;
  const auto count = static_cast<std::int64_t>(tokens.size());
  const std::int64_t wanted_rows = wanted == Logits::all ? count : wanted == Logits::last ? 1 : 0;
  p.check_room(count, wanted_rows);
  check_tokens(tokens, p.model->config.vocab);
  check_sequence(sequence, count, *p.model);
  if (journal != nullptr) check_journal(*journal, sequence, count);
  p.check_alone(sequence, journal);
  sequence.may_wait = true;
  if (journal != nullptr) journal->may_wait = true;
  const std::int64_t first_row = p.rows();
  p.slices.push_back({&sequence, first_row, count, sequence.position(), journal});
  p.tokens.insert(p.tokens.end(), tokens.begin(), tokens.end());
  for (std::int64_t r = count - wanted_rows; r < count; ++r) p.logit_rows.push_back(first_row + r);
}

void ForwardPass::Parts::check_room(std::int64_t count, std::int64_t wanted_rows) const {
  const auto in_use = static_cast<std::int64_t>(logit_rows.size());
  if (count == 0) refuse("no tokens");
  if (count > max_rows - rows()) {
    refuse_for_room("no room for " + std::to_string(count) + " tokens beside " +
                    std::to_string(rows()) + "; max_rows is " + std::to_string(max_rows));
  }
  if (wanted_rows > max_logits - in_use) {
    refuse_for_room("no room for " + std::to_string(wanted_rows) + " rows of logits beside " +
                    std::to_string(in_use) + "; max_logits is " + std::to_string(max_logits));
  }
}

void ForwardPass::Parts::check_alone(const Sequence& sequence, const Journal* journal) const {
  // As a rule they wait nowhere, and there is nothing to look for.
  const bool may_wait = sequence.may_wait || (journal != nullptr && journal->may_wait);
  for (const Slice& slice : may_wait ? std::span<const Slice>(slices) : std::span<const Slice>{}) {
    if (slice.sequence == &sequence) refuse("the sequence is already in this pass");
    if (journal != nullptr && slice.journal == journal) {
      refuse("the journal is already in this pass");
    }
  }
}

MatrixView ForwardPass::run() noexcept {
  Parts& p = *parts_;
  const auto wanted = static_cast<std::int64_t>(p.logit_rows.size());
  const MatrixView logits(reinterpret_cast<float*>(p.logits.data()), wanted, p.model->config.vocab);
  if (p.rows() == 0) return logits;
  Workspace::Frame frame(p.context.workspace);
  const MatrixView x = frame.matrix(p.rows(), p.model->config.width);
  p.begin();
  p.model->embedding(p.context, p.tokens, x);
  for (const Block& block : p.model->blocks) block(p.context, {p.slices, p.rows()}, x);
  if (wanted > 0) p.write_logits(x, logits);
  for (const Slice& slice : p.slices) {
    slice.finish();
    slice.sequence->may_wait = false;
    if (slice.journal != nullptr) slice.journal->may_wait = false;
  }
  p.clear();
  return logits;
}

/// A sequence may have been moved on, or back, since it was added.
void ForwardPass::Parts::begin() noexcept {
  for (Slice& slice : slices) {
    slice.position = slice.sequence->position();
    if (slice.journal == nullptr) continue;
    slice.journal->begin(*slice.sequence, slice.count, model);
    for (const Block& block : model->blocks) block.entrust(*slice.journal);
  }
}

void ForwardPass::Parts::write_logits(ConstMatrixView x, MatrixView to) {
  Workspace::Frame frame(context.workspace);
  const MatrixView normed = frame.matrix(to.rows, x.cols);
  for (std::int64_t r = 0; r < to.rows; ++r) {
    std::memcpy(normed.row(r), x.row(logit_rows[static_cast<std::size_t>(r)]),
                static_cast<std::size_t>(x.cols) * sizeof(float));
  }
  model->final_norm(context, normed, normed);
  model->lm_head(context, normed, to);
}

void ForwardPass::Parts::clear() noexcept {
  tokens.clear();
  slices.clear();
  logit_rows.clear();
}

void ForwardPass::clear() noexcept {
  parts_->clear();
}

std::int32_t ForwardPass::argmax(ConstMatrixView logits, std::int64_t row) const noexcept {
  return static_cast<std::int32_t>(
      context().kernels->argmax({.x = logits.row(row), .count = logits.cols}));
}

std::int64_t ForwardPass::rows() const noexcept {
  return parts_->rows();
}
std::int64_t ForwardPass::max_rows() const noexcept {
  return parts_->max_rows;
}
std::int64_t ForwardPass::max_logits() const noexcept {
  return parts_->max_logits;
}
const kernels::Table& ForwardPass::kernels() const noexcept {
  return *parts_->context.kernels;
}
const Context& ForwardPass::context() const noexcept {
  return parts_->context;
}

}  // namespace griffin
