// SPDX-License-Identifier: Apache-2.0
// A checkpoint in another storage type, on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "griffin/core/flow.h"
#include "griffin/core/weight.h"
#include "griffin/model/model.h"

namespace GRIFFIN_API griffin {

struct QuantizeOptions {
  /// int8, int4 or bf16. With int4 the gates of the RG-LRU become int8. Norms, biases, convolutions
  /// and decays stay as they are.
  Dtype dtype = Dtype::int8;
  FileAccess access = FileAccess::map;
  /// Called with a sentence for each oddity of the folder that is no error (LoadOptions::notice).
  std::function<void(std::string_view)> notice;
  /// Called again and again with the bytes read; Flow::stop ends with Error(cancelled).
  std::function<Flow(const LoadProgress&)> progress;
};

struct QuantizeResult {
  std::uint64_t bytes_read = 0;     // of tensors
  std::uint64_t bytes_written = 0;  // of tensors
};

/// Writes the checkpoint in `from` to the folder `to`, which is made if it is not there: a file of
/// tensors for each of `from`'s, config.json, and copies of what else is in the folder and no
/// weights: tokenizer, chat template, licence, notices. Model::load maps the result as it
/// is, and gives the bits that it gives for `from` with LoadOptions::weights = dtype. Tensors that
/// the model does not use are copied. Takes a few megabytes for each core, whatever the size of the
/// model, unless the files are read into memory (FileAccess::read, or where the file system maps no
/// files).
///
/// Throws Error: what Model::load throws for `from`; unsupported if it is quantised already or the
/// type is none of the three; io where files cannot be written or are there already, of which none
/// is touched; format for weights that are not finite; cancelled. `to` then holds no checkpoint:
/// config.json, written last, is missing, and so are the files that were not finished. The next run
/// replaces what such a one left behind, also one that was killed at any moment.
GRIFFIN_API QuantizeResult quantize(const std::filesystem::path& from,
                                    const std::filesystem::path& to,
                                    const QuantizeOptions& options = {});

}  // namespace griffin
