// SPDX-License-Identifier: Apache-2.0
// Bytes as a sequence of calls of the C API: with handles that are there and NULL, structs of every
// size, numbers with and without a meaning. Each call gives a status it may give and a message that
// ends; a handle is there where it succeeded and NULL where it did not; nothing is lost.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/c_api_arguments.h"
#include "fuzz/target.h"
#include "griffin/griffin_c.h"

namespace griffin::fuzz {
namespace {

class Play : private Arguments {
 public:
  explicit Play(Numbers numbers) : Arguments(numbers) {}

  void run() {
    while (!numbers_.empty()) {
      switch (numbers_.below(8)) {
        case 0:
          make();
          break;
        case 1:
          use_sequence();
          break;
        case 2:
          exchange_states();
          break;
        case 3:
          run_pass();
          break;
        case 4:
          generate();
          break;
        case 5:
          use_tokenizer();
          break;
        case 6:
          use_scheduler();
          break;
        default:
          step();
          break;
      }
    }
  }

 private:
  template <class Call>
  bool ok(const Call& call) {
    Status status(numbers_);
    return status.holds(call(status.error()));
  }
  /// Of calls that make a handle.
  template <class T, class Call>
  void make(Handles<T>& handles, const Call& call) {
    T* made = handles.any(numbers_);  // anything
    const bool is_made = ok([&](griffin_error* error) { return call(&made, error); });
    require(is_made == (made != nullptr));
    if (is_made) handles.put(numbers_, made);
  }

  void make() {
    switch (numbers_.below(4)) {
      case 0: {
        const auto options = sequence_options();
        make(sequences_, [&](griffin_sequence** made, griffin_error* error) {
          return griffin_sequence_new(model(), given(options), made, error);
        });
        break;
      }
      case 1:
        make_pass();
        break;
      case 2:
        make_generator();
        break;
      default:
        make_scheduler();
        break;
    }
  }

  void make_pass() {
    griffin_pass_options o{};
    o.struct_size = size_of_struct<griffin_pass_options>();
    o.threads = 1;
    o.max_rows = count();
    o.max_logits = count();
    make(passes_, [&](griffin_pass** made, griffin_error* error) {
      return griffin_pass_new(model(), given(o), made, error);
    });
  }

  void make_generator() {
    griffin_generator_options o{};
    o.struct_size = size_of_struct<griffin_generator_options>();
    o.threads = 1;
    o.chunk = count();
    o.lookup = count();
    if (numbers_.yes()) o.draft = model();
    o.draft_most = count();
    o.always_guess = flag();
    make(generators_, [&](griffin_generator** made, griffin_error* error) {
      return griffin_generator_new(model(), given(o), made, error);
    });
  }

  void make_scheduler() {
    griffin_scheduler_options o{};
    const auto sequence = sequence_options();
    o.struct_size = size_of_struct<griffin_scheduler_options>();
    o.threads = 1;
    o.max_sequences = count();
    o.max_tokens_per_pass = count();
    o.sequence = given(sequence);
    o.prefix_cache_bytes = numbers_.yes() ? numbers_.bytes(2) : 0;
    o.lookup = count();
    if (numbers_.yes()) o.draft = model();
    o.draft_most = count();
    o.always_guess = flag();
    o.max_logits = count();
    make(schedulers_, [&](griffin_scheduler** made, griffin_error* error) {
      const griffin_status status = griffin_scheduler_new(model(), given(o), made, error);
      over_.erase(*made);  // of one that was in its place
      return status;
    });
  }

  void use_sequence() {
    griffin_sequence* sequence = sequences_.any(numbers_);
    switch (numbers_.below(6)) {
      case 0:
        make(sequences_, [&](griffin_sequence** made, griffin_error* error) {
          return griffin_sequence_fork(sequence, made, error);
        });
        break;
      case 1:
        make(snapshots_, [&](griffin_snapshot** made, griffin_error* error) {
          return griffin_sequence_snapshot(sequence, made, error);
        });
        break;
      case 2:
        griffin_sequence_reset(sequence);
        break;
      case 3: {
        griffin_sequence* from = sequences_.any(numbers_);
        if (ok([&](griffin_error* e) { return griffin_sequence_copy(sequence, from, e); })) {
          require(griffin_sequence_position(sequence) == griffin_sequence_position(from));
        }
        break;
      }
      case 4: {
        griffin_snapshot* to = snapshots_.any(numbers_);
        if (ok([&](griffin_error* e) { return griffin_sequence_rollback(sequence, to, e); })) {
          require(griffin_sequence_position(sequence) == griffin_snapshot_position(to));
        }
        break;
      }
      default: {
        std::size_t unread = 1;
        const std::int32_t* ids = griffin_sequence_unread(sequence, &unread);
        require(unread == 0 || ids != nullptr);
        require(griffin_sequence_used_bytes(sequence) <= griffin_sequence_bytes(sequence));
      }
    }
  }

  /// A state written to memory, changed perhaps, and read.
  void exchange_states() {
    griffin_sequence* from = sequences_.any(numbers_);
    griffin_sequence* to = sequences_.any(numbers_);
    const auto unread = ids();
    std::size_t needed = 0;
    griffin_sequence_write(from, unread.data(), unread.size(), nullptr, 0, &needed, nullptr);
    std::vector<char> bytes(needed);
    const bool written = ok([&](griffin_error* error) {
      return griffin_sequence_write(from, unread.data(), unread.size(), bytes.data(), bytes.size(),
                                    &needed, error);
    });
    require(written == (from != nullptr));
    bool is_whole = true;
    if (!bytes.empty() && numbers_.yes()) {
      bytes[static_cast<std::size_t>(numbers_.bytes(2)) % bytes.size()] ^= 1;
      is_whole = false;
    }
    const std::int64_t before = griffin_sequence_position(to);
    if (ok([&](griffin_error* e) {
          return griffin_sequence_read(to, bytes.data(), bytes.size(), e);
        })) {
      std::size_t count = 0;
      const std::int32_t* kept = griffin_sequence_unread(to, &count);
      require(is_whole && std::equal(unread.begin(), unread.end(), kept, kept + count));
    } else {
      require(griffin_sequence_position(to) == before);
    }
  }

  void run_pass() {
    griffin_pass* pass = passes_.any(numbers_);
    griffin_sequence* sequence = sequences_.any(numbers_);
    const auto prompt = ids();
    const griffin_logits wanted = numbers_.below(16) == 0 ? 3 : numbers_.below(3);
    const std::size_t room = numbers_.below(4) == 0 ? 1 : prompt.size();
    std::vector<float> logits(room * vocab);
    std::size_t rows = 0;
    const std::int64_t before = griffin_sequence_position(sequence);
    const bool done = ok([&](griffin_error* error) {
      return griffin_pass_run(pass, sequence, prompt.data(), prompt.size(), wanted, logits.data(),
                              room, &rows, error);
    });
    const std::int64_t moved = griffin_sequence_position(sequence) - before;
    require(moved == (done ? static_cast<std::int64_t>(prompt.size()) : 0));
    if (!done || rows == 0) return;
    std::vector<float> logprobs(rows);
    require(ok([&](griffin_error* error) {
      return griffin_pass_logprobs(pass, logits.data(), rows, prompt.data(), logprobs.data(),
                                   error);
    }));
    for (const float logprob : logprobs) require(logprob <= 0);
  }

  void check(const griffin_result* result) {
    griffin_result_info info{};
    info.struct_size = sizeof(info);
    require(griffin_result_get_info(result, &info, nullptr) == GRIFFIN_OK);
    std::size_t tokens = 0;
    std::size_t logprobs = 0;
    const std::int32_t* ids = griffin_result_tokens(result, &tokens);
    griffin_result_logprobs(result, &logprobs);
    require(std::all_of(ids, ids + tokens, [](std::int32_t id) { return id >= 0 && id < vocab; }));
    require(logprobs == 0 || logprobs == tokens);
    require(info.fed_back <= static_cast<std::int64_t>(tokens) && info.accepted <= info.guessed);
    require((griffin_result_error(result, nullptr) != GRIFFIN_OK) ==
            (info.reason == GRIFFIN_STOP_FAILED));
    std::size_t size = 0;
    const char* text = griffin_result_text(result, &size);
    require(std::strlen(text) <= size);
  }

  void generate() {
    griffin_generator* generator = generators_.any(numbers_);
    griffin_sequence* sequence = sequences_.any(numbers_);
    const auto prompt = ids();
    const auto options = generate_options();
    griffin_result* result = nullptr;
    const bool done = ok([&](griffin_error* error) {
      return griffin_generate(generator, sequence, prompt.data(), prompt.size(), given(options),
                              &result, error);
    });
    require(done == (result != nullptr));
    if (done) check(result);
    griffin_result_free(result);
  }

  void use_tokenizer() {
    const griffin_tokenizer* of = tokenizer();
    std::string text;
    for (int i = numbers_.below(12); i > 0; --i) text += static_cast<char>(numbers_.bytes(1));
    std::vector<std::int32_t> ids(static_cast<std::size_t>(numbers_.below(40)), -7);
    std::size_t needed = 0;
    const bool done = ok([&](griffin_error* error) {
      return griffin_tokenizer_encode(of, text.data(), text.size(), ids.data(), ids.size(), &needed,
                                      error);
    });
    for (std::size_t i = done ? needed : 0; i < ids.size(); ++i) require(ids[i] == -7);
    if (!done) return;
    std::string back(4 * text.size() + 16, '\0');
    require(ok([&](griffin_error* error) {
      return griffin_tokenizer_decode(of, ids.data(), std::exchange(needed, 0), back.data(),
                                      back.size(), &needed, error);
    }));
    const auto id = static_cast<std::int32_t>(number());
    const bool is_piece = ok([&](griffin_error* error) {
      return griffin_tokenizer_piece(of, id, back.data(), back.size(), &needed, error);
    });
    require(!is_piece || griffin_tokenizer_piece_kind(of, id) != GRIFFIN_PIECE_NONE);
    std::int32_t found = 0;
    ok([&](griffin_error* error) {
      return griffin_tokenizer_find(of, text.data(), text.size(), &found, error);
    });
    const griffin_turn turn = {numbers_.below(3), {text.data(), text.size()}};
    ok([&](griffin_error* error) {
      return griffin_chat_encode(of, model(), &turn, 1, ids.data(), ids.size(), &needed, error);
    });
  }

  void use_scheduler() {
    griffin_scheduler* scheduler = schedulers_.any(numbers_);
    const std::uint64_t id = static_cast<std::uint64_t>(numbers_.below(6));
    switch (numbers_.below(6)) {
      case 0:
      case 1:
        submit(scheduler);
        break;
      case 2: {
        std::int32_t was = 0;
        ok([&](griffin_error* e) { return griffin_scheduler_cancel(scheduler, id, &was, e); });
        require(was == 0 || was == 1);
        break;
      }
      case 3:
        griffin_scheduler_forget(scheduler, id);
        break;
      case 4: {
        griffin_result* result = nullptr;
        const std::int64_t candidate = number();
        const bool taken = ok([&](griffin_error* error) {
          return griffin_scheduler_take_result(scheduler, id, candidate, &result, error);
        });
        require(taken == (result != nullptr));
        if (taken) check(result);
        griffin_result_free(result);
        break;
      }
      default: {
        const std::int64_t candidate = number();
        make(snapshots_, [&](griffin_snapshot** made, griffin_error* error) {
          return griffin_scheduler_take_snapshot(scheduler, id, candidate, made, error);
        });
      }
    }
  }

  void submit(griffin_scheduler* scheduler) {
    const auto prompt = ids();
    const auto options = generate_options();
    griffin_request r{};
    r.struct_size = size_of_struct<griffin_request>();
    r.prompt = prompt.data();
    r.prompt_count = prompt.size();
    r.options = given(options);
    if (numbers_.below(4) == 0) r.start = snapshots_.any(numbers_);
    r.candidates = numbers_.yes() ? 0 : count();
    r.cache_key = static_cast<std::uint64_t>(numbers_.below(2));
    r.events = numbers_.yes() ? 0 : static_cast<std::int32_t>(number());
    r.keep_snapshots = flag();
    std::uint64_t id = 0;
    const bool taken = ok([&](griffin_error* error) {
      return griffin_scheduler_submit(scheduler, given(r), &id, error);
    });
    require(taken == (id != 0));
  }

  void step() {
    griffin_scheduler* scheduler = schedulers_.any(numbers_);
    std::int32_t more = 1;
    for (int steps = numbers_.below(4); steps > 0; --steps) {
      ok([&](griffin_error* error) { return griffin_scheduler_step(scheduler, &more, error); });
    }
    for (int events = numbers_.below(16); events > 0; --events) fetch(scheduler);
    griffin_statistics statistics{};
    statistics.struct_size = size_of_struct<griffin_statistics>();
    if (statistics.struct_size > sizeof(statistics)) statistics.struct_size = sizeof(statistics);
    ok([&](griffin_error* error) {
      return griffin_scheduler_get_statistics(scheduler, &statistics, error);
    });
    ok([&](griffin_error* error) { return griffin_scheduler_wait_event(scheduler, 0, error); });
  }

  /// Of a text there is one end, and nothing after it.
  void fetch(griffin_scheduler* scheduler) {
    griffin_event event{};
    event.struct_size = size_of_struct<griffin_event>();
    if (event.struct_size > sizeof(event)) event.struct_size = sizeof(event);
    const bool is_one = ok([&](griffin_error* error) {
      return griffin_scheduler_next_event(scheduler, &event, error);
    });
    if (!is_one) return;
    const std::pair text(event.request, event.candidate);
    std::set<std::pair<std::uint64_t, std::int64_t>>& over = over_[scheduler];
    require(!over.contains(text));
    if (event.kind == GRIFFIN_EVENT_DONE) over.insert(text);
  }

  std::map<griffin_scheduler*, std::set<std::pair<std::uint64_t, std::int64_t>>> over_;
  Handles<griffin_sequence> sequences_{griffin_sequence_free};
  Handles<griffin_snapshot> snapshots_{griffin_snapshot_free};
  Handles<griffin_pass> passes_{griffin_pass_free};
  Handles<griffin_generator> generators_{griffin_generator_free};
  Handles<griffin_scheduler> schedulers_{griffin_scheduler_free};
};

}  // namespace
}  // namespace griffin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  griffin::fuzz::Play(griffin::fuzz::Numbers({data, size})).run();
  return 0;
}
