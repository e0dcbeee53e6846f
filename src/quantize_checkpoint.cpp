// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "checkpoint.h"
#include "convert_weights.h"
#include "griffin/core/error.h"
#include "griffin/model/quantize.h"
#include "output_file.h"
#include "safetensors_writer.h"
#include "transpose.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* copied_files[] = {"generation_config.json", "tokenizer.model",
                                        "tokenizer.json", "tokenizer_config.json",
                                        "special_tokens_map.json"};
constexpr std::int64_t rows_at_once = 1024;

/// A matrix [out, in], a stack of gates [block, in, out], or something to be copied.
enum class Part { matrix, gates, other };

Part part_of(const std::string& name, const StoredTensor& tensor) {
  if (tensor.shape.size() == 2 && name.ends_with(".weight")) return Part::matrix;
  if (tensor.shape.size() == 3 && name.ends_with("_gate_weight")) return Part::gates;
  return Part::other;
}

Dtype dtype_of(const StoredTensor& tensor) {
  return tensor.dtype == "F32" ? Dtype::f32 : tensor.dtype == "BF16" ? Dtype::bf16 : Dtype::f16;
}

std::int64_t extent(const StoredTensor& tensor, std::size_t axis) {
  return static_cast<std::int64_t>(tensor.shape[axis]);
}

/// One tensor of the input, what becomes of it, and where it is written.
struct Job {
  std::string name;
  const StoredTensor* from = nullptr;
  Part part = Part::other;
  Dtype to = Dtype::f32;  // unless part is other
  TensorEntry entry;
};

Job job_for(const std::string& name, const StoredTensor& tensor, Dtype dtype) {
  Job job{name, &tensor, part_of(name, tensor), dtype, {name, tensor.dtype, tensor.shape, 0}};
  job.entry.bytes = tensor.data.size();
  if (job.part == Part::other) return job;
  if (job.part == Part::gates && dtype == Dtype::int4) job.to = Dtype::int8;
  if (is_quantized(job.to)) {
    const std::size_t rank = tensor.shape.size();
    const std::int64_t panels = blocks_down(extent(tensor, rank - 2));
    const std::int64_t groups = blocks_across(extent(tensor, rank - 1));
    job.entry.dtype = "U8";
    job.entry.shape.resize(rank - 2);
    for (const std::int64_t n : {panels, groups, block_bytes(job.to)}) {
      job.entry.shape.push_back(static_cast<std::uint64_t>(n));
    }
    job.entry.bytes = 1;
  } else {
    job.entry.dtype = "BF16";
    job.entry.bytes = size_of(Dtype::bf16);
  }
  for (const std::uint64_t n : job.entry.shape) job.entry.bytes *= n;
  return job;
}

/// The tensors of a file: those in blocks first, where they lie on cache lines.
std::vector<Job> jobs_for(const SafetensorsFile& file, Dtype dtype) {
  std::vector<Job> jobs;
  for (const auto& [name, tensor] : file.tensors()) jobs.push_back(job_for(name, tensor, dtype));
  std::stable_partition(jobs.begin(), jobs.end(),
                        [](const Job& job) { return job.entry.bytes % cache_line == 0; });
  return jobs;
}

class Quantizer {
 public:
  Quantizer(const Checkpoint& checkpoint, fs::path to, const QuantizeOptions& options)
      : checkpoint_(checkpoint), to_(std::move(to)), options_(options) {
    for (const SafetensorsFile& file : checkpoint.files()) {
      for (const auto& [name, tensor] : file.tensors()) progress_.bytes_total += tensor.data.size();
    }
  }

  QuantizeResult run() {
    for (const SafetensorsFile& file : checkpoint_.files()) write(file);
    return {progress_.bytes_total, written_};
  }

  /// The index of the new shards.
  std::string index() const {
    ordered_json index;
    index["metadata"]["total_size"] = written_;
    index["weight_map"] = weight_map_;
    return index.dump(2) + "\n";
  }

 private:
  void write(const SafetensorsFile& file) {
    const std::vector<Job> jobs = jobs_for(file, options_.dtype);
    std::vector<TensorEntry> entries;
    for (const Job& job : jobs) {
      entries.push_back(job.entry);
      written_ += job.entry.bytes;
      weight_map_[job.name] = file.path().filename().string();
    }
    Metadata metadata{{"format", "pt"}};
    if (is_quantized(options_.dtype)) metadata.emplace(blocks_key, blocks_version);
    OutputFile out(to_ / file.path().filename());
    out.write(safetensors_header(entries, metadata));
    for (const Job& job : jobs) {
      where_ = file.path().string() + ": tensor " + job.name;
      progress_.tensor = job.name;
      write(job, out);
    }
    out.commit();
  }

  void write(const Job& job, OutputFile& out) {
    if (job.part == Part::other) {
      out.write(job.from->data);
      report(job.from->data.size());
    } else if (job.part == Part::gates && is_quantized(job.to)) {
      write_gates(job, out);
    } else {
      std::int64_t rows = 1;
      for (std::size_t axis = 0; axis + 1 < job.from->shape.size(); ++axis) {
        rows *= extent(*job.from, axis);
      }
      const WeightView view{job.from->data.data(), dtype_of(*job.from), rows,
                            extent(*job.from, job.from->shape.size() - 1)};
      write_rows(view, job.to, out);
    }
  }

  /// A stretch of rows at a time.
  void write_rows(const WeightView& from, Dtype to, OutputFile& out) {
    for (std::int64_t row = 0; row < from.rows; row += rows_at_once) {
      WeightView part = from;
      part.rows = std::min(rows_at_once, from.rows - row);
      const auto skipped = static_cast<std::size_t>(row * from.cols) * size_of(from.dtype);
      part.data = static_cast<const std::byte*>(from.data) + skipped;
      convert(part, to, out);
      report(part.bytes());
    }
  }

  /// Blocks [in, out] become [out, in], as the products want them.
  void write_gates(const Job& job, OutputFile& out) {
    const std::int64_t blocks = extent(*job.from, 0);
    const WeightView stored{nullptr, dtype_of(*job.from), extent(*job.from, 1),
                            extent(*job.from, 2)};
    Buffer transposed(stored.bytes());
    for (std::int64_t n = 0; n < blocks; ++n) {
      const std::size_t first = static_cast<std::size_t>(n) * stored.bytes();
      transpose(job.from->data.data() + first, transposed.data(), stored.rows, stored.cols,
                size_of(stored.dtype));
      convert({transposed.data(), stored.dtype, stored.cols, stored.rows}, job.to, out);
      report(stored.bytes());
    }
  }

  void convert(const WeightView& from, Dtype to, OutputFile& out) {
    const WeightView result{nullptr, to, from.rows, from.cols};
    if (converted_.size() < result.bytes()) converted_ = Buffer(result.bytes());
    if (!convert_weights(from, to, converted_.data())) {
      throw Error(ErrorCode::format,
                  where_ + ": expected finite numbers to quantise, found infinity or NaN");
    }
    out.write(std::span<const std::byte>(converted_.data(), result.bytes()));
  }

  void report(std::uint64_t bytes) {
    progress_.bytes_done += bytes;
    if (options_.progress && options_.progress(progress_) == Flow::stop) {
      throw Error(ErrorCode::cancelled, to_.string() + ": quantising was cancelled");
    }
  }

  const Checkpoint& checkpoint_;
  fs::path to_;
  const QuantizeOptions& options_;
  LoadProgress progress_{};
  std::uint64_t written_ = 0;
  ordered_json weight_map_;
  std::string where_;
  Buffer converted_;
};

void check(const fs::path& from, const fs::path& to, const Checkpoint& checkpoint, Dtype dtype) {
  if (dtype != Dtype::int8 && dtype != Dtype::int4 && dtype != Dtype::bf16) {
    throw Error(ErrorCode::unsupported,
                std::string("quantize: expected int8, int4 or bf16, found ") + name_of(dtype));
  }
  for (const SafetensorsFile& file : checkpoint.files()) {
    if (file.has_blocks()) {
      throw Error(ErrorCode::unsupported,
                  file.path().string() + ": expected float weights, found quantised ones");
    }
  }
  Model::load(from);  // every name, shape and type is what config.json describes
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
    if (fs::exists(to / name)) {
      throw Error(ErrorCode::io, (to / name).string() + ": is there already; expected a folder " +
                                     "without a checkpoint");
    }
  }
}

void write_file(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.commit();
}

std::string config_with_quantization(const fs::path& from, Dtype dtype) {
  const FileBytes bytes(from / "config.json", FileAccess::read);
  ordered_json config = ordered_json::parse(bytes.text());
  config.erase("quantization_config");
  if (is_quantized(dtype)) {
    config["quantization_config"] = {
        {"quant_method", "griffin"}, {"version", 1}, {"weights", name_of(dtype)}};
  } else {
    config["torch_dtype"] = "bfloat16";
  }
  return config.dump(2) + "\n";
}

}  // namespace

QuantizeResult quantize(const fs::path& from, const fs::path& to, const QuantizeOptions& options) {
  const Checkpoint checkpoint(from, FileAccess::map);
  check(from, to, checkpoint, options.dtype);
  std::error_code error;
  fs::create_directories(to, error);
  if (error) throw Error(ErrorCode::io, to.string() + ": cannot be made: " + error.message());
  Quantizer quantizer(checkpoint, to, options);
  const QuantizeResult result = quantizer.run();
  if (checkpoint.listing().extension() == ".json") {
    write_file(to / checkpoint.listing().filename(), quantizer.index());
  }
  for (const char* name : copied_files) {
    if (fs::exists(from / name)) {
      write_file(to / name, FileBytes(from / name, FileAccess::map).text());
    }
  }
  write_file(to / "config.json", config_with_quantization(from, options.dtype));
  return result;
}

}  // namespace griffin
