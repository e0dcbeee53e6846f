// SPDX-License-Identifier: Apache-2.0
// Memory and views at their edges: where a buffer begins, when scratch is used up, rows of a part
// of a matrix.
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "griffin/core/buffer.h"
#include "griffin/core/view.h"
#include "griffin/core/workspace.h"

namespace griffin::test {
namespace {

TEST(Buffer, BeginsOnACacheLineHoweverItIsFilled) {
  std::vector<Buffer> all;  // kept, so that no place is used twice
  for (const Fill fill : {Fill::nothing, Fill::zeros}) {
    for (const std::size_t size : {1U, 24U, 40U, 100U, 1000U, 5000U, 1U << 20}) {
      all.emplace_back(size, fill);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(all.back().data()) % cache_line, 0U) << size;
    }
  }
}

TEST(Buffer, IsEmptyWhenMovedFrom) {
  Buffer first(100);
  const std::byte* const data = first.data();
  const Buffer second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), 100U);
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(first.size(), 0U);
}

TEST(Workspace, GivesAllOfItAndNoMore) {
  Workspace workspace(4 * cache_line);
  Workspace::Frame outer(workspace);
  outer.bytes(cache_line + 1);
  EXPECT_EQ(workspace.used(), 2 * cache_line);
  Workspace::Frame inner(workspace);
  EXPECT_THROW(inner.bytes(2 * cache_line + 1), Error);
  EXPECT_EQ(workspace.used(), 2 * cache_line);
  inner.bytes(2 * cache_line);
  EXPECT_EQ(workspace.used(), workspace.capacity());
  EXPECT_THROW(inner.bytes(1), Error);
}

TEST(Workspace, RemembersTheMostThatWasInUse) {
  Workspace workspace(8 * cache_line);
  {
    Workspace::Frame frame(workspace);
    frame.bytes(5 * cache_line);
  }
  Workspace::Frame frame(workspace);
  frame.bytes(cache_line);
  EXPECT_EQ(workspace.used(), cache_line);
  EXPECT_EQ(workspace.peak(), 5 * cache_line);
}

TEST(Workspace, CountsWhatItWouldTake) {
  Workspace workspace(100 * cache_line);
  Workspace::Frame frame(workspace);
  Workspace::CountingFrame counting;
  for (const std::size_t bytes : {1U, 63U, 64U, 65U, 1000U}) {
    frame.bytes(bytes);
    counting.bytes(bytes);
    EXPECT_EQ(counting.used(), workspace.used()) << bytes;
  }
}

TEST(MatrixView, RowsOfAPartAreAsFarApartAsThoseOfTheWhole) {
  std::vector<float> whole(5 * 8);
  const MatrixView part(whole.data() + 2, 5, 3, 8);
  const MatrixView rows = part.slice(1, 3);
  EXPECT_EQ(rows.rows, 3);
  EXPECT_EQ(rows.cols, 3);
  EXPECT_EQ(rows.row(0), whole.data() + 8 + 2);
  EXPECT_EQ(rows.row(2), whole.data() + 3 * 8 + 2);
}

}  // namespace
}  // namespace griffin::test
