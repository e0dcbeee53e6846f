// SPDX-License-Identifier: Apache-2.0
// The only door to the kernel module: one table of function pointers per instruction set. What they
// compute is in kernels/reference.h in plain loops.
//
// Every kernel is single-threaded, allocates nothing, and computes each output element by the same
// operations in the same order whatever rows or ranges it is called for; so a caller may split the
// work along the axis named at each struct (the `*_begin`, `*_end` members) over any number of
// threads and batches and get the same bits. Matrices are row-major; strides are in elements
// between rows; activations are float32. Pointers to weights and key/value storage may have any
// alignment. No two arguments may overlap unless said otherwise. R = rows of the activation matrix.
#pragma once

#include <cstdint>

#include "griffin/api.h"

namespace griffin {

/// How weights are stored and, the first two, keys and values; widened to float32 exactly before
/// use. int8 and int4 are for weights only, and lie in blocks (below).
enum class Dtype : std::uint8_t { f32, bf16, f16, int8, int4 };

/// The form that activations have when they are multiplied. With the weights' Dtype it says what a
/// product is: the arithmetic is that of the wider of the two.
///   f32   the rows as they are
///   bf16  rounded to nearest even; products of two bf16 numbers are exact in float32, and so the
///         sum is the only other rounding
///   int8  round(x / scale), scale = max |x| / 127 of every row and group; where a value is not
///         finite, the scale is not either; where all are below 2^-119, the integers are zero.
///         A group is summed exactly: on every instruction set the same bits come out
enum class Operand : std::uint8_t { f32, bf16, int8 };

/// The function that a gate takes before it is multiplied.
///   gelu_tanh  x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
///   gelu_erf   x/2 (1 + erf(x / sqrt(2)))
///   silu       x / (1 + exp(-x))
///   relu       max(x, 0)
enum class Activation : std::uint8_t { gelu_tanh, gelu_erf, silu, relu };

}  // namespace griffin

namespace griffin::kernels {

inline constexpr int dtypes = 5;
inline constexpr int float_dtypes = 3;  // the first three: arrays of numbers
inline constexpr int operands = 3;

/// Places in the arrays of Table.
constexpr unsigned index_of(Dtype dtype) noexcept {
  return static_cast<unsigned>(dtype);
}
constexpr unsigned index_of(Operand operand) noexcept {
  return static_cast<unsigned>(operand);
}

/// A quantised matrix is cut into panels of 16 rows (outputs) and groups of 128 columns (inputs),
/// padded with zeros. A block holds one group of one panel; the blocks of a panel follow one
/// another. Byte (q, o, i) of a block is input 4 q + i of output o:
///   int8  [32][16][4] bytes w + 128, |w| <= 127, then [16] float32 scales
///   int4  [16][16][4] bytes: low four bits w + 8 of quad 2 q, high four bits of quad 2 q + 1,
///         -8 <= w <= 7; then [16] bf16 scales; then [16] 16-bit words: four bits a run of 32
///         inputs, lowest first, an integer factor 1..15 of the scale
/// A weight is w scale, or w factor scale: 8.25 and 4.25 bits each.
inline constexpr std::int64_t panel_rows = 16;
inline constexpr std::int64_t group_width = 128;
inline constexpr std::int64_t run_width = 32;
inline constexpr std::int64_t runs_per_group = group_width / run_width;
inline constexpr std::int64_t int8_scales = panel_rows * group_width;  // offset in a block
inline constexpr std::int64_t int8_block = int8_scales + panel_rows * 4;
inline constexpr std::int64_t int4_scales = panel_rows * group_width / 2;
inline constexpr std::int64_t int4_factors = int4_scales + panel_rows * 2;
inline constexpr std::int64_t int4_block = int4_factors + panel_rows * 2;

constexpr std::int64_t groups_of(std::int64_t in) noexcept {
  return (in + group_width - 1) / group_width;
}

/// Facts of one instruction set for whoever shares out its work: in what steps it is done well, and
/// may be split at all. No bit of a result depends on them.
struct Tiling {
  std::int64_t pack_rows;        // rows are packed in shares that begin at multiples of this
  std::int64_t pack_columns;     // so are columns, where they are packed as they are computed
  std::int64_t column_multiple;  // columns of a product are shared out at multiples of this
  std::int64_t strip_columns;    // of a product of many rows, to compute before going on with them;
                                 // a multiple of pack_columns
  std::int64_t few_rows;         // up to so many, all columns are one stream of weights
  std::int64_t scan_columns;     // channels whose gates are computed and scanned together; a
                                 // multiple of pack_columns
};

/// Rows of activations -> operand. Split along rows, at multiples of Tiling::pack_rows, and along
/// `in`, at multiples of Tiling::pack_columns.
struct PackArgs {
  const float* x;  // [rows, in_end - in_begin]
  std::int64_t x_stride;
  void* operand;  // Table::operand_bytes(..., rows, in), on a cache line
  std::int64_t rows;
  std::int64_t in;
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t in_begin = 0;
  std::int64_t in_end = in;
};

/// What a product does with its output: y = value, or y = y + value, with the same value.
enum class Write : std::uint8_t { set, add };

/// y[r, o] = sum_i x[r, i] w[o, i] + bias[o]   for o in [out_begin, out_end)
/// In float arithmetic each element is summed along `in` in its own vector accumulator, lane j
/// taking i (or pair i, with a bf16 operand) = j mod lanes, and the lanes by halves. Quantised, the
/// groups are summed one after the other: y += float(sum in group) * (scale of x * scale of w).
/// A matrix unit has an order of its own for bf16 by bf16: chunks of 32 inputs, one after the
/// other. Cost: 2 R in flops and `in` weights read per output column.
struct MatmulArgs {
  const void* x;          // [rows, in] float32, or a packed operand
  std::int64_t x_stride;  // of float32 rows
  const void* w;          // [out, in], dense, or blocks
  const float* bias;      // [out] or null
  float* y;               // [rows, out]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t in;
  std::int64_t out_begin;
  std::int64_t out_end;
  Write write;
  void* scratch;  // Table::product_scratch(in) bytes on a cache line, for packed operands
};

/// y[r, n B + j] = sum_i x[r, n B + i] w[n, j, i] + bias[n B + j], for columns in [begin, end)
/// where B = block_width. The weight is [blocks, out, in]: transposed from the checkpoint's layout.
struct BlockDiagonalArgs {
  const void* x;  // [rows, blocks B] float32, or a packed operand [rows, B] for every block
  std::int64_t x_stride;
  const void* w;      // [blocks, B, B], indexed [block, out, in]; dense, or blocks
  const float* bias;  // [blocks B]
  float* y;           // [rows, blocks B]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t block_width;
  std::int64_t begin;
  std::int64_t end;
  void* scratch;  // as for MatmulArgs
};

/// y[t] = h = a[t] h + b[t]   for channels in [begin, end), t = 0 .. rows-1. y may be a or b.
struct LinearScanArgs {
  const float* a;  // [rows, width]
  const float* b;  // [rows, width]
  std::int64_t stride;
  float* h;  // [width], in: state before, out: state after
  float* y;  // [rows, width]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t begin;
  std::int64_t end;
};

/// The RG-LRU from gate pre-activations (arXiv 2402.19427 eq. 1-4; recurrentgemma `RGLRU`):
///   i = sigmoid(input_gate), r = sigmoid(recurrence_gate), log a = log_decay r
///   h = a h + sqrt(-expm1(2 log a)) (i x),   y[t] = h
/// At absolute position 0 the old state is dropped and the root is replaced by 1: h = i x.
/// y may be x or either gate. Split along channels.
struct RgLruArgs {
  const float* x;  // [rows, width]
  std::int64_t x_stride;
  const float* input_gate;       // [rows, width], before the sigmoid
  const float* recurrence_gate;  // [rows, width], before the sigmoid
  std::int64_t gate_stride;
  const float* log_decay;  // [width], -8 softplus(recurrent_param), <= 0
  float* h;                // [width], in: state before, out: state after
  float* y;                // [rows, width]
  std::int64_t y_stride;
  std::int64_t position;  // of row 0
  std::int64_t rows;
  std::int64_t begin;
  std::int64_t end;
};

/// Depthwise causal convolution: y[t] = bias + sum_k weight[k] x[t - (taps-1) + k]; the last tap
/// multiplies the newest row. Rows before row 0 come from `state`; at position 0 they are zeros and
/// the old state is not read. Split along channels.
struct Conv1dArgs {
  const float* x;  // [rows, width]
  std::int64_t x_stride;
  const float* weight;  // [taps, width]
  const float* bias;    // [width]
  float* state;  // [taps - 1, width], oldest first; in: rows before, out: the last taps-1 rows
  std::int64_t width;
  float* y;  // [rows, width]
  std::int64_t y_stride;
  std::int64_t position;  // of row 0
  std::int64_t rows;
  std::int64_t taps;
  std::int64_t begin;
  std::int64_t end;
};

/// y[r] = x[r] / sqrt(mean(x[r]^2) + eps) (1 + weight). y may be x. Split along rows.
struct RmsNormArgs {
  const float* x;  // [rows, width]
  std::int64_t x_stride;
  const float* weight;  // [width], stored as an offset from one
  float* y;             // [rows, width]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t width;
  float eps;
};

/// y = activation(gate) value. y may be gate or value. Split anywhere.
struct ActivationGateArgs {
  Activation activation;
  const float* gate;  // [rows, width]
  std::int64_t gate_stride;
  const float* value;  // [rows, width]
  std::int64_t value_stride;
  float* y;  // [rows, width]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t width;
};

/// cos and sin of position * frequency for `rows` consecutive positions. The position and the
/// product are rounded to float32 as in the reference, so that from 2^24 on neighbouring positions
/// coincide. Sine and cosine of the product are exact to float32, however large it is; between 2^23
/// and 2^30 they are within 6e-8. Split along rows.
struct RopeAnglesArgs {
  std::int64_t position;   // of row 0
  const float* frequency;  // [pairs], >= 0
  float* cos_sin;          // [rows, 2 pairs]: cosines, then sines
  std::int64_t rows;
  std::int64_t pairs;
};

/// Rotates, in place, the first 2 pairs elements of every head: element j pairs with j + pairs.
/// The rest of a head is untouched. Split along rows.
struct RopeArgs {
  float* x;  // [rows, heads head_dim]
  std::int64_t x_stride;
  const float* cos_sin;  // [rows, 2 pairs]
  std::int64_t rows;
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t pairs;
};

/// Causal grouped-query attention of the rows of one slice: a row at position p sees the keys at
/// max(0, p - window) .. p. Keys before `position` are in the ring (position q in row q mod
/// ring_rows), the others in chunk row q - position. Query head n has key/value head m = n / group.
///   y[r, n] = sum_q softmax_q(scale q[r, n] . key[q, m]) value[q, m]
/// Keys and values are widened; but a matrix unit, to which those of bf16 are operands, takes
/// queries and weights rounded to bf16, and sums the weights as rounded. The softmax takes runs of
/// keys aligned to absolute positions with a running maximum, so that a row's arithmetic depends on
/// its position only. Split along rows and heads.
struct AttentionArgs {
  const float* q;  // [rows, heads head_dim], rotated
  std::int64_t q_stride;
  const void* chunk_keys;    // [rows, kv_heads head_dim], rotated
  const void* chunk_values;  // [rows, kv_heads head_dim]
  const void* ring_keys;     // [ring_rows, kv_heads head_dim]
  const void* ring_values;   // [ring_rows, kv_heads head_dim]
  std::int64_t kv_stride;    // between rows of keys, and of values
  std::int64_t ring_rows;    // >= min(position, window); rows no one sees may hold anything
  std::int64_t position;     // of row 0
  std::int64_t window;       // earlier keys a row sees, besides its own
  float scale;               // > 0
  float* y;                  // [rows, heads head_dim]
  std::int64_t y_stride;
  std::int64_t head_dim;
  std::int64_t group;  // query heads that share a key/value head, >= 1
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t head_begin;
  std::int64_t head_end;
  void* scratch;  // Table::attention_scratch(head_dim) bytes on a cache line
};

/// x = cap tanh(x / cap), in place. Split anywhere.
struct SoftCapArgs {
  float* x;  // [count]
  std::int64_t count;
  float cap;  // > 0
};

/// y[r] = scale widen(table[tokens[r]]). Split along rows.
struct EmbedArgs {
  const void* table;           // [vocab, width], dense, or blocks
  const std::int32_t* tokens;  // [rows], each in [0, vocab)
  float* y;                    // [rows, width]
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t width;
  float scale;
};

/// `count` elements from one storage type to another. Narrowing rounds to nearest even.
struct ConvertArgs {
  const void* from;
  void* to;
  std::int64_t count;
};

/// The index of the largest of x[0 .. count), the first of equals; NaN is never the largest.
struct ArgmaxArgs {
  const float* x;
  std::int64_t count;
};

/// The kernels of one instruction set. What a set does not improve is that of the one it extends.
/// Products are f32, bf16 and f16 weights by f32, bf16 by bf16, int8 and int4 by int8; the others
/// are null.
struct Table {
  const char* name;  // what GRIFFIN_ISA calls it
  int level;         // its place among the sets of this build, of which 0 is the scalar one
  Tiling tiling;
  /// The table whose instructions multiply such operands, this or a lower one; null where none are
  /// made for them, and they are widened.
  const char* arithmetic[operands];

  /// Room for the packed operand of `rows` rows: whole cache lines, 0 for Operand::f32.
  std::int64_t (*operand_bytes)(Operand operand, std::int64_t rows, std::int64_t in) noexcept;
  /// Scratch, per thread, of the product of a packed operand.
  std::int64_t (*product_scratch)(std::int64_t in) noexcept;
  /// Scratch, per thread, of attention.
  std::int64_t (*attention_scratch)(std::int64_t head_dim) noexcept;

  void (*pack[operands])(const PackArgs&) noexcept;  // null for Operand::f32
  void (*matmul[dtypes][operands])(const MatmulArgs&) noexcept;
  void (*block_diagonal[dtypes][operands])(const BlockDiagonalArgs&) noexcept;
  void (*linear_scan)(const LinearScanArgs&) noexcept;
  void (*rg_lru)(const RgLruArgs&) noexcept;
  void (*conv1d)(const Conv1dArgs&) noexcept;
  void (*rms_norm)(const RmsNormArgs&) noexcept;
  void (*activation_gate)(const ActivationGateArgs&) noexcept;
  void (*rope_angles)(const RopeAnglesArgs&) noexcept;
  void (*rope)(const RopeArgs&) noexcept;
  void (*attention[float_dtypes])(const AttentionArgs&) noexcept;
  void (*soft_cap)(const SoftCapArgs&) noexcept;
  void (*embed[dtypes])(const EmbedArgs&) noexcept;
  void (*widen[float_dtypes])(const ConvertArgs&) noexcept;  // storage type -> float32
  void (*narrow_bf16)(const ConvertArgs&) noexcept;          // float32 -> bf16
  std::int64_t (*argmax)(const ArgmaxArgs&) noexcept;
};

/// How many tables this build has for the CPU it runs on; at least one, the scalar table. Whoever
/// calls one of these four functions first asks the operating system for the use of a matrix unit,
/// where there is one and unless GRIFFIN_ISA names another table. On Linux that is for the whole
/// process, and signal stacks that are too small for tiles are refused from then on.
GRIFFIN_API int table_count() noexcept;

/// Table `index` of table_count(), best first.
GRIFFIN_API const Table& table_at(int index) noexcept;

/// The table called `name`, as kernels/isas.inc has it ("scalar", "avx2", ...), or the best one for
/// a null or empty name. Null if this build has no such table or the CPU cannot run it.
/// avx512_amx is not found, either, where GRIFFIN_ISA named another table when tables were first
/// asked for.
GRIFFIN_API const Table* find_table(const char* name) noexcept;

/// find_table of the environment variable GRIFFIN_ISA. Throws Error(unsupported), naming those
/// there are, if it names none that runs here.
GRIFFIN_API const Table& default_table();

}  // namespace griffin::kernels
