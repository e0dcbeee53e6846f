// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/forward_pass.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/model/parts.h"
#include "models/best_tokens.h"
#include "models/head_screen.h"

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
  Needs products = model.lm_head.needs(table, options.max_logits);
  if (model.head_screen != nullptr) {
    products = either(products, model.head_screen->needs(table, options.max_logits));
  }
  const Needs head = Workspace::matrix_bytes(options.max_logits, width) + products;
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
  if (options.max_hidden < 0 || options.max_hidden > options.max_rows) {
    refuse("max_hidden: expected 0 to max_rows, found " + std::to_string(options.max_hidden));
  }
}

/// How many of the last tokens of a slice are wanted; Rows is Logits or Hidden.
template <class Rows>
std::int64_t rows_of(Rows wanted, std::int64_t count) noexcept {
  return wanted == Rows::all ? count : wanted == Rows::last ? 1 : 0;
}
/// Of how many only the best token is.
std::int64_t best_rows_of(Logits wanted, std::int64_t count) noexcept {
  return wanted == Logits::best_of_all ? count : wanted == Logits::best_of_last ? 1 : 0;
}

void check_room(const char* what, const char* limit, std::int64_t wanted, std::int64_t in_use,
                std::int64_t most) {
  if (wanted <= most - in_use) return;
  refuse_for_room("no room for " + std::to_string(wanted) + " " + what + " beside " +
                  std::to_string(in_use) + "; " + limit + " is " + std::to_string(most));
}

/// Rows of a pass that something is wanted for, and what it is.
struct WantedRows {
  WantedRows(std::int64_t most, std::int64_t width)
      : max(most), cols(width), values(Workspace::matrix_bytes(most, width)) {
    rows.reserve(static_cast<std::size_t>(most));
  }

  std::int64_t count() const noexcept { return static_cast<std::int64_t>(rows.size()); }
  MatrixView view(std::int64_t wanted) noexcept {
    return {reinterpret_cast<float*>(values.data()), wanted, cols};
  }
  /// The last `wanted` of the rows up to `end`.
  void add(std::int64_t end, std::int64_t wanted) {
    for (std::int64_t r = end - wanted; r < end; ++r) rows.push_back(r);
  }

  std::int64_t max;
  std::int64_t cols;
  std::vector<std::int64_t> rows;  // of the pass
  Buffer values;                   // [max, cols]
};

}  // namespace

struct ForwardPass::Parts {
  Parts(const Model& of, const ForwardOptions& options)
      : model(of.parts_),
        max_rows(options.max_rows),
        context(context_for(*model, options)),
        logits(options.max_logits, model->config.vocab),
        best(options.max_logits),
        hidden(options.max_hidden, model->config.width) {
    tokens.reserve(static_cast<std::size_t>(max_rows));
    slices.reserve(static_cast<std::size_t>(max_rows));
  }

  static Context context_for(const ModelParts& model, const ForwardOptions& options) {
    check(options);
    const kernels::Table& table =
        options.kernels != nullptr ? *options.kernels : kernels::default_table();
    return {table, options.threads > 0 ? options.threads : available_cores(),
            needs_of(model, table, options), options.work_per_thread};
  }

  std::int64_t rows() const noexcept { return static_cast<std::int64_t>(tokens.size()); }
  void check_room(std::int64_t count, std::int64_t of_head, std::int64_t of_hidden) const;
  void check_alone(const Sequence& sequence, const Journal* journal) const;
  void begin() noexcept;
  void normalise(ConstMatrixView x, std::span<const std::int64_t> wanted, MatrixView to);
  void run_head(ConstMatrixView x);
  void clear() noexcept;

  std::shared_ptr<const ModelParts> model;
  std::int64_t max_rows;
  Context context;
  std::vector<std::int32_t> tokens;  // [rows]
  std::vector<Slice> slices;
  WantedRows logits;  // [max_logits, vocab]; behind them room for those of the best
  BestTokens best;
  WantedRows hidden;             // [max_hidden, width]
  std::int64_t hidden_rows = 0;  // of the last run
};

ForwardPass::ForwardPass(const Model& model, const ForwardOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}
ForwardPass::ForwardPass(ForwardPass&&) noexcept = default;
ForwardPass& ForwardPass::operator=(ForwardPass&&) noexcept = default;
ForwardPass::~ForwardPass() = default;

void ForwardPass::add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted,
                      Hidden hidden) {
  add(sequence, tokens, wanted, hidden, nullptr);
}

void ForwardPass::try_out(Sequence& sequence, std::span<const std::int32_t> tokens,
                          Journal& journal, Logits wanted, Hidden hidden) {
  add(sequence, tokens, wanted, hidden, &journal);
}

void ForwardPass::add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted,
                      Hidden hidden, Journal* journal) {
  Parts& p = *parts_;
  const auto count = static_cast<std::int64_t>(tokens.size());
  const std::int64_t of_logits = rows_of(wanted, count);
  const std::int64_t of_best = best_rows_of(wanted, count);
  const std::int64_t of_hidden = rows_of(hidden, count);
  p.check_room(count, of_logits + of_best, of_hidden);
  check_tokens(tokens, p.model->config.vocab);
  check_sequence(sequence, count, *p.model);
  if (journal != nullptr) check_journal(*journal, sequence, count);
  p.check_alone(sequence, journal);
  sequence.may_wait = true;
  if (journal != nullptr) journal->may_wait = true;
  const std::int64_t first_row = p.rows();
  p.slices.push_back({&sequence, first_row, count, sequence.position(), journal});
  p.tokens.insert(p.tokens.end(), tokens.begin(), tokens.end());
  p.logits.add(p.rows(), of_logits);
  p.best.add(p.rows(), of_best);
  p.hidden.add(p.rows(), of_hidden);
}

void ForwardPass::Parts::check_room(std::int64_t count, std::int64_t of_head,
                                    std::int64_t of_hidden) const {
  if (count == 0) refuse("no tokens");
  griffin::check_room("tokens", "max_rows", count, rows(), max_rows);
  griffin::check_room("rows of logits", "max_logits", of_head, logits.count() + best.count(),
                      logits.max);
  griffin::check_room("rows of hidden states", "max_hidden", of_hidden, hidden.count(), hidden.max);
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
  const MatrixView logits = p.logits.view(p.logits.count());
  p.hidden_rows = p.hidden.count();
  p.best.begin();
  if (p.rows() == 0) return logits;
  Workspace::Frame frame(p.context.workspace);
  const MatrixView x = frame.matrix(p.rows(), p.model->config.width);
  p.begin();
  p.model->embedding(p.context, p.tokens, x);
  for (const Block& block : p.model->blocks) block(p.context, {p.slices, p.rows()}, x);
  if (p.hidden_rows > 0) p.normalise(x, p.hidden.rows, p.hidden.view(p.hidden_rows));
  p.run_head(x);
  for (const Slice& slice : p.slices) {
    slice.finish();
    slice.sequence->may_wait = false;
    if (slice.journal != nullptr) slice.journal->may_wait = false;
  }
  p.clear();
  return logits;
}

std::span<const BestToken> ForwardPass::best() const noexcept {
  return parts_->best.found();
}

const BestTokenCounts& ForwardPass::best_token_counts() const noexcept {
  return parts_->best.counts();
}

MatrixView ForwardPass::hidden() const noexcept {
  return parts_->hidden.view(parts_->hidden_rows);
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

/// The last norm of the wanted rows of x.
void ForwardPass::Parts::normalise(ConstMatrixView x, std::span<const std::int64_t> wanted,
                                   MatrixView to) {
  for (std::int64_t r = 0; r < to.rows; ++r) {
    std::memcpy(to.row(r), x.row(wanted[static_cast<std::size_t>(r)]),
                static_cast<std::size_t>(x.cols) * sizeof(float));
  }
  model->final_norm(context, to, to);
}

/// Logits, and behind them those of which the best is wanted, or what stands in for them.
void ForwardPass::Parts::run_head(ConstMatrixView x) {
  const std::int64_t of_logits = logits.count();
  const std::int64_t rows_of_head = of_logits + best.count();
  if (rows_of_head == 0) return;
  Workspace::Frame frame(context.workspace);
  const MatrixView normed = frame.matrix(rows_of_head, x.cols);
  if (of_logits > 0) normalise(x, logits.rows, normed.slice(0, of_logits));
  if (best.count() > 0) normalise(x, best.rows(), normed.slice(of_logits, best.count()));
  const MatrixView to = logits.view(rows_of_head);
  if (of_logits == 0 && model->head_screen != nullptr) {
    best.screen(context, *model, normed, to);
    return;
  }
  model->lm_head(context, normed, to);
  best.choose(*context.kernels, to.slice(of_logits, best.count()));
}

void ForwardPass::Parts::clear() noexcept {
  tokens.clear();
  slices.clear();
  logits.rows.clear();
  best.clear();
  hidden.rows.clear();
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
  return parts_->logits.max;
}
std::int64_t ForwardPass::max_hidden() const noexcept {
  return parts_->hidden.max;
}
const kernels::Table& ForwardPass::kernels() const noexcept {
  return *parts_->context.kernels;
}
const Context& ForwardPass::context() const noexcept {
  return parts_->context;
}

}  // namespace griffin
