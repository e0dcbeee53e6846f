#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_includes.sh source_dir
#
# Who may include whom: generate -> model -> layers -> state -> core -> kernels.h.
# kernels/ stands alone, nobody but src/ and tests/ looks into src/, whose rooms have an order
# (generate -> models -> weights and state -> formats, and formats knows no more of include/ than
# core/), Eigen stays out of include/
# but for core/eigen.h, OpenMP is in src/core/parallel_openmp.cpp only. (bench/kernels/onednn.cpp may tell oneDNN,
# which has no other way to hear it, how many threads to use.)
set -euo pipefail
cd "$1"

failures=0
fail() {
  echo "FAIL: $1: $2"
  failures=$((failures + 1))
}

# Which parts of include/griffin a file of include/griffin/<folder> may use.
allowed_parts() {
  case $1 in
    include/griffin/core/*) echo '(core/|api\.h|kernels\.h)' ;;
    include/griffin/state/*) echo '((core|state)/|api\.h|kernels\.h)' ;;
    include/griffin/layers/*) echo '((core|state|layers)/|api\.h|kernels\.h)' ;;
    include/griffin/model/*) echo '((core|state|layers|model)/|api\.h|kernels\.h)' ;;
    include/griffin/generate/*) echo '((core|state|layers|model|generate)/|api\.h|kernels\.h)' ;;
    include/griffin/kernels.h) echo 'api\.h$' ;;
    include/griffin/c/* | include/griffin/griffin_c.h) echo 'c/' ;;
    *) echo '' ;;
  esac
}

check_public() {
  local where=$1 file=$2 header=$3
  if [[ $header == griffin/* && ! ${header#griffin/} =~ ^$(allowed_parts "$file") ]]; then
    fail "$where" "$header is not below it"
  fi
  if [[ $header == Eigen/* && $file != include/griffin/core/eigen.h ]]; then
    fail "$where" "Eigen in a public header"
  fi
  if [[ $file == include/griffin/kernels.h && ! $header =~ ^(cstddef|cstdint|griffin/api\.h)$ ]]; then
    fail "$where" "kernels.h needs <cstddef>, <cstdint> and api.h only, not $header"
  fi
}

check_kernel() {
  local where=$1 file=$2 header=$3
  local system='^(cstddef|cstdint|[a-z0-9_]*intrin\.h|arm_neon\.h)$'
  if [[ $file == kernels/dispatch.cpp ]]; then
    system='^(cstddef|cstdint|cstdlib|cstring|iterator|string|griffin/core/error\.h)$'
  fi
  if [[ $file == kernels/cpu.cpp ]]; then
    system='^(chrono|cstdint|cstdlib|cstring|cpuid\.h|sys/auxv\.h|sys/syscall\.h|unistd\.h)$'
  fi
  if [[ $file == kernels/reference.h ]]; then
    system='^(cmath|cstdint|cstring|limits|vector)$'
  fi
  if [[ $header == *reference.h ]]; then
    fail "$where" "$header is for tests and readers"
  fi
  if [[ $header != griffin/kernels.h && ! -f kernels/$header && ! $header =~ $system ]]; then
    fail "$where" "kernels may not include $header"
  fi
}

# Which rooms of src/ a file of src/<room> may use.
allowed_rooms() {
  case $1 in
    src/core/*) echo 'core' ;;
    src/formats/*) echo 'formats' ;;
    src/weights/*) echo 'formats|weights' ;;
    src/state/*) echo 'formats|state' ;;
    src/models/*) echo 'formats|weights|state|models' ;;
    src/generate/*) echo 'formats|weights|state|models|generate' ;;
    src/c/*) echo 'generate|c' ;;
    *) echo 'nothing' ;;
  esac
}

# Which parts of include/griffin.
allowed_parts_of_room() {
  case $1 in
    src/core/* | src/formats/*) echo '(core/|api\.h|kernels\.h)' ;;
    src/weights/*) echo '(core/|api\.h|kernels\.h)' ;;
    src/state/*) echo '((core|state)/|api\.h|kernels\.h)' ;;
    src/models/*) echo '((core|state|layers|model)/|api\.h|kernels\.h)' ;;
    *) echo '' ;;
  esac
}

check_room() {
  local where=$1 file=$2 header=$3
  if [[ $header == *..* ]]; then fail "$where" "$header goes around the rooms"; fi
  if [[ -f src/$header && ! $header =~ ^($(allowed_rooms "$file"))/ ]]; then
    fail "$where" "$header is in no room below it"
  fi
  if [[ $header == griffin/* && ! ${header#griffin/} =~ ^$(allowed_parts_of_room "$file") ]]; then
    fail "$where" "$header is not below its room"
  fi
}

folders=()
for folder in include kernels src bench examples; do
  if [[ -d $folder ]]; then folders+=("$folder"); fi
done

count=0
while IFS=: read -r file line directive; do
  header=$(sed -E 's/^[^<"]*[<"]([^>"]*)[>"].*$/\1/' <<<"$directive")
  where=$file:$line
  count=$((count + 1))
  case $file in
    include/*) check_public "$where" "$file" "$header" ;;
    kernels/*) check_kernel "$where" "$file" "$header" ;;
    src/*) check_room "$where" "$file" "$header" ;;
  esac
  if [[ $file != src/* && $file != kernels/* && ($header == *src/* || -f src/$header) ]]; then
    fail "$where" "$header belongs to src/"
  fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' \
           --include='*.h' --include='*.cpp' "${folders[@]}")

# What is not marked so is not there in a shared library.
for file in include/griffin/*.h include/griffin/*/*.h; do
  case $file in */api.h | */griffin.h | */kernels.h | */griffin_c.h | */griffin/c/*) continue ;; esac
  grep -qx 'namespace GRIFFIN_API griffin {' "$file" || fail "$file" "no 'namespace GRIFFIN_API griffin {'"
  ! grep -qx 'namespace griffin {' "$file" || fail "$file" "a namespace griffin without GRIFFIN_API"
  while read -r declaration; do
    fail "$file" "a function without GRIFFIN_API (clang wants it): $declaration"
  done < <(awk '/^template/ { is_template = 1 }
                /^[A-Za-z].*[a-z0-9_]\(/ && !is_template &&
                  !/^(inline|constexpr|concept|static_assert|using|GRIFFIN_API|requires)/ { print }
                /[;{}]$/ { is_template = 0 }' "$file")
done

# strerror shares one buffer among all threads.
while IFS=: read -r file line _; do
  fail "$file:$line" "strerror; std::generic_category().message is safe on every thread"
done < <(grep -rnE '\<strerror *\(' --include='*.h' --include='*.cpp' include kernels src)

openmp='#[[:space:]]*pragma[[:space:]]+omp|_Pragma\("omp|[<"]omp\.h[>"]|\<omp_[a-z_]+\('
while IFS=: read -r file line _; do
  if [[ $file != src/core/parallel_openmp.cpp && $file != bench/kernels/onednn.cpp ]]; then
    fail "$file:$line" "OpenMP outside src/core/parallel_openmp.cpp"
  fi
done < <(grep -rnE "$openmp" --include='*.h' --include='*.cpp' "${folders[@]}")

echo "$count includes in ${folders[*]}: $failures against the rules"
if ((count == 0)); then
  echo "FAIL: nothing to check in $1"
  exit 1
fi
((failures == 0))
