// SPDX-License-Identifier: Apache-2.0
#include "kernels/tile_emulator.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <signal.h>
#include <ucontext.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace griffin::test {
namespace {

constexpr int rows_of_tile = 16;
constexpr int bytes_of_row = 64;

struct Tile {
  std::array<std::array<unsigned char, bytes_of_row>, rows_of_tile> rows;
};

struct State {
  bool configured = false;
  int rows[8] = {};
  int row_bytes[8] = {};
  Tile tiles[8] = {};
  long instructions = 0;
};

State state;
struct sigaction before;

/// Reads an instruction byte after byte, and the registers that it names.
class Decoder {
 public:
  explicit Decoder(const ucontext_t& context)
      : registers_(context.uc_mcontext.gregs),
        at_(reinterpret_cast<const unsigned char*>(registers_[REG_RIP])) {}

  unsigned char byte() { return *at_++; }
  const unsigned char* end() const { return at_; }
  const unsigned char* peek() const { return at_; }

  /// A general register, by its number in an instruction.
  std::int64_t general(int number) const {
    static constexpr int places[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                     REG_R12, REG_R13, REG_R14, REG_R15};
    return registers_[places[number]];
  }

  std::int64_t displacement(int bytes) {
    std::int64_t value = 0;
    if (bytes == 1) value = static_cast<std::int8_t>(*at_);
    if (bytes == 4) {
      std::int32_t wide;
      std::memcpy(&wide, at_, sizeof wide);
      value = wide;
    }
    at_ += bytes;
    return value;
  }

 private:
  const greg_t* registers_;
  const unsigned char* at_;
};

/// Where an instruction's memory is: base and index apart, since that of a tile is its stride.
struct Address {
  std::int64_t base;
  std::int64_t index;
};

struct Extensions {
  int reg, index, base;  // 8 where the register is one of the upper eight
};

Address address_of(Decoder& code, unsigned char modrm, const Extensions& extensions) {
  const int mod = modrm >> 6;
  const int rm = modrm & 7;
  const int displacement_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
  if (rm != 4) {
    if (mod == 0 && rm == 5) {  // relative to the next instruction
      const std::int64_t offset = code.displacement(4);
      return {reinterpret_cast<std::int64_t>(code.end()) + offset, 0};
    }
    const std::int64_t base = code.general(rm + extensions.base);
    return {base + code.displacement(displacement_bytes), 0};
  }
  const unsigned char sib = code.byte();
  const int index = (sib >> 3 & 7) + extensions.index;
  const bool no_base = mod == 0 && (sib & 7) == 5;
  const std::int64_t base = no_base ? 0 : code.general((sib & 7) + extensions.base);
  const std::int64_t scaled = index == 4 ? 0 : code.general(index) * (1 << (sib >> 6));
  return {base + code.displacement(no_base ? 4 : displacement_bytes), scaled};
}

/// Whether it is a configuration at all: the CPU refuses another.
bool configure(const Address& from) {
  unsigned char config[64];
  std::memcpy(config, reinterpret_cast<const void*>(from.base + from.index), sizeof config);
  bool valid = config[0] == 1 && config[1] == 0;
  for (int i = 2; i < 64; ++i) {
    const bool reserved = i < 16 || (i >= 32 && i < 48) || i >= 56;
    valid = valid && (!reserved || config[i] == 0);
  }
  for (int t = 0; t < 8; ++t) {
    state.tiles[t] = {};
    state.row_bytes[t] = config[16 + 2 * t] + 256 * config[17 + 2 * t];
    state.rows[t] = config[48 + t];
    valid = valid && state.rows[t] <= rows_of_tile && state.row_bytes[t] <= bytes_of_row;
  }
  state.configured = valid;
  return valid;
}

/// Whether [M, N] += [M, K] [K, N] fit one another, in three registers.
bool fit(int c, int a, int b) {
  return c != a && c != b && a != b && state.rows[c] == state.rows[a] &&
         state.row_bytes[c] == state.row_bytes[b] && state.row_bytes[a] == 4 * state.rows[b] &&
         state.row_bytes[c] % 4 == 0 && state.rows[c] > 0 && state.row_bytes[c] > 0;
}

void load(int t, const Address& from) {
  state.tiles[t] = {};
  for (int r = 0; r < state.rows[t]; ++r) {
    std::memcpy(state.tiles[t].rows[static_cast<std::size_t>(r)].data(),
                reinterpret_cast<const void*>(from.base + r * from.index),
                static_cast<std::size_t>(state.row_bytes[t]));
  }
}

void store(int t, const Address& to) {
  for (int r = 0; r < state.rows[t]; ++r) {
    std::memcpy(reinterpret_cast<void*>(to.base + r * to.index),
                state.tiles[t].rows[static_cast<std::size_t>(r)].data(),
                static_cast<std::size_t>(state.row_bytes[t]));
  }
}

float bf16_of(const Tile& tile, int row, int element) {
  const unsigned char* bytes = tile.rows[static_cast<std::size_t>(row)].data() + 2 * element;
  const std::uint32_t bits = static_cast<std::uint32_t>(bytes[0] + 256 * bytes[1]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class Word>
Word word_of(const Tile& tile, int row, int column) {
  Word word;
  std::memcpy(&word, tile.rows[static_cast<std::size_t>(row)].data() + 4 * column, sizeof word);
  return word;
}

template <class Word>
void set_word(Tile& tile, int row, int column, Word word) {
  std::memcpy(tile.rows[static_cast<std::size_t>(row)].data() + 4 * column, &word, sizeof word);
}

/// C += A B of bf16 numbers by the CPU's own multiply-add, with its own way to take and to leave
/// denormal numbers as zero.
[[gnu::target("fma"), gnu::noinline]] void dot_bf16(int c, int a, int b) {
  for (int m = 0; m < state.rows[c]; ++m) {
    for (int n = 0; n < state.row_bytes[c] / 4; ++n) {
      float even = 0.0F;
      float odd = 0.0F;
      for (int k = 0; k < state.row_bytes[a] / 4; ++k) {
        const Tile& left = state.tiles[a];
        const Tile& right = state.tiles[b];
        even = __builtin_fmaf(bf16_of(left, m, 2 * k), bf16_of(right, k, 2 * n), even);
        odd = __builtin_fmaf(bf16_of(left, m, 2 * k + 1), bf16_of(right, k, 2 * n + 1), odd);
      }
      const float sum = even + odd;
      set_word(state.tiles[c], m, n, word_of<float>(state.tiles[c], m, n) + sum);
    }
  }
}

/// Of signed by unsigned bytes.
void dot_int8(int c, int a, int b) {
  for (int m = 0; m < state.rows[c]; ++m) {
    for (int n = 0; n < state.row_bytes[c] / 4; ++n) {
      std::int64_t sum = word_of<std::int32_t>(state.tiles[c], m, n);
      for (int i = 0; i < state.row_bytes[a]; ++i) {
        const auto row = static_cast<std::size_t>(m);
        const auto left =
            static_cast<signed char>(state.tiles[a].rows[row][static_cast<std::size_t>(i)]);
        const auto quad = static_cast<std::size_t>(i / 4);
        sum += left * state.tiles[b].rows[quad][static_cast<std::size_t>(4 * n + i % 4)];
      }
      set_word(state.tiles[c], m, n, static_cast<std::int32_t>(sum));
    }
  }
}

/// What the last two bits of an instruction's prefix say.
enum Prefix { none = 0, operand_size = 1, repeat = 2, repeat_not = 3 };

/// Carries out the instruction, if it is one of tiles, and returns where the next one is, else
/// null.
const unsigned char* carry_out(Decoder code) {
  if (code.byte() != 0xC4) return nullptr;
  const unsigned char first = code.byte();
  const unsigned char second = code.byte();
  if ((first & 0x1F) != 2 || (second & 0x84) != 0) return nullptr;  // 0F38, 128 bits, W0
  const Extensions extensions{(first & 0x80) != 0 ? 0 : 8, (first & 0x40) != 0 ? 0 : 8,
                              (first & 0x20) != 0 ? 0 : 8};
  const auto prefix = static_cast<Prefix>(second & 3);
  const int third = ~(second >> 3) & 15;
  const unsigned char opcode = code.byte();
  const unsigned char modrm = code.byte();
  const int reg = modrm >> 3 & 7;
  const bool in_registers = modrm >> 6 == 3;

  if (opcode == 0x49 && prefix == none && !in_registers) {
    return configure(address_of(code, modrm, extensions)) ? code.end() : nullptr;
  }
  if (opcode == 0x49 && prefix == none && modrm == 0xC0) {
    state.configured = false;
    return code.end();
  }
  if (!state.configured) return nullptr;
  if (opcode == 0x49 && prefix == repeat_not && in_registers) {
    state.tiles[reg] = {};
    return code.end();
  }
  if (opcode == 0x4B && !in_registers && (modrm & 7) == 4 && prefix != none) {
    const Address address = address_of(code, modrm, extensions);
    prefix == repeat ? store(reg, address) : load(reg, address);
    return code.end();
  }
  if (!in_registers || !fit(reg, modrm & 7, third)) return nullptr;
  if (opcode == 0x5C && prefix == repeat) {
    dot_bf16(reg, modrm & 7, third);
    return code.end();
  }
  if (opcode == 0x5E && prefix == repeat) {
    dot_int8(reg, modrm & 7, third);
    return code.end();
  }
  return nullptr;
}

void handle(int signal, siginfo_t* info, void* context) {
  auto* interrupted = static_cast<ucontext_t*>(context);
  // Round to nearest, no exceptions, denormal numbers are zero. The old state comes back with the
  // registers.
  _mm_setcsr(0x9FC0);
  asm volatile("" ::: "memory");
  const unsigned char* next = carry_out(Decoder(*interrupted));
  asm volatile("" ::: "memory");
  if (next != nullptr) {
    ++state.instructions;
    interrupted->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(next);
    return;
  }
  sigaction(SIGILL, &before, nullptr);  // and meets it again
  static_cast<void>(signal);
  static_cast<void>(info);
}

}  // namespace

TileEmulator::TileEmulator() {
  state = {};
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, &before);
}

TileEmulator::~TileEmulator() {
  sigaction(SIGILL, &before, nullptr);
}

bool TileEmulator::configured() {
  return state.configured;
}

long TileEmulator::instructions() {
  return state.instructions;
}

}  // namespace griffin::test

#endif  // __x86_64__
