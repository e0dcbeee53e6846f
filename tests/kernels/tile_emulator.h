// SPDX-License-Identifier: Apache-2.0
// Runs Intel's tile instructions on an x86-64 CPU that has none.
#pragma once

namespace griffin::test {

/// While one lives, instructions for tiles that the CPU refuses are carried out by the handler of
/// that signal, for the thread that made it. Everything else in SIGILL goes its old way.
class TileEmulator {
 public:
  TileEmulator();
  ~TileEmulator();
  TileEmulator(const TileEmulator&) = delete;
  TileEmulator& operator=(const TileEmulator&) = delete;

  /// Whether tiles are in use: configured and not yet released.
  static bool configured();
  /// Instructions since it was made.
  static long instructions();
};

}  // namespace griffin::test
