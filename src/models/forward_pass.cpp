// SPDX-License-Identifier: Apache-2.0
#include "griffin/model/forward_pass.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <variant>

#include "griffin/core/error.h"

namespace griffin {
namespace {

constexpr int max_threads = 1024;  // an OpenMP runtime that cannot start them ends the process

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "forward pass: " + what);
}

[[noreturn]] void refuse_for_room(const std::string& what) {
  throw Error(ErrorCode::capacity, "forward pass: " + what);
}

std::size_t workspace_bytes(const kernels::Table& table, const Model& model,
                            const ForwardOptions& options) {
  const std::int64_t width = model.config().width;
  std::size_t block_bytes = 0;
  for (const Block& block : model.blocks()) {
    block_bytes = std::max(
        block_bytes,
        std::visit([&](const auto& b) { return b.workspace_bytes(table, options.max_rows); },
                   block));
  }
  const std::size_t head_bytes = Workspace::matrix_bytes(options.max_logits, width) +
                                 model.lm_head().workspace_bytes(table, options.max_logits);
  return Workspace::matrix_bytes(options.max_rows, width) + std::max(block_bytes, head_bytes);
}

/// The most inputs any matrix of the model has.
std::int64_t widest(const ModelConfig& config) {
  return std::max(
      {config.width, config.lru_width, config.mlp_width, config.heads * config.head_dim});
}

const kernels::Table* kernels_for(const ForwardOptions& options) {
  if (options.kernels != nullptr) return options.kernels;
  const kernels::Table* table = kernels::default_table();
  if (table != nullptr) return table;
  std::string names;
  for (int i = 0; i < kernels::table_count(); ++i) {
    names += i == 0 ? "" : ", ";
    names += kernels::table_at(i).name;
  }
  throw Error(ErrorCode::unsupported,
              "GRIFFIN_ISA names kernels that do not run here; expected one of: " + names);
}

void check_tokens(std::span<const std::int32_t> tokens, std::int64_t vocab) {
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= vocab) {
      refuse("token " + std::to_string(token) + " is outside the vocabulary of " +
             std::to_string(vocab));
    }
  }
}

void check_journal(const Journal& journal, const Sequence& sequence, std::int64_t count,
                   std::span<const Slice> slices) {
  if (journal.layout() != sequence.layout()) refuse("the journal is of another layout");
  if (count > journal.max_rows()) {
    refuse_for_room("the journal has room for " + std::to_string(journal.max_rows()) +
                    " rows, not for " + std::to_string(count));
  }
  for (const Slice& slice : slices) {
    if (slice.journal == &journal) refuse("the journal is already in this pass");
  }
}

void check_sequence(const Sequence& sequence, std::int64_t count, const Model& model) {
  const StateLayout& layout = sequence.layout();
  if (sequence.bytes() != layout.bytes()) refuse("the sequence was moved from");
  const std::int64_t capacity = layout.capacity == unlimited_capacity ? 0 : layout.capacity;
  if (layout != model.state_layout({capacity, layout.kv})) {
    refuse("the sequence was made for another model");
  }
  if (sequence.position() < 0) {
    refuse("the sequence is at position " + std::to_string(sequence.position()));
  }
  const std::int64_t most = std::min(layout.capacity, furthest_position);
  if (sequence.position() > most - count) {
    refuse_for_room("the sequence has room for " + std::to_string(most) + " positions and is at " +
                    std::to_string(sequence.position()) + "; " + std::to_string(count) +
                    " more do not fit");
  }
}

}  // namespace

ForwardPass::ForwardPass(const Model& model, const ForwardOptions& options)
    : model_(model), max_rows_(options.max_rows), max_logits_(options.max_logits) {
  if (options.threads < 0 || options.threads > max_threads) {
    refuse("threads: expected 0 to " + std::to_string(max_threads) + ", found " +
           std::to_string(options.threads));
  }
  if (options.work_per_thread < 1) {
    refuse("work_per_thread: expected >= 1, found " + std::to_string(options.work_per_thread));
  }
  if (max_rows_ < 1 || max_rows_ > most_pass_rows) {
    refuse("max_rows: expected 1 to 2^20, found " + std::to_string(max_rows_));
  }
  if (max_logits_ < 1 || max_logits_ > max_rows_) {
    refuse("max_logits: expected 1 to max_rows, found " + std::to_string(max_logits_));
  }
  const kernels::Table& table = *kernels_for(options);
  context_ = Context(table, options.threads > 0 ? options.threads : available_cores(),
                     workspace_bytes(table, model, options), widest(model.config()),
                     model.config().head_dim, options.work_per_thread);
  logits_ = Buffer(Workspace::matrix_bytes(max_logits_, model.config().vocab));
  tokens_.reserve(static_cast<std::size_t>(max_rows_));
  slices_.reserve(static_cast<std::size_t>(max_rows_));
  logit_rows_.reserve(static_cast<std::size_t>(max_logits_));
}

void ForwardPass::add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted,
                      Journal* journal) {
  const auto count = static_cast<std::int64_t>(tokens.size());
  const std::int64_t wanted_rows = wanted == Logits::all ? count : wanted == Logits::last ? 1 : 0;
  check(sequence, tokens, wanted_rows);
  if (journal != nullptr) check_journal(*journal, sequence, count, slices_);
  const std::int64_t first_row = rows();
  slices_.push_back({&sequence, first_row, count, sequence.position(), journal});
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  for (std::int64_t r = count - wanted_rows; r < count; ++r) logit_rows_.push_back(first_row + r);
}

void ForwardPass::check(const Sequence& sequence, std::span<const std::int32_t> tokens,
                        std::int64_t wanted_rows) const {
  const auto count = static_cast<std::int64_t>(tokens.size());
  const auto logits = static_cast<std::int64_t>(logit_rows_.size());
  if (count == 0) refuse("no tokens");
  if (count > max_rows_ - rows()) {
    refuse_for_room("no room for " + std::to_string(count) + " tokens beside " +
                    std::to_string(rows()) + "; max_rows is " + std::to_string(max_rows_));
  }
  if (wanted_rows > max_logits_ - logits) {
    refuse_for_room("no room for " + std::to_string(wanted_rows) + " rows of logits beside " +
                    std::to_string(logits) + "; max_logits is " + std::to_string(max_logits_));
  }
  check_tokens(tokens, model_.config().vocab);
  check_sequence(sequence, count, model_);
  for (const Slice& slice : slices_) {
    if (slice.sequence == &sequence) refuse("the sequence is already in this pass");
  }
}

MatrixView ForwardPass::run() noexcept {
  const std::int64_t width = model_.config().width;
  const auto wanted = static_cast<std::int64_t>(logit_rows_.size());
  const MatrixView logits(reinterpret_cast<float*>(logits_.data()), wanted, model_.config().vocab);
  if (rows() == 0) return logits;

  Workspace::Frame frame(context_.workspace);
  const MatrixView x = frame.matrix(rows(), width);
  for (Slice& slice : slices_) {
    slice.position = slice.sequence->position();
    if (slice.journal) slice.journal->begin(*slice.sequence, slice.count);
  }
  const Batch batch{slices_, rows()};
  model_.embedding()(context_, tokens_, x);
  for (const Block& block : model_.blocks()) {
    std::visit([&](const auto& b) { b(context_, batch, x); }, block);
  }
  if (wanted > 0) {
    const MatrixView normed = frame.matrix(wanted, width);
    for (std::int64_t r = 0; r < wanted; ++r) {
      std::memcpy(normed.row(r), x.row(logit_rows_[static_cast<std::size_t>(r)]),
                  static_cast<std::size_t>(width) * sizeof(float));
    }
    model_.final_norm()(context_, normed, normed);
    model_.lm_head()(context_, normed, logits);
  }
  for (const Slice& slice : slices_) {
    if (slice.journal == nullptr) slice.sequence->advance(slice.count);
  }
  clear();
  return logits;
}

void ForwardPass::clear() noexcept {
  tokens_.clear();
  slices_.clear();
  logit_rows_.clear();
}

std::int32_t ForwardPass::argmax(ConstMatrixView logits, std::int64_t row) const noexcept {
  return static_cast<std::int32_t>(
      context_.kernels->argmax({.x = logits.row(row), .count = logits.cols}));
}

}  // namespace griffin
