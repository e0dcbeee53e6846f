// SPDX-License-Identifier: Apache-2.0
#include "paper/families.h"

#include <mamba2.h>

#include <algorithm>

#include "griffin/core/error.h"

namespace griffin::bench {
namespace {

/// What three of the families have in common with a preset, in small.
ModelConfig tiny(ModelConfig config) {
  config.vocab = 512;
  config.width = 128;
  config.depth = 3;
  config.lru_width = 128;
  config.heads = 4;
  config.head_dim = 32;
  config.rotary_dim = 16;
  config.mlp_width = 384;
  return config;
}

ModelConfig config_of(const std::string& family, std::string_view size) {
  if (size == "tiny") return tiny(preset(family + "-100m"));
  return preset(family + "-" + std::string(size));
}

struct Mamba2Size {
  std::string_view name;
  std::int64_t width;
  std::int64_t depth;
  std::int64_t state_size;
};

constexpr Mamba2Size mamba2_sizes[] = {
    {"tiny", 128, 3, 16}, {"100m", 768, 24, 128}, {"400m", 1024, 48, 128}, {"1.3b", 2048, 48, 128}};

Model make_mamba2(std::string_view size) {
  const Mamba2Size& s = *std::find_if(std::begin(mamba2_sizes), std::end(mamba2_sizes),
                                      [&](const Mamba2Size& m) { return m.name == size; });
  ModelConfig config = config_of("hawk", size);
  config.width = s.width;
  config.depth = s.depth;
  constexpr std::int64_t head_dim = 64;
  return mamba2::random_model(std::string(static_cast<std::size_t>(s.depth), 'm'), config,
                              {.width = s.width,
                               .heads = 2 * s.width / head_dim,
                               .head_dim = head_dim,
                               .state_size = s.state_size},
                              Dtype::bf16, 0);
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

void check_name(const char* what, std::string_view name, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  throw Error(ErrorCode::invalid_argument, std::string(what) + ": expected one of " +
                                               listed(names) + ", found '" + std::string(name) +
                                               "'");
}

}  // namespace

const std::vector<std::string>& family_names() {
  static const std::vector<std::string> names = {"hawk", "griffin", "mqa", "mamba2"};
  return names;
}

const std::vector<std::string>& size_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Mamba2Size& size : mamba2_sizes) all.emplace_back(size.name);
    return all;
  }();
  return names;
}

Model make_family(std::string_view family, std::string_view size) {
  check_name("family", family, family_names());
  check_name("size", size, size_names());
  if (family == "mamba2") return make_mamba2(size);
  return Model::random(config_of(std::string(family), size), Dtype::bf16, 0);
}

SequenceOptions sequences_of(const Model& model, std::int64_t tokens) {
  SequenceOptions options;
  options.kv = Dtype::bf16;
  if (model.config().has_global_attention()) options.capacity = tokens;
  return options;
}

}  // namespace griffin::bench
