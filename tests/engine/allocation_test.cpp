// SPDX-License-Identifier: Apache-2.0
// The token path takes nothing from the heap, and no more scratch than the layers declared.
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <string>
#include <variant>
#include <vector>

#include "support/allocation_counter.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

TEST(Allocations, AreCounted) {
  if (!counts_allocations) GTEST_SKIP() << "operator new is the sanitizer's own";
  constexpr std::align_val_t line{cache_line};
  const std::int64_t before = allocations();
  ::operator delete(::operator new(10));
  ::operator delete[](::operator new[](10));
  ::operator delete(::operator new(10, line), line);
  ::operator delete(::operator new(10, std::nothrow));
  EXPECT_EQ(allocations() - before, 4);
}

class AllocationTest : public IsaTest {};

constexpr Dtype weight_types[] = {Dtype::f32, Dtype::bf16, Dtype::int8, Dtype::int4};

std::vector<NamedConfig> models() {
  return {{"griffin", tiny_griffin(8)},
          {"hawk", tiny_hawk()},
          {"transformer", tiny_transformer()},
          {"wide", wide_griffin()}};
}

/// A prefill of two sequences in chunks and a greedy decode of both, across the window.
void run_two_texts(ForwardPass& pass, std::vector<Sequence>& sequences, Tokens prompt) {
  for (std::size_t begin = 0; begin < prompt.size(); begin += 12) {
    for (Sequence& s : sequences) pass.add(s, prompt.subspan(begin, 12));
    pass.run();
  }
  std::int32_t token = prompt.back();
  for (int step = 0; step < 12; ++step) {
    for (Sequence& s : sequences) pass.add(s, {&token, 1});
    token = pass.argmax(pass.run(), 0);
  }
}

void expect_no_allocations(const Model& model, ForwardPass& pass) {
  std::vector<Sequence> sequences;
  for (int i = 0; i < 2; ++i) {
    sequences.push_back(model.new_sequence({capacity_for(model.config(), 36), Dtype::f32}));
  }
  const auto prompt = random_tokens(model.config(), 24, 90);
  run_two_texts(pass, sequences, prompt);  // the helpers come to life
  for (Sequence& s : sequences) s.reset();
  const std::int64_t before = allocations();
  run_two_texts(pass, sequences, prompt);
  EXPECT_EQ(allocations() - before, 0);
  EXPECT_EQ(sequences[0].position(), 36);
}

TEST_P(AllocationTest, NoneOnceThePassIsThere) {
  for (const NamedConfig& named : models()) {
    for (const Dtype dtype : weight_types) {
      const Model model = Model::random(named.config, dtype, 1);
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(std::string(named.name) + ", " + name_of(dtype) + ", " +
                     std::to_string(threads) + " threads");
        ForwardPass pass = pass_for(model, table(), 24, threads);
        expect_no_allocations(model, pass);
      }
    }
  }
}

/// Peak scratch of a full pass, and what the layers say they take: the residual stream and the
/// largest block.
TEST_P(AllocationTest, ScratchIsWhatTheLayersDeclare) {
  constexpr std::int64_t rows = 24;
  for (const NamedConfig& named : models()) {
    for (const Dtype dtype : weight_types) {
      SCOPED_TRACE(std::string(named.name) + ", " + name_of(dtype));
      const Model model = Model::random(named.config, dtype, 1);
      ForwardPass pass = pass_for(model, table(), rows);
      Sequence sequence = model.new_sequence({capacity_for(named.config, rows), Dtype::bf16});
      pass.add(sequence, random_tokens(named.config, rows, 91));
      pass.run();
      const Workspace& workspace = pass.context().workspace;
      EXPECT_EQ(workspace.used(), 0U);
      EXPECT_LE(workspace.peak(), workspace.capacity());
      std::size_t largest = 0;
      for (const Block& block : model.parts().blocks) {
        largest = std::max(largest, block.needs(table(), rows).workspace);
      }
      EXPECT_EQ(workspace.peak(), Workspace::matrix_bytes(rows, named.config.width) + largest);
    }
  }
}

/// A block alone fits exactly into what it declares; one byte less, and it throws.
void expect_exact_scratch(const kernels::Table& table, const Model& model, const Block& block,
                          std::int64_t rows) {
  Sequence sequence = model.new_sequence();
  std::vector<float> stream(static_cast<std::size_t>(rows * model.config().width), 0.5F);
  const Slice slice{&sequence, 0, rows, 0};
  const auto run = [&](Context& context) {
    const MatrixView x{stream.data(), rows, model.config().width};
    block(context, {{&slice, 1}, rows}, x);
  };
  const Needs declared = block.needs(table, rows);
  Context context(table, 1, declared);
  run(context);
  EXPECT_EQ(context.workspace.peak(), declared.workspace) << rows << " rows";
  Context small(table, 1, {declared.workspace - 1, declared.scratch});
  EXPECT_THROW(run(small), Error);
  EXPECT_EQ(small.workspace.used(), 0U);
}

TEST_P(AllocationTest, EveryBlockTakesExactlyWhatItDeclares) {
  for (const Dtype dtype : weight_types) {
    SCOPED_TRACE(name_of(dtype));
    const Model model = Model::random(tiny_griffin(8), dtype, 1);
    for (const std::int64_t rows : {1, 7, 24}) {
      for (const Block& block : model.parts().blocks)
        expect_exact_scratch(table(), model, block, rows);
    }
  }
}

TEST(WorkspaceTest, RefusesMoreThanItHasAndStaysUsable) {
  Workspace workspace(256);
  Workspace::Frame outer(workspace);
  outer.bytes(1);  // a cache line
  {
    Workspace::Frame inner(workspace);
    inner.bytes(192);
    EXPECT_THROW(inner.bytes(1), Error);
    EXPECT_EQ(workspace.used(), 256U);
  }
  EXPECT_EQ(workspace.used(), 64U);
  EXPECT_EQ(workspace.peak(), 256U);
  EXPECT_NO_THROW(outer.bytes(192));
}

INSTANTIATE_TEST_SUITE_P(Isa, AllocationTest, ::testing::ValuesIn(all_tables()), table_name);

}  // namespace
}  // namespace griffin::test
