// SPDX-License-Identifier: Apache-2.0
#include "c/event_queue.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <utility>

#include "support/allocation_counter.h"

namespace griffin::c {
namespace {

griffin_event token(std::uint64_t request, std::int32_t id) {
  griffin_event event{};
  event.request = request;
  event.kind = GRIFFIN_EVENT_TOKEN;
  event.id = id;
  return event;
}

TEST(EventQueue, GivesBackWhatItGotWhateverIsFetchedAndDroppedMeanwhile) {
  std::mt19937 random(5);
  EventQueue queue;
  std::deque<std::pair<griffin_event, std::string>> expected;
  for (std::int32_t i = 0; i < 20000; ++i) {
    const std::uint64_t request = random() % 5;
    const auto choice = random() % 20;
    if (choice < 10) {
      const std::string text(random() % 4, static_cast<char>('a' + i % 26));
      queue.push(token(request, i), text);
      expected.emplace_back(token(request, i), text);
    } else if (choice < 11) {
      queue.drop(request);
      std::erase_if(expected, [&](const auto& e) { return e.first.request == request; });
    } else if (!expected.empty()) {
      const griffin_event found = queue.pop();
      EXPECT_EQ(found.id, expected.front().first.id);
      EXPECT_EQ(found.request, expected.front().first.request);
      ASSERT_EQ(std::string(found.text.data, found.text.size), expected.front().second);
      EXPECT_EQ(found.text.data[found.text.size], '\0');
      expected.pop_front();
    }
    ASSERT_EQ(queue.empty(), expected.empty());
  }
}

TEST(EventQueue, HasRoomForEveryEndThatIsExpected) {
  if (!test::counts_allocations) GTEST_SKIP() << "the thread sanitizer has its own operator new";
  EventQueue queue;
  queue.expect_ends(100);
  for (std::int32_t i = 0; i < 1000; ++i) queue.push(token(1, i), "text");
  const std::int64_t before = test::allocations();
  for (std::int64_t i = 0; i < 100; ++i) queue.push_end(2, i);
  EXPECT_EQ(test::allocations(), before);
  for (std::int32_t i = 0; i < 1000; ++i) EXPECT_EQ(queue.pop().id, i);
  for (std::int64_t i = 0; i < 100; ++i) {
    const griffin_event end = queue.pop();
    EXPECT_EQ(end.kind, GRIFFIN_EVENT_DONE);
    EXPECT_EQ(end.candidate, i);
    EXPECT_EQ(end.text.size, 0U);
  }
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, TakesNoMoreMemoryWhereItIsFetchedAsItFills) {
  if (!test::counts_allocations) GTEST_SKIP() << "the thread sanitizer has its own operator new";
  EventQueue queue;
  const auto round = [&] {
    queue.expect_ends(2);
    for (std::int64_t i = 0; i < 2; ++i) queue.push_end(1, i);
    for (std::int64_t i = 0; i < 2; ++i) EXPECT_EQ(queue.pop().candidate, i);
    for (std::int32_t i = 0; i < 8; ++i) queue.push(token(1, i), "some text");
    for (std::int32_t i = 0; i < 8; ++i) EXPECT_EQ(queue.pop().id, i);
  };
  for (int i = 0; i < 4; ++i) round();
  const std::int64_t before = test::allocations();
  for (int i = 0; i < 1000; ++i) round();
  EXPECT_EQ(test::allocations(), before);
}

TEST(EventQueue, TakesNoMoreMemoryWhereOnlyEndsAreFetched) {
  if (!test::counts_allocations) GTEST_SKIP() << "the thread sanitizer has its own operator new";
  EventQueue queue;
  const auto text = [&] {
    queue.expect_ends(1);
    queue.push_end(7, 0);
    EXPECT_EQ(queue.pop().request, 7U);
  };
  for (int i = 0; i < 8; ++i) text();
  const std::int64_t before = test::allocations();
  for (int i = 0; i < 1000; ++i) text();
  EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace griffin::c
