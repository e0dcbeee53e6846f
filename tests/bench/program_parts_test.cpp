// SPDX-License-Identifier: Apache-2.0
// Parts of the programs that are hard to get at from outside.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "griffin/core/error.h"
#include "griffin/generate/tokenizer.h"
#include "support/draft_options.h"
#include "support/lines.h"
#include "support/loss_by_position.h"
#include "support/models.h"
#include "support/npy.h"
#include "support/program.h"
#include "support/temp_folder.h"
#include "support/visible.h"
#include "table.h"

namespace griffin::test {
namespace {

TEST(ProgramParts, ADraftHasAsManyGuessesAsAreAskedFor) {
  for (const std::string most : {"1", "3", "64"}) {
    CLI::App app;
    const examples::ModelOptions options(app);
    const examples::DraftFlags flags(app);
    app.parse("--draft int8 --draft-max " + most);
    const DraftOptions draft = flags.load(options, options.load_model(), nullptr);
    EXPECT_EQ(draft.most, std::stoi(most));
  }
}

TEST(ProgramParts, NothingCommandsATerminal) {
  EXPECT_EQ(examples::visible("a\tb\n"), "a\tb\n");
  EXPECT_EQ(examples::visible("\x1B[2J\x7F"), "^[[2J^?");
  EXPECT_EQ(examples::visible("\xC2\x9B"
                              "2J"),
            "<U+009B>2J");
  EXPECT_EQ(examples::visible("\xC2\xA0\xC3\x9B"), "\xC2\xA0\xC3\x9B");  // no control characters
  EXPECT_EQ(examples::on_one_line("a\nb\xC2\x85"
                                  "c"),
            "a?b?c");
}

TEST(ProgramParts, ALineMayBeAsLongAsIsAllowed) {
  const TempFolder folder;
  const auto file = folder.write("lines", "12345\n123456\n12345");
  examples::Lines lines(file.string(), 5);
  const auto next = [&] { return lines.next(examples::Lines::for_ever).value(); };
  EXPECT_EQ(next().text, "12345");
  EXPECT_TRUE(next().too_long);
  EXPECT_EQ(next().text, "12345");  // without a line feed
  EXPECT_TRUE(lines.over());
}

TEST(ProgramParts, TheLastRowOfLossesEndsWhereTheTextDoes) {
  examples::LossByPosition losses;
  for (std::int64_t position = 1; position <= 18; ++position) losses.add(position, 1.0);
  const auto rows = losses.rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].position, 16);
  EXPECT_EQ(rows[1].position, 18);
  EXPECT_EQ(rows[1].tokens, 18);
}

TEST(ProgramParts, AnInterruptedProgramSaysSo) {
  const CLI::App app("", "program");
  const auto cancelled = [&]() -> int { throw Error(ErrorCode::cancelled, "stopped"); };
  std::signal(SIGINT, SIG_DFL);  // what runs in the background may have been told to ignore it
  const examples::Interrupt::Listening listening;
  EXPECT_EQ(examples::run_guarded(app, cancelled), 1) << "by something else";
  ASSERT_EQ(std::raise(SIGINT), 0);
  EXPECT_EQ(examples::run_guarded(app, cancelled), 130);
  EXPECT_EQ(examples::run_guarded(app, []() -> int { throw Error(ErrorCode::io, "disk"); }), 1);
}

TEST(ProgramParts, ValuesInCsvAreQuotedWhereTheyMustBe) {
  testing::internal::CaptureStdout();
  bench::Table table(bench::Format::csv);
  table.add({{"name", "a \"b\", c"}, {"rows", 2}}, {});
  table.add({{"name", "plain"}, {"rows", 3}}, {});
  table.finish();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "name,rows\n\"a \"\"b\"\", c\",2\nplain,3\n");
}

TEST(ProgramParts, AnArrayThatIsNotCommittedLeavesNothing) {
  const TempFolder folder;
  {
    examples::NpyWriter writer(folder.path() / "a.npy", {2});
    writer.write(std::vector<float>{1.0F, 2.0F});
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace griffin::test
