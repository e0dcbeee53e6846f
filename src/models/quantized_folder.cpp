// SPDX-License-Identifier: Apache-2.0
#include "models/quantized_folder.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>

#include "formats/json_text.h"
#include "formats/safetensors.h"
#include "formats/stand_in.h"
#include "griffin/core/error.h"
#include "models/limits.h"
#include "models/model_folder.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view copied_extensions[] = {"",       ".json", ".jinja", ".txt", ".md",
                                                  ".model", ".html", ".pdf",   ".rst"};

/// By its name. What is left out are weights, what is written anew, and what belongs to training.
bool is_copied(const std::string& name) {
  const std::string extension = fs::path(name).extension().string();
  const bool left_out = name == "config.json" || name.starts_with(".") ||
                        name.ends_with(".index.json") || name.starts_with("adapter_") ||
                        name == "trainer_state.json";
  return !left_out && std::find(std::begin(copied_extensions), std::end(copied_extensions),
                                extension) != std::end(copied_extensions);
}

/// Whether a program reads the file, so that a web page in its place is a failed download.
bool is_read_by_programs(const std::string& name) {
  const std::string extension = fs::path(name).extension().string();
  constexpr std::string_view read[] = {".json", ".jinja", ".txt", ".model"};
  return std::find(std::begin(read), std::end(read), extension) != std::end(read);
}

[[noreturn]] void fail_taken(const fs::path& path, const char* more) {
  throw Error(ErrorCode::io, path.string() + ": is there already" + more +
                                 "; expected a folder without a checkpoint: delete it, or choose "
                                 "another folder");
}

/// Whether an earlier run wrote that file of weights.
bool is_ours(const fs::path& path) {
  try {
    const SafetensorsFile file(path, FileAccess::map);
    const auto writer = file.metadata().find(writer_key);
    return file.has_blocks() || (writer != file.metadata().end() && writer->second == writer_name);
  } catch (const Error&) {
    return false;
  }
}

/// Files of weights that the folder must not have, if it is to be read as what is written.
std::set<std::string> names_in_the_way(const Checkpoint& checkpoint) {
  std::set<std::string> names = {"model.safetensors"};
  for (const SafetensorsFile& file : checkpoint.files()) {
    names.insert(file.path().filename().string());
  }
  return names;
}

/// What an interrupted run left in a folder: the index, which by itself would be no one's, and then
/// the weights that it is told by.
std::vector<fs::path> left_behind(const fs::path& to, const Checkpoint& checkpoint) {
  if (!is_name_taken(to)) return {};
  const std::set<std::string> in_the_way = names_in_the_way(checkpoint);
  std::vector<fs::path> found;
  for (const std::string& name : names_in(to)) {
    if (!name.ends_with(".safetensors")) continue;
    if (is_ours(to / name)) {
      found.push_back(to / name);
    } else if (in_the_way.count(name) > 0) {
      fail_taken(to / name, "");
    }
  }
  const fs::path index = to / "model.safetensors.index.json";
  if (is_name_taken(index)) {
    if (found.empty()) fail_taken(index, "");
    found.insert(found.begin(), index);
  }
  return found;
}

void check_copy(const fs::path& path, std::string_view text) {
  if (!is_name_taken(path)) return;
  std::error_code error;
  const bool regular = fs::is_regular_file(path, error);
  if (regular && FileBytes(path, FileAccess::read).text() == text) return;
  fail_taken(path, ", and another");
}

}  // namespace

Copies open_copies(const fs::path& from) {
  Copies copies;
  for (const std::string& name : names_in(from)) {
    std::error_code ignored;
    if (!is_copied(name) || fs::is_directory(from / name, ignored)) continue;
    copies.emplace_back(name, FileBytes(from / name, FileAccess::map));
    if (!is_read_by_programs(name)) continue;
    refuse_stand_in(copies.back().second.text(), (from / name).string());
  }
  return copies;
}

std::string quantized_config(const fs::path& from, Dtype dtype) {
  const fs::path path = from / "config.json";
  const FileBytes bytes(path, FileAccess::read, max_config_file);
  std::string text = "{";
  const auto add = [&](const std::string& key, std::string_view value) {
    text += text.size() > 1 ? ",\n  " : "\n  ";
    text += json_string(key) + ": ";
    text += value;
  };
  bool names_dtype = false;
  for (const JsonMemberText& member : json_members(bytes.text(), path.string())) {
    if (member.key == "quantization_config") continue;
    const bool is_dtype = member.key == "dtype" || member.key == "torch_dtype";
    names_dtype = names_dtype || is_dtype;
    add(member.key, is_dtype && dtype == Dtype::bf16 ? "\"bfloat16\"" : member.value);
  }
  if (is_quantized(dtype)) {
    add("quantization_config",
        "{\n    \"quant_method\": \"griffin\",\n    \"version\": 1,\n    "
        "\"weights\": " +
            json_string(name_of(dtype)) + "\n  }");
  } else if (!names_dtype) {
    add("torch_dtype", "\"bfloat16\"");
  }
  return text + "\n}\n";
}

std::string shard_index_text(const std::map<std::string, std::string>& weight_map,
                             std::uint64_t bytes) {
  std::string text =
      "{\n  \"metadata\": {\n    \"total_size\": " + std::to_string(bytes) + "\n  },\n";
  text += "  \"weight_map\": {";
  const char* separator = "\n    ";
  for (const auto& [tensor, file] : weight_map) {
    text += separator + json_string(tensor) + ": " + json_string(file);
    separator = ",\n    ";
  }
  return text + "\n  }\n}\n";
}

void make_room(const fs::path& to, const Checkpoint& checkpoint, const Copies& copies) {
  if (is_name_taken(to / "config.json")) fail_taken(to / "config.json", "");
  const std::vector<fs::path> old = left_behind(to, checkpoint);
  for (const auto& [name, bytes] : copies) check_copy(to / name, bytes.text());
  std::error_code error;
  fs::create_directories(to, error);
  if (error) throw Error(ErrorCode::io, to.string() + ": cannot be made: " + error.message());
  for (const fs::path& path : old) {
    fs::remove(path, error);
    if (error)
      throw Error(ErrorCode::io, path.string() + ": cannot be removed: " + error.message());
  }
}

}  // namespace griffin
