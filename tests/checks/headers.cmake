# SPDX-License-Identifier: Apache-2.0
# That the headers of kernels/ stand alone, with what the files of each instruction set are compiled
# with. Included by tests/aarch64/cross, too.
include(${PROJECT_SOURCE_DIR}/kernels/isa.cmake)
foreach(isa IN LISTS griffin_isas)
  # A header that stands alone with the wrappers of one set does so with fewer, and the same, of them.
  set(how alone)
  set(others ${griffin_isas})
  list(REMOVE_ITEM others ${isa} ${passed_on})
  foreach(other IN LISTS others)
    set(missing ${griffin_wrappers_of_${isa}})
    list(REMOVE_ITEM missing ${griffin_wrappers_of_${other}})
    if(NOT missing)
      set(how together)
    endif()
  endforeach()
  if(how STREQUAL together)
    list(APPEND passed_on ${isa})
  endif()
  list(JOIN griffin_wrappers_of_${isa} " " wrappers)
  list(TRANSFORM griffin_definitions_of_${isa} PREPEND -D OUTPUT_VARIABLE definitions)
  add_test(NAME checks.headers_for_${isa}
           COMMAND ${PROJECT_SOURCE_DIR}/tests/checks/check_headers.sh ${how}
                   ${PROJECT_SOURCE_DIR} "${wrappers}" ${CMAKE_CXX_COMPILER} ${definitions} ${griffin_flags_of_${isa}}
           COMMAND_EXPAND_LISTS)
endforeach()
