// SPDX-License-Identifier: Apache-2.0
// A Hugging Face folder from outside: which of its files hold the weights, and what it is where it
// holds none.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "griffin/api.h"

namespace griffin {

/// Gets a sentence for what is odd, but no error. May be empty.
using Notice = std::function<void(std::string_view)>;

/// Throws Error(io) saying what is there instead and what to do about it, unless `folder` is a
/// folder with a config.json.
GRIFFIN_API void require_model_folder(const std::filesystem::path& folder);  // for generate/, too

/// The files with the weights of a folder.
struct WeightFiles {
  enum class Kind { single, listed, numbered };
  Kind kind = Kind::single;
  /// What an error about a missing tensor names: the single file, the index, or the folder.
  std::filesystem::path listing;
  std::vector<std::filesystem::path> files;  // but for `listed`, where the index names them
};

/// model.safetensors, or the shards that model.safetensors.index.json lists, or
/// model-00001-of-0000n.safetensors and all the others: the first that is there, in the order in
/// which transformers looks for them. Throws Error(io) where there are none, or not all.
WeightFiles find_weight_files(const std::filesystem::path& folder, const Notice& notice);

/// The names of what is in a folder, sorted. Throws Error(io).
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// Whether there is anything of that name, a link to nothing too. Throws Error(io).
bool is_name_taken(const std::filesystem::path& path);

}  // namespace griffin
