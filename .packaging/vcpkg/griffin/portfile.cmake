# SPDX-License-Identifier: Apache-2.0
# An overlay port, of the sources that it lies in: vcpkg install griffin --overlay-ports=.packaging/vcpkg
# In a registry, vcpkg_from_github takes the place of the next line.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS features
  FEATURES
    openmp GRIFFIN_OPENMP
    tools GRIFFIN_BUILD_EXAMPLES)
vcpkg_find_acquire_program(PKGCONFIG)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${features}
    -DGRIFFIN_BUILD_TESTS=OFF
    -DGRIFFIN_BUILD_BENCH=OFF
    -DGRIFFIN_INSTALL=ON
    -DGRIFFIN_PACKAGES=OFF
    "-DPKG_CONFIG_EXECUTABLE=${PKGCONFIG}")
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/griffin)
vcpkg_fixup_pkgconfig()
if("tools" IN_LIST FEATURES)
  vcpkg_copy_tools(
    TOOL_NAMES griffin-batch griffin-chat griffin-greedy-decode griffin-quantize griffin-score
               griffin-tokenize
    AUTO_CLEAN)
  # Programs look for their model from where they are.
  file(MAKE_DIRECTORY "${CURRENT_PACKAGES_DIR}/tools/share/griffin")
  file(RENAME "${CURRENT_PACKAGES_DIR}/share/griffin/models"
              "${CURRENT_PACKAGES_DIR}/tools/share/griffin/models")
endif()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share"
                    "${CURRENT_PACKAGES_DIR}/share/doc")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
