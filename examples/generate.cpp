// SPDX-License-Identifier: Apache-2.0
#include <griffin/griffin.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: generate FOLDER PROMPT\n";
    return 2;
  }
  griffin::TextGenerator model(argv[1]);
  model.generate(argv[2], [](std::string_view text) { std::cout << text << std::flush; });
  std::cout << std::endl;
  if (!std::cout) throw griffin::Error(griffin::ErrorCode::io, "cannot write to stdout");
} catch (const griffin::Error& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
