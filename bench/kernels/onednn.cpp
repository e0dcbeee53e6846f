// SPDX-License-Identifier: Apache-2.0
// The same matrix products by oneDNN, with its weights in the layout that it asks for.
#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/lab.h"
#include "kernels/shapes.h"

namespace griffin::bench {
namespace {

using dnnl::memory;

struct Types {
  const char* name;
  memory::data_type source;
  memory::data_type weights;
  memory::data_type result;
  Operand operand;
};

constexpr Types all_types[] = {
    {"f32", memory::data_type::f32, memory::data_type::f32, memory::data_type::f32, Operand::f32},
    {"bf16", memory::data_type::bf16, memory::data_type::bf16, memory::data_type::f32,
     Operand::bf16},
    {"u8s8_s32", memory::data_type::u8, memory::data_type::s8, memory::data_type::s32,
     Operand::int8},
    {"s8s8_f32", memory::data_type::s8, memory::data_type::s8, memory::data_type::f32,
     Operand::int8},
};

/// Of the best kernels here: oneDNN chooses for itself.
const kernels::Table& best_table() {
  return kernels::table_at(0);
}

dnnl::matmul::primitive_desc describe(const dnnl::engine& engine, const Types& types,
                                      const Shape& shape, std::int64_t rows) {
  const memory::desc x({rows, shape.in}, types.source, memory::format_tag::ab);
  const memory::desc w({shape.in, shape.out}, types.weights, memory::format_tag::any);
  const memory::desc y({rows, shape.out}, types.result, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, x, w, y};
#else
  return {dnnl::matmul::desc(x, w, y), engine};
#endif
}

/// y = x w, rows x in by in x out, with other weights at every turn.
class Product {
 public:
  Product(Lab& lab, const Types& types, const Shape& shape, std::int64_t rows)
      : engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        description_(describe(engine_, types, shape, rows)),
        matmul_(description_),
        x_(description_.src_desc(), engine_),
        y_(description_.dst_desc(), engine_) {
    const std::size_t bytes = description_.src_desc().get_size();
    std::copy_n(lab.weights(bytes), bytes, static_cast<std::byte*>(x_.get_data_handle()));
    add_weights(lab);  // last: weights move when more of them are asked for
  }

  std::size_t weight_bytes() const { return description_.weights_desc().get_size(); }

  void run() {
    memory& weights = weights_[turn_++ % weights_.size()];
    matmul_.execute(stream_, {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, y_}});
    stream_.wait();
  }

  std::string implementation() const { return description_.impl_info_str(); }

 private:
  /// Memory that is cycled through is taken for weights in whatever layout was asked for: their
  /// values do not matter for the speed.
  void add_weights(Lab& lab) {
    Cycle cycle(lab, weight_bytes());
    for (std::size_t i = 0; i < cycle.count(); ++i) {
      auto* bytes = const_cast<std::byte*>(cycle.next());  // the library only reads them
      weights_.emplace_back(description_.weights_desc(), engine_, bytes);
    }
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul::primitive_desc description_;
  dnnl::matmul matmul_;
  memory x_;
  memory y_;
  std::vector<memory> weights_;
  std::size_t turn_ = 0;
};

void run_product(Lab& lab, benchmark::State& state, const Types& types, const Shape& shape,
                 std::int64_t rows) {
  omp_set_num_threads(lab.threads());
  Product product(lab, types, shape, rows);
  const Work work = {static_cast<double>(product.weight_bytes()),
                     2.0 * static_cast<double>(rows * shape.in * shape.out), types.operand,
                     &best_table()};
  lab.measure(state, work, [&] { product.run(); });
  state.SetLabel(std::string(lab.bound()) + " " + product.implementation());
}

}  // namespace

void add_onednn(Lab& lab) {
  const dnnl_version_t& version = *dnnl::version();
  benchmark::AddCustomContext("onednn", std::to_string(version.major) + "." +
                                            std::to_string(version.minor) + "." +
                                            std::to_string(version.patch));
  for (const Types& types : all_types) {
    for (const Shape& shape : matrices) {
      for (const std::int64_t rows : batches) {
        if (!is_of_interest(shape, rows)) continue;
        add_benchmark("onednn/" + std::string(types.name) + "/rows:" + std::to_string(rows) +
                          "/in:" + std::to_string(shape.in) + "/out:" + std::to_string(shape.out),
                      [&lab, &types, shape, rows](benchmark::State& state) {
                        run_product(lab, state, types, shape, rows);
                      });
      }
    }
  }
}

}  // namespace griffin::bench
