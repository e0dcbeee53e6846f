# SPDX-License-Identifier: Apache-2.0
# Debian packages, by `cpack --preset package`: libgriffin0.1, libgriffin-c0, libgriffin-dev,
# griffin-tools.
if(NOT CMAKE_SYSTEM_NAME STREQUAL Linux OR NOT BUILD_SHARED_LIBS OR NOT GRIFFIN_BUILD_EXAMPLES)
  return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME griffin)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR griffin.cpp)
set(CPACK_PACKAGE_CONTACT "griffin.cpp maintainers <maintainers@griffin.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_OUTPUT_FILE_PREFIX ${CPACK_PACKAGE_DIRECTORY})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/finish.cmake)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_COMPONENTS_ALL Runtime C Development Programs Models)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(soname_version "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(library libgriffin${soname_version})
set(this_library "${library} (= ${PROJECT_VERSION})")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME ${library})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The shared libraries that programs are linked with.")

# A package of its own: its ABI changes apart from that of C++, and both versions of either may be there.
get_target_property(c_abi griffin_c SOVERSION)
set(CPACK_DEBIAN_C_PACKAGE_NAME libgriffin-c${c_abi})
set(CPACK_DEBIAN_C_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_C_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_C_PACKAGE_DEPENDS "${this_library}")
set(CPACK_COMPONENT_C_DESCRIPTION "The shared library of the C API, which other languages load.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libgriffin-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${this_library}, ${CPACK_DEBIAN_C_PACKAGE_NAME} (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "python3, python3-numpy")  # griffin.py
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers, and what CMake and pkg-config find the libraries by.")

set(CPACK_COMPONENT_PROGRAMS_GROUP tools)
set(CPACK_COMPONENT_MODELS_GROUP tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME griffin-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/${CMAKE_INSTALL_LIBDIR})
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "${this_library}")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "griffin-chat, griffin-batch, griffin-score and others, with a small model to try them on.")

# griffin_shared_libraries(<component> <package> <relation> <version of the ABI> <library>...): which package,
# and which version of it, somebody else's program needs; and that the loader's cache is made anew.
function(griffin_shared_libraries component package relation abi)
  set(folder ${PROJECT_BINARY_DIR}/debian/${component})
  set(lines)
  foreach(library IN LISTS ARGN)
    string(APPEND lines "${library} ${abi} ${package} (${relation} ${PROJECT_VERSION})\n")
  endforeach()
  file(WRITE ${folder}/shlibs "${lines}")
  file(WRITE ${folder}/triggers "activate-noawait ldconfig\n")
  set(CPACK_DEBIAN_${component}_PACKAGE_CONTROL_EXTRA ${folder}/shlibs ${folder}/triggers PARENT_SCOPE)
endfunction()
# C++ libraries promise nothing to programs of another version; the one in C does to older ones.
griffin_shared_libraries(RUNTIME ${library} = ${soname_version} libgriffin_layers libgriffin_engine libgriffin)
griffin_shared_libraries(C ${CPACK_DEBIAN_C_PACKAGE_NAME} >= ${c_abi} libgriffin_c)
include(CPack)
cpack_add_component_group(tools DESCRIPTION "${CPACK_DEBIAN_TOOLS_DESCRIPTION}")
