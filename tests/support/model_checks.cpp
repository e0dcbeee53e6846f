// SPDX-License-Identifier: Apache-2.0
#include "support/model_checks.h"

#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "generate/requests.h"
#include "support/random_data.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

constexpr std::int64_t length = 40;

/// What a text must give.
struct Answer {
  std::vector<float> logits;
  std::vector<std::byte> state;
  bool operator==(const Answer&) const = default;
};

Answer run(ForwardPass& pass, Sequence& sequence, Tokens tokens,
           std::vector<std::int64_t> lengths = {length}) {
  std::vector<float> logits = run_in_chunks(pass, sequence, tokens, lengths);
  return {std::move(logits), state_of(sequence)};
}

/// The answer of the text in one pass of one thread; not a trivial one.
Answer whole_text(const Model& model, const kernels::Table& table, Tokens tokens, Dtype kv) {
  ForwardPass pass = pass_for(model, table, length);
  Sequence s = model.new_sequence({0, kv});
  Answer answer = run(pass, s, tokens);
  for (const float logit : answer.logits) {
    if (!std::isfinite(logit)) {
      ADD_FAILURE() << "a logit is not finite";
      break;
    }
  }
  std::vector<std::int32_t> other(tokens.begin(), tokens.end());
  other[0] = other[0] == 0 ? 1 : 0;
  s.reset();
  EXPECT_NE(run(pass, s, other).state, answer.state) << "the first token leaves no trace";
  return answer;
}

void check_tried(ForwardPass& pass, const Model& model, Tokens all, std::size_t before,
                 std::int64_t tried, Dtype kv) {
  Sequence start = model.new_sequence({0, kv});
  if (before > 0) run_at_once(pass, start, all.first(before));
  const Tokens rows = all.subspan(before, static_cast<std::size_t>(tried));
  const Tokens after = all.last(9);
  Journal journal(start.layout(), tried);
  for (std::int64_t kept = 0; kept <= tried; ++kept) {
    SCOPED_TRACE("before " + std::to_string(before) + ", tried " + std::to_string(tried) +
                 ", kept " + std::to_string(kept));
    Sequence s = start.fork();
    Sequence plain = start.fork();
    const std::vector<std::byte> untouched = state_of(s);
    pass.try_out(s, rows, journal);
    const ConstMatrixView found = pass.run();
    const std::vector<float> logits(found.row(0), found.row(found.rows));
    EXPECT_EQ(state_of(s), untouched);
    Sequence all_run = start.fork();
    EXPECT_EQ(logits, run_at_once(pass, all_run, rows));
    journal.commit(s, kept);
    if (kept > 0) run_at_once(pass, plain, rows.first(static_cast<std::size_t>(kept)));
    EXPECT_EQ(s.position(), plain.position());
    if (s.position() > 0) {
      EXPECT_EQ(state_of(s), state_of(plain));
    }
    EXPECT_TRUE(run(pass, s, after) == run(pass, plain, after)) << "going on";
  }
}

}  // namespace

void expect_the_same_bits_however_cut(const Model& model, const kernels::Table& table) {
  expect_the_same_bits_however_cut(model, table, Dtype::f32);
}

void expect_the_same_bits_however_cut(const Model& model, const kernels::Table& table, Dtype kv) {
  const auto tokens = random_tokens(model.config(), length, 5);
  const Answer expected = whole_text(model, table, tokens, kv);
  for (const int threads : {1, 2}) {
    ForwardPass pass = pass_for(model, table, length, threads);
    for (const std::vector<std::int64_t>& lengths : {std::vector<std::int64_t>{length},
                                                     {1},
                                                     {2},
                                                     {3},
                                                     {7},
                                                     {3, 11},
                                                     {1, 13, 2},
                                                     Random(1).partition(length, 9),
                                                     Random(2).partition(length, 20)}) {
      Sequence s = model.new_sequence({0, kv});
      EXPECT_TRUE(run(pass, s, tokens, lengths) == expected)
          << threads << " threads, " << lengths[0] << ", ...";
    }
  }
}

void expect_tried_rows_are_committed(const Model& model, const kernels::Table& table) {
  expect_tried_rows_are_committed(model, table, Dtype::f32);
}

void expect_tried_rows_are_committed(const Model& model, const kernels::Table& table, Dtype kv) {
  const auto tokens = random_tokens(model.config(), length, 6);
  for (const int threads : {1, 2}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    ForwardPass pass = pass_for(model, table, length, threads);
    for (const std::size_t before : {0U, 1U, 2U, 8U, 13U}) {
      for (const std::int64_t tried : {1, 4, 9})
        check_tried(pass, model, tokens, before, tried, kv);
    }
  }
}

void expect_states_go_on(const Model& model, const kernels::Table& table) {
  expect_states_go_on(model, table, Dtype::f32);
}

void expect_states_go_on(const Model& model, const kernels::Table& table, Dtype kv) {
  const auto tokens = random_tokens(model.config(), length, 7);
  ForwardPass pass = pass_for(model, table, length);
  for (const std::size_t cut : {1U, 2U, 3U, 20U}) {
    SCOPED_TRACE("cut after " + std::to_string(cut));
    const Tokens rest = Tokens(tokens).subspan(cut);
    Sequence s = model.new_sequence({0, kv});
    run_at_once(pass, s, Tokens(tokens).first(cut));
    const Snapshot snapshot = s.snapshot();
    std::stringstream file;
    s.save(file, rest.first(3));
    Sequence fork = s.fork();
    Sequence restored = model.new_sequence({0, kv});
    EXPECT_EQ(restored.restore(file), std::vector<std::int32_t>(rest.begin(), rest.begin() + 3));
    EXPECT_EQ(state_of(restored), state_of(s));
    const Answer expected = run(pass, s, rest);
    EXPECT_TRUE(run(pass, fork, rest) == expected) << "forked";
    EXPECT_TRUE(run(pass, restored, rest) == expected) << "restored";
    s.rollback(snapshot);
    EXPECT_TRUE(run(pass, s, rest) == expected) << "rolled back";
  }
}

void expect_guesses_change_nothing(const Model& model, const kernels::Table& table) {
  SchedulerOptions options{.threads = 2, .max_sequences = 5, .max_tokens_per_pass = 40};
  options.kernels = &table;
  options.work_per_thread = 1;
  options.guessing = Guessing::always;
  SchedulerOptions looking = options;
  looking.lookup = 5;
  SchedulerOptions drafting = options;
  drafting.draft = {.model = model, .most = 4};
  drafting.draft.on_guess = [calls = 0, &model](std::int64_t, std::int32_t guess) mutable {
    return ++calls % 3 != 0 ? guess : static_cast<std::int32_t>((guess + 1) % model.config().vocab);
  };
  Generator generator(model, {.threads = 1, .kernels = &table});
  for (const SchedulerOptions& guessing : {looking, drafting}) {
    Scheduler scheduler(model, guessing);
    std::vector<Result> found(12);
    const auto number = [](std::size_t i) { return static_cast<std::uint32_t>(i); };
    for (std::size_t i = 0; i < found.size(); ++i) {
      submit(scheduler, request(model, number(i)), found[i]);
    }
    scheduler.run();
    Result all;
    for (std::size_t i = 0; i < found.size(); ++i) {
      SCOPED_TRACE("text " + std::to_string(i));
      const Request r = request(model, number(i));
      Sequence s = model.new_sequence();
      expect_same(found[i], generator.generate(s, r.prompt, r.options));
      all.guessed += found[i].guessed;
      all.accepted += found[i].accepted;
    }
    EXPECT_GT(all.guessed, 0) << "nothing was tried";
    if (!guessing.draft.model) continue;
    EXPECT_GT(4 * all.accepted, all.guessed)
        << "two of three guesses are right, if it knows the text";
  }
}

}  // namespace griffin::test
