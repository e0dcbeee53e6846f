// SPDX-License-Identifier: Apache-2.0
// Matrices a model holds quantised: the scales of every single one reach the logits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "support/checked_model.h"
#include "support/models.h"
#include "support/runs.h"

namespace griffin::test {
namespace {

std::vector<float> logits_of(const CheckpointToWrite& checkpoint, const LoadOptions& options) {
  const TempFolder folder;
  checkpoint.write(folder.path());
  const Model model = Model::load(folder.path(), options);
  ForwardPass pass = pass_for(model, kernels::table_at(0), 12);
  Sequence sequence = model.new_sequence();
  return run_at_once(pass, sequence, random_tokens(model.config(), 12, 80));
}

/// What has changed from one to the other.
std::vector<double> change(const std::vector<float>& from, const std::vector<float>& to) {
  std::vector<double> difference;
  for (std::size_t i = 0; i < from.size(); ++i) {
    difference.push_back(static_cast<double>(to[i]) - static_cast<double>(from[i]));
  }
  return difference;
}

double norm(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

/// |a - b| / |b|.
double relative_distance(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return norm(a) / norm(b);
}

bool is_matrix(const std::string& name, const TensorToWrite& tensor) {
  return name.ends_with("gate_weight") || (tensor.shape.size() == 2 && name.ends_with(".weight"));
}

/// The checkpoint with one tensor times a factor.
CheckpointToWrite with_multiple(CheckpointToWrite checkpoint, const std::string& name,
                                float factor) {
  TensorToWrite& tensor = checkpoint.tensors.at(name);
  std::vector<float> values = values_of(tensor);
  for (float& value : values) value *= factor;
  tensor = tensor_of(tensor.shape, values, Dtype::f32);
  return checkpoint;
}

/// Of a matrix times a factor only the scales differ, not the integers: the logits move as those of
/// the float32 model do, but for what the rest of the model, coarser, makes of it: up to half of a
/// small move. Had a matrix lost its scales, they would not move, and the distance would be one.
TEST(QuantizedScales, EveryMatrixIsMultipliedByItsOwn) {
  const CheckpointToWrite plain = random_checkpoint(tiny_griffin(8), Dtype::f32, 1);
  const std::vector<float> exact = logits_of(plain, LoadOptions{.activations = Operand::f32});
  for (const LoadOptions& options :
       {LoadOptions{.weights = Dtype::int8}, LoadOptions{.weights = Dtype::int4}}) {
    const std::vector<float> quantized = logits_of(plain, options);
    for (const auto& [name, tensor] : plain.tensors) {
      if (!is_matrix(name, tensor)) continue;
      for (const float factor : {8.0F, 0x1p-5F}) {
        const CheckpointToWrite scaled = with_multiple(plain, name, factor);
        const auto expected =
            change(exact, logits_of(scaled, LoadOptions{.activations = Operand::f32}));
        const auto found = change(quantized, logits_of(scaled, options));
        EXPECT_LE(relative_distance(found, expected), 0.75) << name << " times " << factor;
      }
    }
  }
}

}  // namespace
}  // namespace griffin::test
