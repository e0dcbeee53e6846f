# SPDX-License-Identifier: Apache-2.0
# The instruction sets of isas.inc and what the files for each are compiled with. Included by
# whoever compiles such files, here, in bench/ and in tests/.
#
# griffin_isa(<name> VEC <wrapper> [QUADS <wrapper>] [TILES <wrapper>] [FLAGS <flag>...])
# adds a set. The wrappers are those of simd/ that simd/vec.h, simd/quads.h and simd/tiles.h give to
# its files.
set(griffin_isas)
macro(griffin_isa name)
  cmake_parse_arguments(isa "" "VEC;QUADS;TILES" "FLAGS" ${ARGN})
  list(APPEND griffin_isas ${name})
  set(griffin_flags_of_${name} ${isa_FLAGS})
  set(griffin_wrappers_of_${name} ${isa_VEC} ${isa_QUADS} ${isa_TILES})
  set(griffin_definitions_of_${name} "GRIFFIN_VEC=\"simd/${isa_VEC}.h\"")
  foreach(wrapper QUADS TILES)
    if(isa_${wrapper})
      list(APPEND griffin_definitions_of_${name} "GRIFFIN_${wrapper}=\"simd/${isa_${wrapper}}.h\"")
    endif()
  endforeach()
endmacro()

# griffin_compile_for(<name> <file> [<option>...]): the file is for that set, with more options.
function(griffin_compile_for name file)
  set_source_files_properties(${file} PROPERTIES
    COMPILE_OPTIONS "${ARGN};${griffin_flags_of_${name}}"
    COMPILE_DEFINITIONS "${griffin_definitions_of_${name}}")
endfunction()

griffin_isa(scalar VEC scalar QUADS quads_scalar)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(griffin_isa_family GRIFFIN_X86)
  set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 takes the placeholders in its own headers for uninitialised values (PR 105593).
    list(APPEND avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  griffin_isa(avx2 VEC avx2 QUADS quads_avx2 FLAGS -mavx2 -mfma -mf16c)
  griffin_isa(avx512 VEC avx512 FLAGS ${avx512})
  griffin_isa(avx512_vnni VEC avx512 QUADS quads_vnni FLAGS ${avx512} -mavx512vnni)
  griffin_isa(avx512_bf16 VEC avx512 FLAGS ${avx512} -mavx512bf16)
  griffin_isa(avx512_bf16_fma VEC avx512 QUADS quads_vnni
              FLAGS ${avx512} -mavx512vnni -mavx512bf16)
  griffin_isa(avx512_amx VEC avx512 QUADS quads_vnni TILES tiles_amx
              FLAGS ${avx512} -mavx512vnni -mavx512bf16)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(griffin_isa_family GRIFFIN_NEON)
  griffin_isa(neon VEC neon QUADS quads_neon)
  griffin_isa(neon_dotprod VEC neon QUADS quads_neon FLAGS -march=armv8.2-a+dotprod)
  griffin_isa(neon_i8mm VEC neon QUADS quads_neon FLAGS -march=armv8.2-a+dotprod+i8mm)
else()
  set(griffin_isa_family)
endif()
