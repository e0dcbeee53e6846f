// SPDX-License-Identifier: Apache-2.0
// Tokens of any number of sequences through the model, in one pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "griffin/core/parallel.h"
#include "griffin/core/view.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

class Journal;   // state/journal.h
struct Context;  // layers/context.h

/// Which tokens of a slice the logits are wanted for; they are computed for no others. best_of_...:
/// of those tokens only the most likely next one is wanted, which takes half of the head's reading
/// where the model has a greedy head (Model::with_greedy_head).
enum class Logits { none, last, all, best_of_last, best_of_all };

/// What is wanted of such a row.
struct BestToken {
  std::int32_t id = 0;           // of the largest logit, the first of equals; as argmax() has it
  std::int32_t not_numbers = 0;  // logits that are NaN: of a model that is damaged
};

/// How the most likely tokens were found, since the pass was made.
struct BestTokenCounts {
  std::int64_t rows = 0;
  std::int64_t screened = 0;    // of them, those for which the head was not read as a whole
  std::int64_t candidates = 0;  // tokens whose logits were computed for these
};

/// Which tokens of a slice the hidden states are wanted for: what the last norm gives and the head
/// multiplies, which transformers calls last_hidden_state. A text's embedding is made of them.
enum class Hidden { none, last, all };

struct ForwardOptions {
  int threads = 0;              // 0: all cores
  std::int64_t max_rows = 512;  // tokens of one pass, over all sequences
  std::int64_t max_logits = 1;  // rows of one pass that logits or the best are wanted of
  const kernels::Table* kernels = nullptr;  // null: kernels::default_table()
  /// Multiply-adds below which a share of work is not worth a thread.
  std::int64_t work_per_thread = default_work_per_thread;
  std::int64_t max_hidden = 0;  // rows of hidden states of one pass
};

/// Puts passes together and runs them. Everything a pass can do wrong is refused by add(); run()
/// cannot fail and allocates nothing. One per calling thread, which is not checked. A sequence
/// stays where it is, alive and unmoved, from add() to run(); it may go back to an earlier position
/// meanwhile, but not on.
///
/// The bits of a token's logits and hidden state depend on the tokens before it in its sequence and
/// on nothing else: not on how they were cut into passes, nor on what shared them, nor on the
/// number of threads.
class ForwardPass {
 public:
  /// Throws Error(unsupported) where GRIFFIN_ISA names kernels that do not run here, and
  /// Error(invalid_argument) for options without meaning.
  explicit ForwardPass(const Model& model, const ForwardOptions& options = {});
  ForwardPass(ForwardPass&&) noexcept;
  ForwardPass& operator=(ForwardPass&&) noexcept;
  ~ForwardPass();

  /// Adds the next tokens of a sequence. Throws, and adds nothing, when the pass is full, a token
  /// is outside the vocabulary, or the sequence is of another model, out of room (of its capacity,
  /// or of 2^48 positions), moved from or already in this pass.
  void add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted = Logits::last,
           Hidden hidden = Hidden::none);

  /// The same for tokens that are only tried: run() leaves the sequence where it is, and
  /// journal.commit() makes as many of them part of it as turned out right. The journal has to be
  /// there until then, and the sequence as run() left it. Throws also where its layout is another,
  /// it has too few rows or it is already in this pass.
  void try_out(Sequence& sequence, std::span<const std::int32_t> tokens, Journal& journal,
               Logits wanted = Logits::all, Hidden hidden = Hidden::none);

  /// Runs what was added, moves the sequences on and forgets them. Returns [wanted rows, vocab], in
  /// the order they were added; valid until the next call. Rows of which only the best token is
  /// wanted are not among them.
  MatrixView run() noexcept;

  /// The most likely tokens that the last run() was asked for, in the order in which their rows
  /// were added; valid until the next one. Where a pass computes logits of other rows as well, the
  /// head is read anyway, and used for all.
  std::span<const BestToken> best() const noexcept;
  const BestTokenCounts& best_token_counts() const noexcept;

  /// The hidden states that the last run() was asked for, [rows, width], in the order in which they
  /// were added; valid until the next one.
  MatrixView hidden() const noexcept;

  /// Forgets what was added.
  void clear() noexcept;

  /// The index of the largest logit of a row.
  std::int32_t argmax(ConstMatrixView logits, std::int64_t row) const noexcept;

  std::int64_t rows() const noexcept;
  std::int64_t max_rows() const noexcept;
  std::int64_t max_logits() const noexcept;
  std::int64_t max_hidden() const noexcept;
  const kernels::Table& kernels() const noexcept;
  const Context& context() const noexcept;

 private:
  struct GRIFFIN_LOCAL Parts;

  void add(Sequence& sequence, std::span<const std::int32_t> tokens, Logits wanted, Hidden hidden,
           Journal* journal);

  std::unique_ptr<Parts> parts_;
};

}  // namespace griffin
