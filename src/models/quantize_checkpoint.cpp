// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/output_file.h"
#include "formats/safetensors_writer.h"
#include "griffin/core/error.h"
#include "griffin/core/parallel.h"
#include "griffin/model/quantize.h"
#include "models/checkpoint.h"
#include "models/checkpoint_source.h"
#include "models/quantized_folder.h"
#include "models/recurrent_gemma.h"
#include "models/tensor_list.h"
#include "weights/convert_weights.h"
#include "weights/transpose.h"

namespace griffin {
namespace {

namespace fs = std::filesystem;

/// What is converted at once, so that all cores have something to do: bytes of the input.
constexpr std::int64_t bytes_at_once_per_core = 1 << 21;

/// Rows of a matrix that are converted at once; whole panels.
std::int64_t rows_at_once(const WeightView& matrix) {
  const auto row_bytes = matrix.cols * static_cast<std::int64_t>(size_of(matrix.dtype));
  const std::int64_t rows = available_cores() * bytes_at_once_per_core / row_bytes;
  return std::max(std::int64_t{1}, rows / kernels::panel_rows) * kernels::panel_rows;
}

/// A matrix, or the first of a stack of gates: type and shape, no data.
struct ModelMatrix {
  WeightView view;
  TensorKind kind = TensorKind::matrix;
};
using Matrices = std::map<std::string, ModelMatrix, std::less<>>;  // by name

void check_types(const Checkpoint& checkpoint, Dtype dtype) {
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
}

/// Throws what Model::load does unless every name, shape and type is what config.json describes.
Matrices checked_matrices(const fs::path& from, const QuantizeOptions& quantize) {
  LoadOptions options;
  options.notice = quantize.notice;
  Checkpoint checkpoint(from, quantize.access, quantize.notice);
  check_types(checkpoint, quantize.dtype);
  const ModelConfig config = checkpoint.config().model;
  const auto source = checkpoint_source(std::move(checkpoint), options);
  Matrices matrices;
  TensorList list;
  recurrent_gemma::described_model(list, config);
  for (const ModelTensor& tensor : list.tensors()) {
    if (tensor.kind != TensorKind::matrix && tensor.kind != TensorKind::gates) {
      source->vector(tensor.name, tensor.shape, tensor.kind);
    } else {
      WeightView view = source->matrix(tensor.name, tensor.shape, Lifetime::next_call);
      view.data = nullptr;
      matrices.emplace(tensor.name, ModelMatrix{view, tensor.kind});
    }
  }
  source->finish({});
  return matrices;
}

/// One tensor of the input, what becomes of it, and where it is written.
struct Conversion {
  std::string name;
  const StoredTensor* from = nullptr;
  const ModelMatrix* matrix = nullptr;  // null: copied
  std::int64_t count = 1;               // of matrices in the stack that gates are
  Dtype to = Dtype::f32;                // unless it is copied
  TensorEntry entry;
};

bool is_gates(const Conversion& conversion) {
  return conversion.matrix != nullptr && conversion.matrix->kind == TensorKind::gates;
}

Conversion conversion_of(const std::string& name, const StoredTensor& tensor,
                         const ModelMatrix* matrix, Dtype dtype) {
  Conversion job{name, &tensor, matrix, 1, dtype, {name, tensor.dtype, tensor.shape, 0}};
  job.entry.bytes = tensor.data.size();
  if (matrix == nullptr) return job;
  if (is_gates(job)) {
    job.count = static_cast<std::int64_t>(tensor.shape.front());
    if (dtype == Dtype::int4) job.to = Dtype::int8;
  }
  if (is_quantized(job.to)) {
    job.entry.dtype = "U8";
    job.entry.shape.resize(tensor.shape.size() - 2);
    for (const std::int64_t n :
         {blocks_down(matrix->view.rows), blocks_across(matrix->view.cols), block_bytes(job.to)}) {
      job.entry.shape.push_back(static_cast<std::uint64_t>(n));
    }
  } else {
    job.entry.dtype = "BF16";
  }
  const WeightView result{nullptr, job.to, matrix->view.rows, matrix->view.cols};
  job.entry.bytes = static_cast<std::uint64_t>(job.count) * result.bytes();
  return job;
}

class Quantizer {
 public:
  Quantizer(const Checkpoint& checkpoint, const Matrices& matrices, fs::path to,
            const QuantizeOptions& options)
      : checkpoint_(checkpoint), matrices_(matrices), to_(std::move(to)), options_(options) {
    for (const SafetensorsFile& file : checkpoint.files()) {
      for (const auto& [name, tensor] : file.tensors()) progress_.bytes_total += tensor.data.size();
    }
  }

  QuantizeResult run() {
    for (const SafetensorsFile& file : checkpoint_.files()) write(file);
    return {progress_.bytes_total, written_};
  }

  /// The index of the new shards.
  std::string index() const { return shard_index_text(weight_map_, written_); }

 private:
  /// The tensors of a file: those in blocks first, where they lie on cache lines.
  std::vector<Conversion> conversions(const SafetensorsFile& file) const {
    std::vector<Conversion> jobs;
    for (const auto& [name, tensor] : file.tensors()) {
      const auto matrix = matrices_.find(Checkpoint::name_of(name));
      const ModelMatrix* view = matrix == matrices_.end() ? nullptr : &matrix->second;
      jobs.push_back(conversion_of(name, tensor, view, options_.dtype));
    }
    std::stable_partition(jobs.begin(), jobs.end(),
                          [](const Conversion& job) { return job.entry.bytes % cache_line == 0; });
    return jobs;
  }

  void write(const SafetensorsFile& file) {
    const std::vector<Conversion> jobs = conversions(file);
    std::vector<TensorEntry> entries;
    for (const Conversion& job : jobs) {
      entries.push_back(job.entry);
      written_ += job.entry.bytes;
      weight_map_.emplace(job.name, file.path().filename().string());
    }
    Metadata metadata{{"format", "pt"}, {std::string(writer_key), std::string(writer_name)}};
    if (is_quantized(options_.dtype)) metadata.emplace(blocks_key, blocks_version);
    OutputFile out(to_ / file.path().filename());
    out.write(safetensors_header(entries, metadata));
    for (const Conversion& job : jobs) {
      where_ = file.path().string() + ": tensor " + job.name;
      progress_.tensor = job.name;
      write(job, out);
    }
    out.commit();
  }

  void write(const Conversion& job, OutputFile& out) {
    entry_bytes_ = 0;
    if (job.matrix == nullptr) {
      put(job.from->data, out);
      report(job.from->data.size());
    } else if (is_gates(job) && is_quantized(job.to)) {
      write_gates(job, out);
    } else {
      WeightView stack = job.matrix->view;
      stack.data = job.from->data.data();
      stack.rows *= job.count;
      write_rows(stack, job.to, out);
    }
    if (entry_bytes_ != job.entry.bytes) {
      throw Error(ErrorCode::format, where_ + ": expected to write " +
                                         std::to_string(job.entry.bytes) + " bytes, wrote " +
                                         std::to_string(entry_bytes_));
    }
  }

  /// A stretch of rows at a time.
  void write_rows(const WeightView& from, Dtype to, OutputFile& out) {
    const std::int64_t step = rows_at_once(from);
    for (std::int64_t row = 0; row < from.rows; row += step) {
      WeightView part = from;
      part.rows = std::min(step, from.rows - row);
      const auto skipped = static_cast<std::size_t>(row * from.cols) * size_of(from.dtype);
      part.data = static_cast<const std::byte*>(from.data) + skipped;
      convert(part, to, out);
      report(part.bytes());
    }
  }

  /// Matrices [in, out] become [out, in], as the products want them, a stretch of outputs at a
  /// time.
  void write_gates(const Conversion& job, OutputFile& out) {
    const WeightView& stored = job.matrix->view;
    const std::size_t size = size_of(stored.dtype);
    WeightView part{nullptr, stored.dtype, 0, stored.rows};
    const std::int64_t step = std::min(rows_at_once(part), stored.cols);
    Buffer transposed(static_cast<std::size_t>(step * part.cols) * size);
    part.data = transposed.data();
    for (std::int64_t n = 0; n < job.count; ++n) {
      const std::byte* gate = job.from->data.data() + static_cast<std::size_t>(n) * stored.bytes();
      for (std::int64_t first = 0; first < stored.cols; first += step) {
        part.rows = std::min(step, stored.cols - first);
        transpose_columns(gate, transposed.data(), stored.rows, stored.cols, first, part.rows,
                          size);
        convert(part, job.to, out);
        report(part.bytes());
      }
    }
  }

  void convert(const WeightView& from, Dtype to, OutputFile& out) {
    const WeightView result{nullptr, to, from.rows, from.cols};
    if (converted_.size() < result.bytes()) converted_ = Buffer(result.bytes());
    if (!convert_weights(from, to, converted_.data())) {
      throw Error(ErrorCode::format,
                  where_ + ": expected finite numbers to quantise, found infinity or NaN");
    }
    put({converted_.data(), result.bytes()}, out);
  }

  void put(std::span<const std::byte> bytes, OutputFile& out) {
    out.write(bytes);
    entry_bytes_ += bytes.size();
  }

  void report(std::uint64_t bytes) {
    progress_.bytes_done += bytes;
    if (options_.progress && options_.progress(progress_) == Flow::stop) {
      throw Error(ErrorCode::cancelled, to_.string() + ": quantising was cancelled");
    }
  }

  const Checkpoint& checkpoint_;
  const Matrices& matrices_;
  fs::path to_;
  const QuantizeOptions& options_;
  LoadProgress progress_{};
  std::uint64_t written_ = 0;
  std::uint64_t entry_bytes_ = 0;  // of the tensor at hand, so far
  std::map<std::string, std::string> weight_map_;
  std::string where_;
  Buffer converted_;
};

void write_file(const fs::path& path, std::string_view text) {
  OutputFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace

QuantizeResult quantize(const fs::path& from, const fs::path& to, const QuantizeOptions& options) {
  const Matrices matrices = checked_matrices(from, options);
  const Checkpoint checkpoint(from, options.access);
  const Copies copies = open_copies(from);
  const std::string config = quantized_config(from, options.dtype);
  make_room(to, checkpoint, copies);
  Quantizer quantizer(checkpoint, matrices, to, options);
  const QuantizeResult result = quantizer.run();
  if (checkpoint.is_sharded()) write_file(to / "model.safetensors.index.json", quantizer.index());
  for (const auto& [name, bytes] : copies) write_file(to / name, bytes.text());
  write_file(to / "config.json", config);
  return result;
}

}  // namespace griffin
