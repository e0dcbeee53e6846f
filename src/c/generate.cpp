// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/generate.h"

#include "c/boundary.h"
#include "c/convert.h"
#include "c/handles.h"
#include "griffin/generate/generator.h"

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

struct griffin_generator {
  griffin::Model model;
  griffin::Generator generator;
};

griffin_status griffin_generator_new(const griffin_model* model,
                                     const griffin_generator_options* options,
                                     griffin_generator** generator, griffin_error* error) {
  return guarded(error, [&] {
    griffin_generator*& out = cleared(generator, "generator");
    const griffin::Model& of = required(model, "model").model;
    const auto given = options_of(options, "griffin_generator_options");
    check_reserved(given.reserved, "griffin_generator_options");
    griffin::GeneratorOptions how;
    how.threads = threads_of(given.threads, "griffin_generator_options.threads");
    how.chunk = or_default(given.chunk, how.chunk);
    how.lookup = given.lookup;
    how.draft = draft_options(given.draft, given.draft_most);
    how.guessing = guessing_of(given.always_guess, "griffin_generator_options.always_guess");
    out = new griffin_generator{of, griffin::Generator(of, how)};
  });
}

void griffin_generator_free(griffin_generator* generator) {
  delete generator;
}

griffin_status griffin_generate(griffin_generator* generator, griffin_sequence* sequence,
                                const int32_t* prompt, size_t count,
                                const griffin_generate_options* options, griffin_result** result,
                                griffin_error* error) {
  return guarded(error, [&] {
    griffin_result*& out = cleared(result, "result");
    griffin_generator& with = required(generator, "generator");
    griffin_sequence& on = required(sequence, "sequence");
    const auto given = options_of(options, "griffin_generate_options");
    const griffin::GenerateOptions how = generate_options(given, with.model);
    auto over = std::make_unique<griffin_result>();
    const struct Unread {  // is read, or behind the state, once that has moved on
      griffin_sequence& of;
      std::int64_t before = of.sequence.position();
      ~Unread() {
        if (of.sequence.position() != before) of.unread.clear();
      }
    } unread{on};
    over->result = with.generator.generate(on.sequence, array(prompt, count, "prompt"), how);
    out = over.release();
  });
}
