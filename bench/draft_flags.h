// SPDX-License-Identifier: Apache-2.0
// The options of griffin_bench that are about drafts.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "draft_runs.h"
#include "griffin/generate/draft.h"
#include "support/model_options.h"

namespace griffin::bench {

struct DraftFlags {
  /// What they rule out has to be there.
  void add_to(CLI::App& app) {
    CLI::Option* draft =
        app.add_option("--draft", source,
                       "Decode with a draft model and without, in turns: the same weights as int4 "
                       "(or another type), or those of another folder")
            ->type_name("TYPE|DIR");
    // Drafts are about decoding; its ceilings and kernels are those of the other rows.
    for (const char* other : {"--n-prompt", "--profile", "--probe-mib"}) draft->excludes(other);
    app.add_option("--draft-max", most, "Guesses of a pass, at most")
        ->type_name("N")
        ->check(examples::between(1, 64))
        ->needs(draft)
        ->capture_default_str();
    app.add_option("--accept", chances,
                   "Chances that a guess is right, by replacing guesses; else as the draft guesses")
        ->type_name("P,...")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->check(chance())
        ->needs(draft);
    app.add_option("--guessing", guessing_name,
                   "adapted: as many guesses as seem to pay; always: as many as there is room for")
        ->type_name("HOW")
        ->check(CLI::IsMember({"adapted", "always"}))
        ->needs(draft)
        ->capture_default_str();
  }

  bool on() const { return source.has_value(); }

  /// One for each chance of each of these.
  std::vector<DraftTest> tests(const std::vector<Test>& decoding) const {
    const auto guessing = guessing_name == "always" ? Guessing::always : Guessing::adapted;
    std::vector<DraftTest> tests;
    for (const Test& test : decoding) {
      if (chances.empty()) tests.push_back({test, most, std::nullopt, guessing});
      for (const double accept : chances) tests.push_back({test, most, accept, guessing});
    }
    return tests;
  }

  std::optional<std::string> source;  // a type or a folder; none: no drafts
  int most = 8;
  std::vector<double> chances;  // none: what the draft guesses counts
  std::string guessing_name = "adapted";

 private:
  /// Not CLI::Range, which takes "nan".
  static CLI::Validator chance() {
    return CLI::Validator(
        [](std::string& text) {
          double value = 0.0;
          if (!CLI::detail::lexical_cast(text, value)) return "not a number: " + text;
          if (value >= 0.0 && value <= 1.0) return std::string();
          return "from 0 to 1, not " + text;
        },
        "");
  }
};

}  // namespace griffin::bench
