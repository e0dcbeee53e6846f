// SPDX-License-Identifier: Apache-2.0
// How many threads the program has after work for one thread, and after work for two.
#include <griffin/core/parallel.h>

#include <filesystem>
#include <iostream>
#include <iterator>

int main() {
  for (const int threads : {1, 2}) {
    griffin::parallel_for(threads, 2, 1, [](std::int64_t, std::int64_t) {});
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    std::cout << (threads == 1 ? "" : " ") << std::distance(begin(tasks), end(tasks));
  }
  std::cout << '\n';
}
