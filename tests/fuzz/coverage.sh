#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# coverage.sh [TARGET...]: how much of the files that a target (all of them, if none is named) is
# for is reached by its seeds and by what run.sh found. The lines that were not reached are in
# build/fuzz-coverage/TARGET.txt.
set -eu
cd "$(dirname "$0")/../.."
build=build/fuzz-coverage
flags="-fprofile-instr-generate -fcoverage-mapping -O1"
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_CXX_FLAGS="$flags" -DGRIFFIN_BUILD_BENCH=OFF >/dev/null
if [ $# -eq 0 ]; then
  set -- $(cd tests/fuzz/seeds && ls)
fi
cmake --build $build --target $(printf 'fuzz_%s ' "$@")

files_of() {
  case $1 in
    c_api) echo src/c ;;
    chat_template) echo src/generate/jinja_statements.cpp src/generate/gemma_turns.cpp ;;
    config)
      echo src/models/config.cpp src/models/config_file.cpp src/models/special_tokens.cpp \
        src/models/layer_list.cpp src/models/rotation.cpp src/models/activation_name.cpp \
        src/formats/json.cpp src/formats/json_fields.cpp
      ;;
    kernels) echo kernels/impl ;;
    lines) echo examples/support/lines.h ;;
    npy) echo examples/support/npy.h ;;
    request)
      echo examples/support/request_line.h examples/support/request_members.h \
        examples/support/input.h src/generate/sampler.cpp src/generate/text_stream.cpp \
        src/generate/stop_strings.cpp
      ;;
    safetensors)
      echo src/formats/safetensors.cpp src/formats/safetensors_writer.cpp src/formats/stand_in.cpp
      ;;
    scheduler)
      echo src/generate/scheduler.cpp src/generate/batcher.cpp src/generate/job.h \
        src/generate/text.cpp src/generate/generation.cpp src/generate/prefix_cache.cpp \
        src/generate/speculation.cpp src/generate/drafter.cpp src/generate/prompt_lookup.cpp
      ;;
    sentencepiece)
      echo src/generate/tokenizer/sentencepiece_file.cpp \
        src/generate/tokenizer/sentencepiece_tokenizer.cpp
      ;;
    shard_index) echo src/formats/shard_index.cpp ;;
    state) echo src/state/state_file.cpp src/state/sequence.cpp src/formats/input_file.cpp ;;
    tokenizer_folder)
      echo src/generate/tokenizer/tokenizer_config.cpp src/generate/chat_template.cpp \
        src/generate/tokenizer/added_tokens.cpp
      ;;
    tokenizer_json) echo src/generate/tokenizer ;;
  esac
}

echo "| target | file | lines | reached |"
echo "|---|---|---|---|"
for target; do
  program=$build/tests/fuzz/fuzz_$target
  profile=$build/$target.profdata
  corpus=build/fuzz/corpus/$target
  [ -d "$corpus" ] || corpus=
  LLVM_PROFILE_FILE=$build/$target.profraw "$program" tests/fuzz/seeds/"$target" $corpus >/dev/null
  llvm-profdata merge -sparse $build/"$target".profraw -o "$profile"
  llvm-cov show "$program" -instr-profile="$profile" $(files_of "$target") |
    grep -E '^ +[0-9]+\| +0\||^/' >$build/"$target".txt || true
  llvm-cov export -summary-only "$program" -instr-profile="$profile" $(files_of "$target") |
    python3 -c '
import json, os, sys
found = json.load(sys.stdin)["data"][0]
rows = [(os.path.relpath(file["filename"]), file["summary"]) for file in found["files"]]
for name, summary in rows + [("all of them", found["totals"])]:
    lines = summary["lines"]
    print("| %s | %s | %d | %.1f %% |" % (sys.argv[1], name, lines["count"], lines["percent"]))
' "$target"
done
