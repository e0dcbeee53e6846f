// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "griffin/griffin_c.h"
#include "griffin/kernels.h"

namespace {

constexpr std::array status_names = {
    "ok",        "invalid argument", "io",       "format",   "mismatch", "unsupported", "capacity",
    "cancelled", "out of memory",    "callback", "internal", "no event"};
static_assert(status_names.size() == GRIFFIN_NO_EVENT + 1);

#define GRIFFIN_SIZE_OF(type) \
  { #type, sizeof(type) }
constexpr std::pair<std::string_view, std::size_t> sizes[] = {
    GRIFFIN_SIZE_OF(griffin_error),
    GRIFFIN_SIZE_OF(griffin_text),
    GRIFFIN_SIZE_OF(griffin_token_logprob),
    GRIFFIN_SIZE_OF(griffin_load_options),
    GRIFFIN_SIZE_OF(griffin_model_info),
    GRIFFIN_SIZE_OF(griffin_quantize_options),
    GRIFFIN_SIZE_OF(griffin_turn),
    GRIFFIN_SIZE_OF(griffin_sequence_options),
    GRIFFIN_SIZE_OF(griffin_pass_options),
    GRIFFIN_SIZE_OF(griffin_result_info),
    GRIFFIN_SIZE_OF(griffin_logit_bias),
    GRIFFIN_SIZE_OF(griffin_generate_options),
    GRIFFIN_SIZE_OF(griffin_generator_options),
    GRIFFIN_SIZE_OF(griffin_scheduler_options),
    GRIFFIN_SIZE_OF(griffin_request),
    GRIFFIN_SIZE_OF(griffin_event),
    GRIFFIN_SIZE_OF(griffin_statistics),
};
#undef GRIFFIN_SIZE_OF

}  // namespace

const char* griffin_status_name(griffin_status status) {
  if (status < 0 || static_cast<std::size_t>(status) >= status_names.size()) {
    return "unknown status";
  }
  return status_names[static_cast<std::size_t>(status)];
}

const char* griffin_version() {
  return GRIFFIN_VERSION;
}

int32_t griffin_version_number() {
  return GRIFFIN_VERSION_NUMBER;
}

int32_t griffin_abi() {
  return GRIFFIN_C_ABI;
}

const char* griffin_isa() {
  try {
    return griffin::kernels::default_table().name;
  } catch (...) {
    return "";
  }
}

size_t griffin_sizeof(const char* type) {
  if (type == nullptr) return 0;
  for (const auto& [name, size] : sizes) {
    if (name == type) return size;
  }
  return 0;
}
