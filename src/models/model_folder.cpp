// SPDX-License-Identifier: Apache-2.0
#include "models/model_folder.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>

#include "formats/shard_index.h"
#include "griffin/core/error.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::io, path.string() + ": " + what);
}

constexpr const char* adapter =
    " belongs to an adapter (LoRA, PEFT), which is no model by itself: merge it into its base "
    "model "
    "(merge_and_unload) and save that";
constexpr const char* gguf =
    " is a GGUF file, which is not read: expected the Hugging Face checkpoint";
constexpr const char* unfinished = " is an unfinished download";
constexpr const char* pytorch =
    " is a PyTorch file, which is not read: load it with transformers and save it again "
    "(save_pretrained), which writes safetensors";
constexpr const char* pytorch_index =
    " lists PyTorch files, which are not read: load them with transformers and save them again "
    "(save_pretrained), which writes safetensors";
constexpr const char* other_library =
    " holds weights of another library, which are not read: expected safetensors";
constexpr const char* other_safetensors =
    " is not looked for: rename it, if its weights are the model's";

/// What a file of a folder without a model may be by its name, in lower case.
struct KnownName {
  std::string_view start;
  std::string_view end;
  const char* what;
};

/// Those that tell most come first: names that only a model has, then any file of a kind.
constexpr KnownName known_names[] = {
    {"adapter_", "", adapter},
    {"", ".gguf", gguf},
    {"", ".incomplete", unfinished},
    {"", ".aria2", unfinished},
    {"", ".part", unfinished},
    {"", ".crdownload", unfinished},
    {"pytorch_model", ".bin", pytorch},
    {"pytorch_model", ".bin.index.json", pytorch_index},
    {"consolidated", ".pth", pytorch},
    {"", ".h5", other_library},
    {"", ".msgpack", other_library},
    {"", ".npz", other_library},
    {"model", ".safetensors", other_safetensors},
    {"", ".safetensors", other_safetensors},
    {"", ".bin", pytorch},
    {"", ".pt", pytorch},
    {"", ".pth", pytorch},
    {"", ".ckpt", pytorch},
};

/// Files that training leaves beside a model, which say nothing about where its weights are.
bool is_of_training(std::string_view name) {
  constexpr std::string_view starts[] = {"optimizer", "scheduler", "scaler", "training_args",
                                         "rng_state"};
  return std::any_of(std::begin(starts), std::end(starts),
                     [&](std::string_view start) { return name.starts_with(start); });
}

std::string lower(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

/// Null if the name says nothing.
const KnownName* known_name(const std::string& name) {
  const std::string lowered = lower(name);
  if (is_of_training(lowered)) return nullptr;
  const auto* const known =
      std::find_if(std::begin(known_names), std::end(known_names), [&](const KnownName& one) {
        return lowered.starts_with(one.start) && lowered.ends_with(one.end);
      });
  return known == std::end(known_names) ? nullptr : known;
}

/// The explanation that tells most; empty if there is none.
std::string explanation_of(const std::vector<std::string>& names) {
  const KnownName* best = nullptr;
  std::string told;
  for (const std::string& name : names) {
    const KnownName* known = known_name(name);
    if (known == nullptr || (best != nullptr && known >= best)) continue;
    best = known;
    told = "; " + name + known->what;
  }
  return told;
}

struct ShardName {
  std::size_t number = 0;
  std::size_t count = 0;
};

/// "model-00002-of-00004.safetensors" -> 2 of 4.
std::optional<ShardName> shard_name(std::string_view name) {
  const auto skip = [&](std::string_view text) {
    const bool there = name.starts_with(text);
    if (there) name.remove_prefix(text.size());
    return there;
  };
  const auto number = [&]() -> std::size_t {
    const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits == 0 || digits > 5) return 0;
    const std::size_t value = std::stoul(std::string(name.substr(0, digits)));
    name.remove_prefix(digits);
    return value;
  };
  ShardName found;
  if (!skip("model-") || (found.number = number()) == 0) return {};
  if (!skip("-of-") || (found.count = number()) == 0) return {};
  if (name != ".safetensors" || found.number > found.count) return {};
  return found;
}

/// count -> number -> name.
using ShardSets = std::map<std::size_t, std::map<std::size_t, std::string>>;

ShardSets shard_sets(const std::vector<std::string>& names) {
  ShardSets sets;
  for (const std::string& name : names) {
    if (const auto shard = shard_name(name)) sets[shard->count].emplace(shard->number, name);
  }
  return sets;
}

[[noreturn]] void fail_incomplete(const fs::path& folder, const ShardSets& sets) {
  const auto& [count, shards] = *std::max_element(
      sets.begin(), sets.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  std::string missing;
  std::size_t named = 0;
  for (std::size_t number = 1; number <= count && named < 8; ++number) {
    if (shards.count(number) > 0) continue;
    missing += (named++ == 0 ? " " : ", ") + std::to_string(number);
  }
  fail(folder, "found " + std::to_string(shards.size()) + " of " + std::to_string(count) +
                   " shards (" + shards.begin()->second + " ...) and no " + index_file +
                   (count - shards.size() == 1 ? "; shard" : "; shards") + missing +
                   (named < count - shards.size() ? ", ..." : "") +
                   (count - shards.size() == 1 ? " is" : " are") +
                   " missing: the download is not complete");
}

WeightFiles numbered_shards(const fs::path& folder, const ShardSets& sets) {
  WeightFiles found{WeightFiles::Kind::numbered, folder, {}};
  for (const auto& [count, shards] : sets) {
    if (shards.size() < count) continue;
    if (!found.files.empty()) {
      fail(folder, "found several sets of shards, among them " + shards.begin()->second +
                       ", and no " + index_file + " that says which is meant");
    }
    for (const auto& [number, name] : shards) found.files.push_back(folder / name);
  }
  if (found.files.empty()) fail_incomplete(folder, sets);
  if (found.files.size() > max_shards) fail(folder, "found more than 1024 shards");
  return found;
}

bool is_older(const fs::path& a, const fs::path& b) {
  std::error_code none_a;
  std::error_code none_b;
  const auto time_a = fs::last_write_time(a, none_a);
  const auto time_b = fs::last_write_time(b, none_b);
  return !none_a && !none_b && time_a < time_b;
}

/// An older model.safetensors may be what a merge or a conversion has left behind.
void tell_of_shards_beside(const fs::path& folder, const ShardSets& sets, bool index,
                           const Notice& notice) {
  if (!notice || (!index && sets.empty())) return;
  const fs::path single = folder / single_file;
  const fs::path other = folder / (index ? index_file : sets.begin()->second.begin()->second);
  notice(folder.string() + ": two checkpoints: " + single_file +
         " is read, as transformers does, " + other.filename().string() +
         " and its shards are ignored" +
         (is_older(single, other) ? " although they are newer" : "") +
         "; delete the one that is not meant");
}

}  // namespace

// Not through std::filesystem::directory_iterator, which ends the process where there is no memory.
std::vector<std::string> names_in(const fs::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  std::vector<std::string> names;
  if (open != nullptr) {
    errno = 0;
    while (const dirent* entry = ::readdir(open.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
      errno = 0;
    }
  }
  const int error = errno;
  if (error != 0) fail(folder, "cannot be listed: " + std::generic_category().message(error));
  std::sort(names.begin(), names.end());
  return names;
}

bool is_name_taken(const fs::path& path) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return false;
  if (error) fail(path, error.message());
  return true;
}

void require_model_folder(const fs::path& folder) {
  std::error_code ignored;
  const fs::file_type type = fs::status(folder, ignored).type();
  if (type == fs::file_type::not_found || type == fs::file_type::none) {
    fail(folder, "no such model folder");
  }
  if (type != fs::file_type::directory) {
    const bool is_gguf = lower(folder.extension().string()) == ".gguf";
    fail(folder, std::string("a file; expected the folder of a Hugging Face checkpoint") +
                     (is_gguf ? " (GGUF files are not read)" : ""));
  }
  if (is_name_taken(folder / "config.json")) return;
  fail(folder, "expected a model folder, found no config.json" + explanation_of(names_in(folder)));
}

WeightFiles find_weight_files(const fs::path& folder, const Notice& notice) {
  const std::vector<std::string> names = names_in(folder);
  const auto is_there = [&](const char* name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  const ShardSets sets = shard_sets(names);
  if (is_there(single_file)) {
    tell_of_shards_beside(folder, sets, is_there(index_file), notice);
    return {WeightFiles::Kind::single, folder / single_file, {folder / single_file}};
  }
  if (is_there(index_file)) return {WeightFiles::Kind::listed, folder / index_file, {}};
  if (!sets.empty()) return numbered_shards(folder, sets);
  fail(folder, std::string("expected ") + single_file + " or " + index_file + ", found neither" +
                   explanation_of(names));
}

}  // namespace griffin
