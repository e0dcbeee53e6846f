# SPDX-License-Identifier: Apache-2.0
# Components: Runtime (shared libraries), C (the one with the C API), Development (headers, static libraries,
# what CMake and pkg-config read), and of examples/: Programs, Models.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/griffin)

# griffin_install_libraries(<export> <component of shared libraries> <target>...)
function(griffin_install_libraries export runtime)
  install(TARGETS ${ARGN} EXPORT ${export}
    ARCHIVE COMPONENT Development
    LIBRARY COMPONENT ${runtime} NAMELINK_COMPONENT Development)
  install(EXPORT ${export} NAMESPACE griffin:: DESTINATION ${package} COMPONENT Development)
endfunction()
# Apart, so that layers and engine can be used where there is no SentencePiece.
griffin_install_libraries(griffinLayersTargets Runtime griffin_kernels griffin_layers)
griffin_install_libraries(griffinEngineTargets Runtime griffin_engine)
griffin_install_libraries(griffinTargets Runtime griffin)
if(TARGET griffin_c)
  griffin_install_libraries(griffinCTargets C griffin_c)
  if(TARGET griffin_programs)  # what a package is made of
    add_dependencies(griffin_programs griffin_c)
  endif()
endif()

install(DIRECTORY include/griffin DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT Development)
write_basic_package_version_file(griffinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(src/griffinConfig.cmake.in griffinConfig.cmake
                              INSTALL_DESTINATION ${package})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/griffinConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/griffinConfigVersion.cmake
        DESTINATION ${package} COMPONENT Development)

# Relative, so that an installation may be moved.
file(RELATIVE_PATH prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
if(GRIFFIN_OPENMP)  # bench/ may look for OpenMP without
  set(griffin_openmp_flag " ${OpenMP_CXX_FLAGS}")
endif()
# Shared libraries name what they need themselves.
if(NOT BUILD_SHARED_LIBS)
  set(griffin_requires "sentencepiece libpcre2-8 libutf8proc")
endif()
file(GLOB descriptions CONFIGURE_DEPENDS src/*.pc.in src/*/*.pc.in)
foreach(description IN LISTS descriptions)
  cmake_path(GET description STEM LAST_ONLY name)  # griffin.pc
  configure_file(${description} ${name} @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT Development)
endforeach()

# Python's ctypes load the C library, so no compiler has been at it.
if(TARGET griffin_c AND EXISTS ${PROJECT_SOURCE_DIR}/examples/python/griffin.py)
  install(FILES examples/python/griffin.py examples/python/griffin_c.py DESTINATION ${CMAKE_INSTALL_DATADIR}/griffin/python
          COMPONENT Development)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT Development)
