# SPDX-License-Identifier: Apache-2.0
# griffin_harden(<target>): what makes the least of a mistake in a reader of files. No kernel is compiled so:
# it sees no byte of a stranger that was not checked before, and stands in the innermost loops.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

set(griffin_hardening -fstack-protector-strong)
foreach(flag -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "griffin_has${flag}" known)
  check_cxx_compiler_flag("-Werror ${flag}" ${known})  # each is for some processors only
  if(${known})
    list(APPEND griffin_hardening ${flag})
  endif()
endforeach()

function(griffin_harden target)
  target_compile_options(${target} PRIVATE ${griffin_hardening})
  # _FORTIFY_SOURCE needs optimisation, and would hide calls from a sanitizer.
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_compile_options(${target} PRIVATE
      $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=3>)
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  if(NOT APPLE)
    target_link_options(${target} PRIVATE LINKER:-z,relro,-z,now,-z,noexecstack)
  endif()
endfunction()
