// SPDX-License-Identifier: Apache-2.0
// Products with matrices, and the packing of their operands.
#include "griffin/core/weight.h"
#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using kernels::index_of;
using kernels::Table;

struct Product {
  Dtype weights;
  Operand operand;
};

constexpr Product products[] = {{Dtype::f32, Operand::f32},   {Dtype::bf16, Operand::f32},
                                {Dtype::f16, Operand::f32},   {Dtype::bf16, Operand::bf16},
                                {Dtype::int8, Operand::int8}, {Dtype::int4, Operand::int8}};

std::string name_of(const Product& product) {
  const std::string name = griffin::name_of(product.weights);
  return product.operand == Operand::bf16 ? name + "_bf16" : name;
}

auto matmul_of(const Table& table, const Product& product) {
  return table.matmul[index_of(product.weights)][index_of(product.operand)];
}
auto block_diagonal_of(const Table& table, const Product& product) {
  return table.block_diagonal[index_of(product.weights)][index_of(product.operand)];
}

std::int64_t weight_bytes(Product product, std::int64_t in, std::int64_t out) {
  return static_cast<std::int64_t>(WeightView{nullptr, product.weights, out, in}.bytes());
}

/// Activations of `blocks` blocks side by side, as the product takes them.
class Activations {
 public:
  Activations(const Table& table, Product product, std::int64_t rows, std::int64_t in,
              std::int64_t blocks = 1)
      : rows_(random_floats(rows * in * blocks)) {
    const Operand operand = product.operand;
    const std::int64_t bytes = table.operand_bytes(operand, rows, in);
    if (bytes == 0) return;
    packed_ = Buffer(static_cast<std::size_t>(bytes * blocks));
    for (std::int64_t n = 0; n < blocks; ++n) {
      table.pack[index_of(operand)]({.x = floats(rows_) + n * in,
                                     .x_stride = in * blocks,
                                     .operand = packed_.data() + n * bytes,
                                     .rows = rows,
                                     .in = in,
                                     .row_begin = 0,
                                     .row_end = rows});
    }
  }
  const void* data() const noexcept { return packed_.size() > 0 ? packed_.data() : rows_.data(); }

 private:
  Buffer rows_;
  Buffer packed_;
};

Work work_of(const Table& table, Product product, std::int64_t bytes, std::int64_t multiplied) {
  return {static_cast<double>(bytes), 2.0 * static_cast<double>(multiplied), product.operand,
          &table};
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
      matmul_of(table, product)({.x = x.data(),
                                 .x_stride = in,
                                 .w = w,
                                 .bias = nullptr,
                                 .y = floats(y),
                                 .y_stride = out,
                                 .rows = rows,
                                 .in = in,
                                 .out_begin = begin,
                                 .out_end = end,
                                 .write = kernels::Write::set,
                                 .scratch = lab.scratch(worker)});
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
                   block_diagonal_of(table, product)({.x = x.data(),
                                                      .x_stride = lru_width,
                                                      .w = w,
                                                      .bias = floats(bias),
                                                      .y = floats(y),
                                                      .y_stride = lru_width,
                                                      .rows = rows,
                                                      .block_width = block_width,
                                                      .begin = begin,
                                                      .end = end,
                                                      .scratch = lab.scratch(worker)});
                 });
  });
}

/// From the caches where it fits, as in a model: the rows have just been computed.
void run_pack(Lab& lab, benchmark::State& state, const Table& table, Operand operand,
              std::int64_t in, std::int64_t rows) {
  Buffer x = random_floats(rows * in);
  const std::int64_t bytes = table.operand_bytes(operand, rows, in);
  Buffer packed(static_cast<std::size_t>(bytes));
  const auto elements = static_cast<double>(rows * in);
  const Work work = {4.0 * elements + static_cast<double>(bytes), elements, Operand::f32, &table,
                     1};
  lab.measure(state, work, [&] {
    parallel_for(lab.threads(), rows, table.tiling.pack_rows,
                 [&](std::int64_t begin, std::int64_t end) {
                   table.pack[index_of(operand)]({.x = floats(x),
                                                  .x_stride = in,
                                                  .operand = packed.data(),
                                                  .rows = rows,
                                                  .in = in,
                                                  .row_begin = begin,
                                                  .row_end = end});
                 });
  });
}

std::string with_shape(const std::string& start, std::int64_t rows, const Shape& shape) {
  return start + "/rows:" + std::to_string(rows) + "/in:" + std::to_string(shape.in) +
         "/out:" + std::to_string(shape.out) + "/";
}

void add_products(Lab& lab, const Table& table, const Table* below, Product product) {
  if (below == nullptr || matmul_of(*below, product) != matmul_of(table, product)) {
    for (const Shape& shape : matrices) {
      for (const std::int64_t rows : batches) {
        if (!is_of_interest(shape, rows)) continue;
        add_benchmark(with_shape("matmul/" + name_of(product), rows, shape) + table.name,
                      [&lab, &table, product, shape, rows](benchmark::State& state) {
                        run_matmul(lab, state, table, product, shape, rows);
                      });
      }
    }
  }
  if (below != nullptr && block_diagonal_of(*below, product) == block_diagonal_of(table, product))
    return;
  for (const std::int64_t rows : batches) {
    add_benchmark("block_diagonal/" + name_of(product) + "/rows:" + std::to_string(rows) +
                      "/blocks:" + std::to_string(gate_blocks) +
                      "/in:" + std::to_string(block_width) + "/" + table.name,
                  [&lab, &table, product, rows](benchmark::State& state) {
                    run_block_diagonal(lab, state, table, product, rows);
                  });
  }
}

void add_pack(Lab& lab, const Table& table, const Table* below, Operand operand) {
  const std::size_t o = index_of(operand);
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
    for (const Product& product : products) add_products(lab, table, below, product);
    add_pack(lab, table, below, Operand::bf16);
    add_pack(lab, table, below, Operand::int8);
  });
}

}  // namespace griffin::bench
