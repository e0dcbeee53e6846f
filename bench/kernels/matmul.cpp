// SPDX-License-Identifier: Apache-2.0
// Products with matrices, and the packing of their operands.
#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::Operand;
using kernels::Product;
using kernels::Table;

constexpr std::size_t index(auto value) noexcept {
  return static_cast<std::size_t>(value);
}

std::int64_t weight_bytes(Product product, std::int64_t in, std::int64_t out) {
  const std::int64_t panels = (out + kernels::panel_rows - 1) / kernels::panel_rows;
  const std::int64_t blocks = panels * kernels::groups_of(in);
  switch (product) {
    case Product::f32:
      return in * out * 4;
    case Product::int8:
      return blocks * kernels::int8_block;
    case Product::int4:
      return blocks * kernels::int4_block;
    default:
      return in * out * 2;
  }
}

/// The arithmetic of the product, if the instruction set has it.
Arithmetic arithmetic_of(Product product, kernels::Isa isa) {
  if (product == Product::bf16_bf16) return best_arithmetic(Arithmetic::bf16_dot, isa);
  if (product < Product::bf16_bf16) return Arithmetic::f32_fma;
  return best_arithmetic(Arithmetic::int8_dot, isa);
}

/// Activations of `blocks` blocks side by side, as the product takes them.
class Activations {
 public:
  Activations(const Table& table, Product product, std::int64_t rows, std::int64_t in,
              std::int64_t blocks = 1)
      : rows_(random_floats(rows * in * blocks)) {
    const Operand operand = kernels::operand_of(product);
    const std::int64_t bytes = kernels::operand_bytes(operand, rows, in);
    if (bytes == 0) return;
    packed_ = Buffer(static_cast<std::size_t>(bytes * blocks));
    for (std::int64_t n = 0; n < blocks; ++n) {
      table.pack[index(operand)](
          {floats(rows_) + n * in, in * blocks, packed_.data() + n * bytes, rows, in, 0, rows});
    }
  }
  const void* data() const noexcept { return packed_.size() > 0 ? packed_.data() : rows_.data(); }

 private:
  Buffer rows_;
  Buffer packed_;
};

Work work_of(const Table& table, Product product, std::int64_t bytes, std::int64_t multiplied) {
  return {static_cast<double>(bytes), 2.0 * static_cast<double>(multiplied),
          arithmetic_of(product, table.isa), table.isa};
}

void run_matmul(Lab& lab, benchmark::State& state, const Table& table, Product product,
                const Shape& shape, std::int64_t rows) {
  const std::int64_t in = shape.in;
  const std::int64_t out = shape.out;
  const Activations x(table, product, rows, in);
  Buffer y(static_cast<std::size_t>(rows * out) * sizeof(float));
  const std::int64_t bytes = weight_bytes(product, in, out);
  Cycle weights(lab, static_cast<std::size_t>(bytes));
  lab.measure(state, work_of(table, product, bytes, rows * in * out), [&] {
    const std::byte* w = weights.next();
    parallel_for(lab.threads(), out, 16, [&](std::int64_t begin, std::int64_t end, int worker) {
      table.matmul[index(product)]({x.data(), in, w, nullptr, floats(y), out, rows, in, begin, end,
                                    kernels::Write::set, lab.scratch(worker)});
    });
  });
}

void run_block_diagonal(Lab& lab, benchmark::State& state, const Table& table, Product product,
                        std::int64_t rows) {
  const Activations x(table, product, rows, block_width, gate_blocks);
  Buffer bias = random_floats(lru_width);
  Buffer y(static_cast<std::size_t>(rows * lru_width) * sizeof(float));
  const std::int64_t bytes = gate_blocks * weight_bytes(product, block_width, block_width);
  Cycle weights(lab, static_cast<std::size_t>(bytes));
  lab.measure(state, work_of(table, product, bytes, rows * lru_width * block_width), [&] {
    const std::byte* w = weights.next();
    parallel_for(lab.threads(), lru_width, 16,
                 [&](std::int64_t begin, std::int64_t end, int worker) {
                   table.block_diagonal[index(product)]({x.data(), lru_width, w, floats(bias),
                                                         floats(y), lru_width, rows, block_width,
                                                         begin, end, lab.scratch(worker)});
                 });
  });
}

/// From the caches where it fits, as in a model: the rows have just been computed.
void run_pack(Lab& lab, benchmark::State& state, const Table& table, Operand operand,
              std::int64_t in, std::int64_t rows) {
  Buffer x = random_floats(rows * in);
  const std::int64_t bytes = kernels::operand_bytes(operand, rows, in);
  Buffer packed(static_cast<std::size_t>(bytes));
  const auto elements = static_cast<double>(rows * in);
  const Work work = {4.0 * elements + static_cast<double>(bytes), elements, Arithmetic::f32_fma,
                     table.isa, 1};
  lab.measure(state, work, [&] {
    parallel_for(lab.threads(), rows, kernels::operand_rows,
                 [&](std::int64_t begin, std::int64_t end) {
                   table.pack[index(operand)]({floats(x), in, packed.data(), rows, in, begin, end});
                 });
  });
}

std::string with_shape(const std::string& start, std::int64_t rows, const Shape& shape) {
  return start + "/rows:" + std::to_string(rows) + "/in:" + std::to_string(shape.in) +
         "/out:" + std::to_string(shape.out) + "/";
}

void add_products(Lab& lab, const Table& table, const Table* below, Product product) {
  const std::size_t p = index(product);
  if (below == nullptr || below->matmul[p] != table.matmul[p]) {
    for (const Shape& shape : matrices) {
      for (const std::int64_t rows : batches) {
        if (!is_of_interest(shape, rows)) continue;
        add_benchmark(
            with_shape(std::string("matmul/") + name_of(product), rows, shape) + table.name,
            [&lab, &table, product, shape, rows](benchmark::State& state) {
              run_matmul(lab, state, table, product, shape, rows);
            });
      }
    }
  }
  if (below != nullptr && below->block_diagonal[p] == table.block_diagonal[p]) return;
  for (const std::int64_t rows : batches) {
    add_benchmark(std::string("block_diagonal/") + name_of(product) +
                      "/rows:" + std::to_string(rows) + "/blocks:" + std::to_string(gate_blocks) +
                      "/in:" + std::to_string(block_width) + "/" + table.name,
                  [&lab, &table, product, rows](benchmark::State& state) {
                    run_block_diagonal(lab, state, table, product, rows);
                  });
  }
}

void add_pack(Lab& lab, const Table& table, const Table* below, Operand operand) {
  const std::size_t o = index(operand);
  if (below != nullptr && below->pack[o] == table.pack[o]) return;
  for (const std::int64_t in : {width, mlp_width}) {
    for (const std::int64_t rows : batches) {
      add_benchmark(std::string("pack/") + (operand == Operand::bf16 ? "bf16" : "int8") + "/rows:" +
                        std::to_string(rows) + "/in:" + std::to_string(in) + "/" + table.name,
                    [&lab, &table, operand, in, rows](benchmark::State& state) {
                      run_pack(lab, state, table, operand, in, rows);
                    });
    }
  }
}

}  // namespace

void add_matmul(Lab& lab) {
  for_each_table([&](const Table& table, const Table* below) {
    for (int p = 0; p < kernels::product_types; ++p) {
      add_products(lab, table, below, static_cast<Product>(p));
    }
    add_pack(lab, table, below, Operand::bf16);
    add_pack(lab, table, below, Operand::int8);
  });
}

}  // namespace griffin::bench
