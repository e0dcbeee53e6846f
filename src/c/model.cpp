// SPDX-License-Identifier: Apache-2.0
#include "griffin/c/model.h"

#include <limits>
#include <string>

#include "c/boundary.h"
#include "c/convert.h"
#include "c/handles.h"
#include "griffin/model/config.h"
#include "griffin/model/parts.h"
#include "griffin/model/quantize.h"

namespace griffin::c {
namespace {

std::function<Flow(const LoadProgress&)> progress_of(griffin_progress progress, void* user) {
  if (progress == nullptr) return {};
  return [progress, user](const LoadProgress& now) {
    int32_t answer = 0;
    try {
      answer = progress(now.bytes_done, now.bytes_total, user);
    } catch (...) {
      throw CallbackThrew();
    }
    return answer == 0 ? Flow::proceed : Flow::stop;
  };
}

std::function<void(std::string_view)> notice_of(griffin_notice notice, void* user) {
  if (notice == nullptr) return {};
  return [notice, user](std::string_view sentence) {
    const std::string terminated(sentence);
    try {
      notice(terminated.c_str(), user);
    } catch (...) {
      throw CallbackThrew();
    }
  };
}

FileAccess access_of(griffin_access access, const char* name) {
  return choice_of(access, 2, name) == GRIFFIN_MAP ? FileAccess::map : FileAccess::read;
}

LoadOptions load_options(const griffin_load_options& given) {
  LoadOptions options;
  options.weights = dtype_of(given.weights, "griffin_load_options.weights");
  switch (choice_of(given.activations, 4, "griffin_load_options.activations")) {
    case GRIFFIN_ACTIVATIONS_F32:
      options.activations = Operand::f32;
      break;
    case GRIFFIN_ACTIVATIONS_BF16:
      options.activations = Operand::bf16;
      break;
    case GRIFFIN_ACTIVATIONS_INT8:
      options.activations = Operand::int8;
      break;
    default:
      break;
  }
  if (given.window != 0) options.window = given.window;
  options.access = access_of(given.access, "griffin_load_options.access");
  options.progress = progress_of(given.progress, given.progress_user);
  options.notice = notice_of(given.notice, given.notice_user);
  return options;
}

std::int64_t local_window(const ModelConfig& config) {
  for (std::int64_t layer = 0; layer < config.depth; ++layer) {
    if (config.pattern[layer].kind == LayerKind::attention &&
        config.window_of(layer) != global_window) {
      return config.window_of(layer);
    }
  }
  return global_window;
}

griffin_model_info info_of(const Model& model) {
  const ModelConfig& config = model.config();
  griffin_model_info info{};
  info.vocab = config.vocab;
  info.width = config.width;
  info.depth = config.depth;
  info.window = local_window(config);
  info.parameters = config.parameters();
  info.weight_bytes = model.weight_bytes();
  info.fingerprint = model.fingerprint();
  info.load_seconds = model.load_seconds();
  info.dtype = dtype_of(model.dtype());
  info.bos = model.text_bos().value_or(-1);
  info.needs_capacity = config.has_global_attention() ? 1 : 0;
  info.greedy_head = model.parts().head_screen ? 1 : 0;
  return info;
}

}  // namespace
}  // namespace griffin::c

using namespace griffin::c;  // NOLINT(google-build-using-namespace): C has no namespaces

griffin_status griffin_model_load(const char* folder, const griffin_load_options* options,
                                  griffin_model** model, griffin_error* error) {
  return guarded(error, [&] {
    griffin_model*& out = cleared(model, "model");
    required(folder, "folder");
    const auto given = options_of(options, "griffin_load_options");
    const bool greedy_head = flag_of(given.greedy_head, "griffin_load_options.greedy_head");
    const griffin::Model loaded = griffin::Model::load(folder, load_options(given));
    out = new griffin_model{greedy_head ? loaded.with_greedy_head() : loaded};
  });
}

griffin_status griffin_model_random(const char* preset, griffin_dtype dtype, uint64_t seed,
                                    griffin_model** model, griffin_error* error) {
  return guarded(error, [&] {
    griffin_model*& out = cleared(model, "model");
    required(preset, "preset");
    const auto type = dtype_of(dtype, "dtype").value_or(griffin::Dtype::bf16);
    out = new griffin_model{griffin::Model::random(griffin::preset(preset), type, seed)};
  });
}

griffin_status griffin_model_share(const griffin_model* model, griffin_model** other,
                                   griffin_error* error) {
  return guarded(error, [&] {
    griffin_model*& out = cleared(other, "other");
    out = new griffin_model{required(model, "model").model};
  });
}

void griffin_model_free(griffin_model* model) {
  delete model;
}

griffin_status griffin_model_get_info(const griffin_model* model, griffin_model_info* info,
                                      griffin_error* error) {
  return guarded(
      error, [&] { fill(info, info_of(required(model, "model").model), "griffin_model_info"); });
}

const int32_t* griffin_model_stop_ids(const griffin_model* model, size_t* count) {
  const std::span<const std::int32_t> ids =
      model == nullptr ? std::span<const std::int32_t>() : model->model.stop_ids();
  if (count != nullptr) *count = ids.size();
  return ids.data();
}

griffin_status griffin_quantize(const char* from, const char* to,
                                const griffin_quantize_options* options, griffin_error* error) {
  return guarded(error, [&] {
    required(from, "from");
    required(to, "to");
    const auto given = options_of(options, "griffin_quantize_options");
    griffin::QuantizeOptions how;
    how.dtype = dtype_of(given.dtype, "griffin_quantize_options.dtype").value_or(how.dtype);
    how.access = access_of(given.access, "griffin_quantize_options.access");
    how.progress = progress_of(given.progress, given.progress_user);
    griffin::quantize(from, to, how);
  });
}
