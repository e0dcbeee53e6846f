# SPDX-License-Identifier: Apache-2.0
# What makes the most of a mistake in a reader of files; no kernel is compiled so. _FORTIFY_SOURCE needs
# optimisation, and would hide calls from a sanitizer.
function(griffin_harden target)
  target_compile_options(${target} PRIVATE -fstack-protector-strong)
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_compile_options(${target} PRIVATE
      $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=2>)
  endif()
  if(NOT APPLE)
    target_link_options(${target} PRIVATE LINKER:-z,relro,-z,now)
  endif()
endfunction()
