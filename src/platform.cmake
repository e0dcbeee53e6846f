# SPDX-License-Identifier: Apache-2.0
# Checkpoints are used where they are mapped: as little-endian numbers, in more than 4 GB of addresses.
if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  math(EXPR bits "8 * ${CMAKE_SIZEOF_VOID_P}")
  message(FATAL_ERROR "griffin maps checkpoints of many gigabytes and needs a 64-bit target: expected "
                      "pointers of 64 bits, found ${bits} (${CMAKE_SYSTEM_PROCESSOR})")
endif()
if(NOT CMAKE_CXX_BYTE_ORDER STREQUAL LITTLE_ENDIAN)
  message(FATAL_ERROR "griffin reads checkpoints where they are mapped and needs a little-endian target: "
                      "expected LITTLE_ENDIAN, found ${CMAKE_CXX_BYTE_ORDER} (${CMAKE_SYSTEM_PROCESSOR})")
endif()
