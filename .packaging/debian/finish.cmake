# SPDX-License-Identifier: Apache-2.0
# Run by CPack on what it has installed, before that is packed.
file(GLOB roots LIST_DIRECTORIES true ${CPACK_TEMPORARY_DIRECTORY}/*)
set(names_Runtime ${CPACK_DEBIAN_RUNTIME_PACKAGE_NAME})
set(names_C ${CPACK_DEBIAN_C_PACKAGE_NAME})
set(names_Development ${CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME})
set(names_tools ${CPACK_DEBIAN_TOOLS_PACKAGE_NAME})
foreach(root IN LISTS roots)
  cmake_path(GET root FILENAME part)
  if(NOT names_${part})
    continue()
  endif()
  # As Debian wants it: one copyright a package; and below /usr no way to libraries but the system's.
  file(REMOVE_RECURSE ${root}/usr/share/doc)
  configure_file(${CPACK_RESOURCE_FILE_LICENSE} ${root}/usr/share/doc/${names_${part}}/copyright
                 COPYONLY)
  file(GLOB_RECURSE files ${root}/usr/*)
  foreach(file IN LISTS files)
    if(file MATCHES "/bin/|\\.so\\." AND NOT IS_SYMLINK ${file})
      file(RPATH_REMOVE FILE ${file})
    endif()
  endforeach()
  # The same bytes, whatever umask the sources came with and when they came.
  execute_process(COMMAND chmod -R u=rwX,go=rX ${root} COMMAND_ERROR_IS_FATAL ANY)
  if(DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(COMMAND find ${root} -exec touch -h -d @$ENV{SOURCE_DATE_EPOCH} {} +
                    COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
