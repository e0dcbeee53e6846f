// SPDX-License-Identifier: Apache-2.0
// A golden model on one instruction set, in float32 arithmetic: what the numbers were made with.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "support/checked_model.h"
#include "support/goldens.h"
#include "support/isa.h"

namespace griffin::test {

class GoldenModelTest
    : public ::testing::TestWithParam<std::tuple<std::string, const kernels::Table*>> {
 public:
  static std::string name(const ::testing::TestParamInfo<ParamType>& info) {
    const auto& [model, isa] = info.param;
    std::string name = model + "_" + isa->name;
    for (char& c : name) c = c == '-' ? '_' : c;
    return name;
  }

  static auto all_of(const std::vector<std::string>& models) {
    return ::testing::Combine(::testing::ValuesIn(models), ::testing::ValuesIn(all_tables()));
  }

  static auto all() { return all_of(golden_models()); }

 protected:
  static std::filesystem::path folder() { return goldens_root() / std::get<0>(GetParam()); }
  static const kernels::Table& table() { return *std::get<1>(GetParam()); }

  static Model load() {
    LoadOptions options;
    options.activations = Operand::f32;
    return Model::load(folder(), options);
  }

  const Model model_ = load();
  const ModelConfig& config_ = model_.config();
  const Goldens goldens_ = golden_numbers(std::get<0>(GetParam()));
};

}  // namespace griffin::test
