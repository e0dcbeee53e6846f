// SPDX-License-Identifier: Apache-2.0
#include "formats/shard_index.h"

#include <algorithm>

#include "formats/json_fields.h"
#include "formats/printable.h"

namespace griffin {
namespace {

/// Whether a name, put behind any folder, names something in that folder.
bool is_plain_file_name(std::string_view name) {
  const auto forbidden = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '/' || c == '\\' || c == ':' || byte < 0x20 || byte == 0x7F;
  };
  return !name.empty() && name != "." && name.find("..") == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), forbidden);
}

}  // namespace

ShardIndex parse_shard_index(std::string_view text, const std::string& name) {
  const JsonObject object = parse_json(text, name);
  const JsonField weight_map = JsonFields(name, &object)["weight_map"];
  const JsonObject* members = weight_map.object();
  if (members == nullptr || members->empty()) {
    weight_map.fail(ErrorCode::format, "the files of the tensors");
  }
  ShardIndex index;
  for (const JsonMember& member : *members) {
    const JsonField entry(weight_map.path() + ": " + printable(member.key), &member.value);
    const std::string_view shard = *entry.text();
    if (!is_plain_file_name(shard)) entry.fail(ErrorCode::format, "a file name without a path");
    index[std::string(shard)].insert(member.key);
  }
  if (index.size() > max_shards) {
    throw Error(ErrorCode::format, weight_map.path() + ": expected at most " +
                                       std::to_string(max_shards) + " files, found " +
                                       std::to_string(index.size()));
  }
  return index;
}

}  // namespace griffin
