// SPDX-License-Identifier: Apache-2.0
// A golden model on one instruction set, with its weights as stored or widened.
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
    : public ::testing::TestWithParam<std::tuple<std::string, Precision, const kernels::Table*>> {
 public:
  static std::string name(const ::testing::TestParamInfo<ParamType>& info) {
    const auto& [model, precision, isa] = info.param;
    std::string name = model + (precision == Precision::f32 ? "_f32_" : "_stored_") + isa->name;
    for (char& c : name) c = c == '-' ? '_' : c;
    return name;
  }

  static auto all_of(const std::vector<std::string>& models) {
    return ::testing::Combine(::testing::ValuesIn(models),
                              ::testing::Values(Precision::stored, Precision::f32),
                              ::testing::ValuesIn(all_tables()));
  }

  static auto all() { return all_of(golden_models()); }

 protected:
  static std::filesystem::path folder() { return goldens_root() / std::get<0>(GetParam()); }
  static const kernels::Table& table() { return *std::get<2>(GetParam()); }

  static Model load() {
    LoadOptions options;
    options.precision = std::get<1>(GetParam());
    return Model::load(folder(), options);
  }

  const Model model_ = load();
  const ModelConfig& config_ = model_.config();
  const Goldens goldens_ = golden_numbers(std::get<0>(GetParam()));
};

}  // namespace griffin::test
