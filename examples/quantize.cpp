// SPDX-License-Identifier: Apache-2.0
// A model folder with smaller weights.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "griffin/model/quantize.h"
#include "support/embedded_model.h"
#include "support/options.h"
#include "support/program.h"
#include "support/progress_bar.h"

namespace griffin::examples {
namespace {

struct Options {
  explicit Options(CLI::App& app) {
    app.set_version_flag("--version", app.get_name() + " " GRIFFIN_VERSION);
    app.add_option("-m,--model", from, "Model folder; the embedded model if not given")
        ->type_name("DIR");
    app.add_option("-o,--output", to, "Folder to write; made if it is not there")
        ->type_name("DIR")
        ->required();
    app.add_option("--dtype", dtype, "Type of the weight matrices")
        ->type_name("TYPE")
        ->check(CLI::IsMember({"int8", "int4", "bf16"}))
        ->capture_default_str();
    app.add_flag("--no-mmap", no_mmap, "Read the weights into memory instead of mapping them");
  }

  std::string from = embedded_model();
  std::string to;
  std::string dtype = "int8";
  bool no_mmap = false;
};

ExitCode run_quantize(const CLI::App& app, const Options& options) {
  Interrupt::listen();
  QuantizeResult result;
  const auto start = std::chrono::steady_clock::now();
  {
    ProgressBar bar("quantising");
    QuantizeOptions settings;
    settings.dtype = random_dtype(options.dtype);
    settings.access = options.no_mmap ? FileAccess::read : FileAccess::map;
    settings.notice = [&](std::string_view what) {
      bar.clear();
      warn(app, on_one_line(std::string(what)));
    };
    settings.progress = [&](const LoadProgress& progress) {
      bar.update(progress.bytes_done, progress.bytes_total);
      return Interrupt::flow();
    };
    result = quantize(options.from, options.to, settings);
  }
  const auto seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::fprintf(stderr, "%s: %s, %.2f MB of tensors from %.2f MB, %.1f s\n",
               on_one_line(options.to).c_str(), options.dtype.c_str(),
               static_cast<double>(result.bytes_written) / 1e6,
               static_cast<double>(result.bytes_read) / 1e6, seconds);
  return success;
}

}  // namespace
}  // namespace griffin::examples

int main(int argc, char** argv) {
  CLI::App app("Writes a model folder with int8, int4 or bf16 weights.",
               griffin::examples::called(argc, argv, "quantize"));
  const griffin::examples::Options options(app);
  return griffin::examples::run(app, argc, argv, [&] { return run_quantize(app, options); });
}
