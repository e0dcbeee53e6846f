// SPDX-License-Identifier: Apache-2.0
// How models are loaded by C, beside what the C++ library makes of the same options.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "griffin/griffin_c.h"
#include "griffin/model/forward_pass.h"
#include "griffin/model/model.h"
#include "support/checkpoint_writer.h"
#include "support/models.h"
#include "support/temp_folder.h"

namespace griffin::test {
namespace {

const std::vector<std::int32_t> ids = {2, 5, 9, 11};

/// Of every token; empty where the options are refused.
std::vector<float> logits_of(const std::filesystem::path& folder, griffin_load_options options) {
  options.struct_size = sizeof(options);
  griffin_model* model = nullptr;
  griffin_sequence* sequence = nullptr;
  griffin_pass* pass = nullptr;
  std::vector<float> logits;
  if (griffin_model_load(folder.c_str(), &options, &model, nullptr) == GRIFFIN_OK) {
    griffin_model_info info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(griffin_model_get_info(model, &info, nullptr), GRIFFIN_OK);
    logits.resize(ids.size() * static_cast<std::size_t>(info.vocab));
    EXPECT_EQ(griffin_sequence_new(model, nullptr, &sequence, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_pass_new(model, nullptr, &pass, nullptr), GRIFFIN_OK);
    EXPECT_EQ(griffin_pass_run(pass, sequence, ids.data(), ids.size(), GRIFFIN_LOGITS_ALL,
                               logits.data(), ids.size(), nullptr, nullptr),
              GRIFFIN_OK);
  }
  griffin_pass_free(pass);
  griffin_sequence_free(sequence);
  griffin_model_free(model);
  return logits;
}

std::vector<float> logits_of(const std::filesystem::path& folder, const LoadOptions& options) {
  std::optional<Model> model;
  try {
    model = Model::load(folder, options);
  } catch (const Error&) {
    return {};
  }
  ForwardPass pass(*model, {.max_logits = std::ssize(ids)});
  Sequence sequence = model->new_sequence();
  pass.add(sequence, ids, Logits::all);
  const MatrixView logits = pass.run();
  std::vector<float> all;
  for (std::int64_t row = 0; row < logits.rows; ++row) {
    all.insert(all.end(), logits.row(row), logits.row(row) + logits.cols);
  }
  return all;
}

TEST(CModel, HoldsAndMultipliesAsItIsTold) {
  const TempFolder folder;
  random_checkpoint(tiny_griffin(8), Dtype::f32, 1).write(folder.path());
  const std::pair<griffin_dtype, std::optional<Dtype>> weights[] = {{GRIFFIN_DTYPE_DEFAULT, {}},
                                                                    {GRIFFIN_F32, Dtype::f32},
                                                                    {GRIFFIN_BF16, Dtype::bf16},
                                                                    {GRIFFIN_INT8, Dtype::int8},
                                                                    {GRIFFIN_INT4, Dtype::int4}};
  const std::pair<std::int32_t, std::optional<Operand>> activations[] = {
      {GRIFFIN_ACTIVATIONS_DEFAULT, {}},
      {GRIFFIN_ACTIVATIONS_F32, Operand::f32},
      {GRIFFIN_ACTIVATIONS_BF16, Operand::bf16},
      {GRIFFIN_ACTIVATIONS_INT8, Operand::int8}};
  int taken = 0;
  for (const auto& [c_weights, library_weights] : weights) {
    for (const auto& [c_activations, library_activations] : activations) {
      SCOPED_TRACE(std::to_string(c_weights) + " " + std::to_string(c_activations));
      griffin_load_options options{};
      options.weights = c_weights;
      options.activations = c_activations;
      const std::vector<float> found = logits_of(folder.path(), options);
      LoadOptions same;
      same.weights = library_weights;
      same.activations = library_activations;
      EXPECT_EQ(found, logits_of(folder.path(), same));
      taken += found.empty() ? 0 : 1;
    }
  }
  EXPECT_GE(taken, 8);
}

TEST(CModel, TellsTheWindowOfLayersThatHaveOne) {
  ModelConfig config = tiny_griffin(8);
  config.depth = 3;
  config.pattern = LayerPattern(
      {LayerKind::recurrent, {LayerKind::attention, global_window}, {LayerKind::attention, 0}});
  const TempFolder folder;
  random_checkpoint(config, Dtype::f32, 1).write(folder.path());
  griffin_model* model = nullptr;
  ASSERT_EQ(griffin_model_load(folder.path().c_str(), nullptr, &model, nullptr), GRIFFIN_OK);
  griffin_model_info info{};
  info.struct_size = sizeof(info);
  EXPECT_EQ(griffin_model_get_info(model, &info, nullptr), GRIFFIN_OK);
  EXPECT_EQ(info.window, 8);
  EXPECT_EQ(info.needs_capacity, 1);
  griffin_model_free(model);
}

/// A file that was read may be written over; one that is mapped is what it is now.
TEST(CModel, MapsOrReadsItsFiles) {
  for (const griffin_access access : {GRIFFIN_MAP, GRIFFIN_READ}) {
    const TempFolder folder;
    random_checkpoint(tiny_griffin(8), Dtype::f32, 1).write(folder.path());
    griffin_load_options options{};
    options.struct_size = sizeof(options);
    options.access = access;
    griffin_model* model = nullptr;
    ASSERT_EQ(griffin_model_load(folder.path().c_str(), &options, &model, nullptr), GRIFFIN_OK);
    const std::string mapped = content_of("/proc/self/maps");
    EXPECT_EQ(mapped.find(folder.path().string()) != std::string::npos, access == GRIFFIN_MAP);
    griffin_model_free(model);
  }
}

}  // namespace
}  // namespace griffin::test
