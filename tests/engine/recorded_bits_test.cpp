// SPDX-License-Identifier: Apache-2.0
// The bits of the logits, as they were when tests/goldens/bits.txt was written: of every model that
// comes with the project, in every precision, on every instruction set, however the text is cut.
// A change of the code that is not meant to change an answer changes none of them; one that is
// says so, and writes the file anew: GRIFFIN_RECORD_BITS=FILE appends what is found to FILE.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "support/goldens.h"
#include "support/isa.h"
#include "support/models.h"
#include "support/runs.h"
#include "support/unlisted_tables.h"

namespace griffin::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t token_count = 70;

struct NamedOptions {
  const char* name;
  LoadOptions options;
};

const NamedOptions precisions[] = {{"stored", {}},
                                   {"f32", {.activations = Operand::f32}},
                                   {"bf16", {.weights = Dtype::bf16}},
                                   {"int8", {.weights = Dtype::int8}},
                                   {"int4", {.weights = Dtype::int4}}};

std::vector<fs::path> model_folders() {
  std::vector<fs::path> folders;
  for (const std::string& name : golden_models()) folders.push_back(goldens_root() / name);
  for (const char* name : {"gelu-exact", "kv-heads-2", "silu"}) {
    folders.push_back(goldens_root() / "transformers" / name);
  }
  for (const char* name : {"griffin", "hawk", "mqa"}) {
    folders.push_back(fs::path(GRIFFIN_SOURCE_DIR) / "examples/models" / name);
  }
  return folders;
}

/// FNV-1a.
std::string hash_of(const std::vector<float>& values) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const float value : values) {
    unsigned char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3U;
  }
  std::ostringstream text;
  text << std::hex << hash;
  return text.str();
}

using Recorded = std::map<std::string, std::string>;

Recorded recorded() {
  Recorded bits;
  std::ifstream file(goldens_root() / "bits.txt");
  for (std::string line; std::getline(file, line);) {
    const std::size_t last = line.rfind(' ');
    if (!line.starts_with('#')) bits[line.substr(0, last)] = line.substr(last + 1);
  }
  return bits;
}

std::string key_of(const fs::path& folder, const char* precision, Dtype kv,
                   const kernels::Table& table) {
  return folder.filename().string() + " " + precision + " " + name_of(kv) + " " +
         name_of_bits(table);
}

/// That both have rows, and the same, as the same kernels give them.
void expect_same_rows(const Recorded& bits, const std::string& key, const std::string& other) {
  ASSERT_EQ(bits.count(key), 1U) << key << " was not recorded";
  ASSERT_EQ(bits.count(other), 1U) << other << " was not recorded";
  EXPECT_EQ(bits.at(key), bits.at(other)) << key << ", " << other;
}

using Parameters = std::tuple<fs::path, const kernels::Table*>;

class RecordedBits : public ::testing::TestWithParam<Parameters> {};

TEST_P(RecordedBits, AreThoseOfTheLogits) {
  const auto& [folder, table] = GetParam();
  const Recorded expected = recorded();
  const char* record = std::getenv("GRIFFIN_RECORD_BITS");
  for (const auto& [name, options] : precisions) {
    const kernels::Table& lowest = lowest_like(*table, options.weights.value_or(Dtype::f32));
    if (record == nullptr && &lowest != table) {
      for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
        expect_same_rows(expected, key_of(folder, name, kv, *table),
                         key_of(folder, name, kv, lowest));
      }
      continue;
    }
    const Model model = Model::load(folder, options);
    const auto tokens = random_tokens(model.config(), token_count, 5);
    ForwardPass pass = pass_for(model, *table, token_count);
    for (const Dtype kv : {Dtype::f32, Dtype::bf16}) {
      const std::string key = key_of(folder, name, kv, *table);
      std::string found;
      for (const std::int64_t chunk : {token_count, std::int64_t{9}, std::int64_t{1}}) {
        Sequence sequence = model.new_sequence({token_count, kv});
        const std::int64_t lengths[] = {chunk};
        const std::string hash = hash_of(run_in_chunks(pass, sequence, tokens, lengths));
        if (found.empty()) found = hash;
        EXPECT_EQ(hash, found) << key << " in passes of " << chunk;
      }
      if (record != nullptr) {
        std::ofstream(record, std::ios::app) << key << ' ' << found << '\n';
        continue;
      }
      const auto entry = expected.find(key);
      ASSERT_NE(entry, expected.end()) << key << " was not recorded";
      EXPECT_EQ(found, entry->second) << key;
    }
  }
}

std::string name_of_case(const ::testing::TestParamInfo<Parameters>& info) {
  std::string name =
      std::get<0>(info.param).filename().string() + "_" + std::get<1>(info.param)->name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, RecordedBits,
                         ::testing::Combine(::testing::ValuesIn(model_folders()),
                                            ::testing::ValuesIn(all_tables())),
                         name_of_case);

}  // namespace
}  // namespace griffin::test
