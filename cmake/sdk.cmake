# SPDX-License-Identifier: MIT
#
# The SDK: what a program author needs, and nothing of the tree.  `sdk` installs it as
# build/PRESET/sdk; `cmake --install build/PRESET --component sdk --prefix DIR` anywhere else.
# It finds its parts from where it lies, so it may be moved.
#
#   bin/mapache-cc mapache-run   include/   lib/{crt1.o,libc.a,libm.a,mapache.specs}   share/mapache/

function(mapache_sdk)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/tools/image/mkfs.c)
    return()
  endif()
  set(source ${PROJECT_SOURCE_DIR}/tools)
  set(share share/mapache)
  install(PROGRAMS ${source}/sdk/mapache-cc ${source}/sdk/mapache-run
    DESTINATION bin COMPONENT sdk)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/usr/libc/include/ ${PROJECT_SOURCE_DIR}/kernel/include/
    DESTINATION include COMPONENT sdk FILES_MATCHING PATTERN "*.h"
    PATTERN kernel EXCLUDE)
  install(FILES $<TARGET_FILE:mapache_libc> DESTINATION lib COMPONENT sdk RENAME libc.a)
  install(FILES $<TARGET_OBJECTS:mapache_crt> DESTINATION lib COMPONENT sdk RENAME crt1.o)
  file(WRITE ${CMAKE_BINARY_DIR}/libm.a "!<arch>\n") # for -lm: the functions are in libc.a
  install(FILES ${CMAKE_BINARY_DIR}/libm.a DESTINATION lib COMPONENT sdk)
  install(FILES ${source}/sdk/mapache.specs DESTINATION lib COMPONENT sdk)
  install(FILES ${CMAKE_BINARY_DIR}/mapache.elf ${CMAKE_BINARY_DIR}/disk.img
    ${source}/lib/build.py ${source}/lib/guest.py ${source}/lib/run.py ${source}/lib/sdk.py
    DESTINATION ${share} COMPONENT sdk)
  install(PROGRAMS ${CMAKE_BINARY_DIR}/host-tools/bin/put ${CMAKE_BINARY_DIR}/host-tools/bin/fsck
    DESTINATION ${share}/bin COMPONENT sdk)
  add_custom_target(sdk
    COMMAND ${CMAKE_COMMAND} --install ${CMAKE_BINARY_DIR} --component sdk
      --prefix ${CMAKE_BINARY_DIR}/sdk
    VERBATIM COMMENT "Installing the SDK into sdk/")
  add_dependencies(sdk mapache.elf image mapache_libc mapache_crt)
endfunction()
