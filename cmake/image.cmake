# SPDX-License-Identifier: MIT
#
# disk.img: a mapfs image made by the host's mkfs from a staged tree.  In it
#
#   /bin /demo /test            the programs of usr/bin, usr/demo, usr/test
#   /etc /usr/share             the files of usr/etc, usr/share
#   /usr/share/doc/mapache      docs/*.md, the README and the sources of mm: real text
#   /dev /proc /tmp /root       empty folders
#
# The image is made anew whenever one of these changes; what was written in it is then lost.
# Work that should stay belongs in an image of its own (tools/mkfs, tools/run --image).

include(ExternalProject)

set(MAPACHE_IMAGE_SIZE 128M CACHE STRING "size of disk.img")

# The image tools run the file system's own code, so they are this tree built for the host.
# The compiler is the host's: nothing of the toolchain file must leak in.
function(mapache_host_tools)
  file(GLOB mains ${PROJECT_SOURCE_DIR}/tools/image/*.c)
  list(TRANSFORM mains REPLACE ".*/(.*)[.]c" "${CMAKE_BINARY_DIR}/host-tools/bin/\\1"
    OUTPUT_VARIABLE programs)
  ExternalProject_Add(host_tools
    SOURCE_DIR ${PROJECT_SOURCE_DIR}
    BINARY_DIR ${CMAKE_BINARY_DIR}/host-tools
    PREFIX ${CMAKE_BINARY_DIR}/host-tools.state
    CMAKE_ARGS -DMAPACHE_HOST=ON -DMAPACHE_TESTS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo
    CMAKE_GENERATOR Ninja
    BUILD_ALWAYS ON
    BUILD_BYPRODUCTS ${programs}
    INSTALL_COMMAND "")
endfunction()

function(mapache_stage_tree guestdir hostdir)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${hostdir} ${hostdir}/*)
  foreach(file IN LISTS files)
    if(NOT file MATCHES "CMakeLists.txt$")
      mapache_stage(644 ${hostdir}/${file} ${guestdir}/${file})
    endif()
  endforeach()
endfunction()

function(mapache_disk_image)
  mapache_stage_tree(/etc ${PROJECT_SOURCE_DIR}/usr/etc)
  mapache_stage_tree(/usr/share ${PROJECT_SOURCE_DIR}/usr/share)
  set(doc /usr/share/doc/mapache)
  mapache_stage(644 ${PROJECT_SOURCE_DIR}/README.md ${doc}/README.md)
  file(GLOB texts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.md)
  file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/mm/*.c ${PROJECT_SOURCE_DIR}/mm/include/mm/*.h)
  foreach(file IN LISTS texts)
    cmake_path(GET file FILENAME name)
    mapache_stage(644 ${file} ${doc}/${name})
  endforeach()
  foreach(file IN LISTS sources)
    cmake_path(GET file FILENAME name)
    mapache_stage(644 ${file} ${doc}/mm/${name})
  endforeach()

  get_property(stage GLOBAL PROPERTY MAPACHE_STAGE)
  get_property(targets GLOBAL PROPERTY MAPACHE_STAGE_TARGETS)
  list(SORT stage)
  string(JOIN "\n" lines ${stage})
  set(list ${CMAKE_BINARY_DIR}/stage.list)
  file(CONFIGURE OUTPUT ${list} CONTENT "${lines}\n")
  list(TRANSFORM stage REPLACE "^[0-7]+ (.*) [^ ]+$" "\\1" OUTPUT_VARIABLE hostfiles)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/root.stamp
    COMMAND ${PROJECT_SOURCE_DIR}/tools/image/stage ${list} ${CMAKE_BINARY_DIR}/root
    COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/root.stamp
    DEPENDS ${list} ${hostfiles} ${targets} ${PROJECT_SOURCE_DIR}/tools/image/stage
    VERBATIM COMMENT "Staging the image's tree")

  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/tools/image/mkfs.c)
    add_custom_target(image ALL DEPENDS ${CMAKE_BINARY_DIR}/root.stamp)
    return()
  endif()
  mapache_host_tools()
  set(mkfs ${CMAKE_BINARY_DIR}/host-tools/bin/mkfs)
  set(image ${CMAKE_BINARY_DIR}/disk.img)
  add_custom_command(OUTPUT ${image}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${image}
    COMMAND ${mkfs} ${image} ${MAPACHE_IMAGE_SIZE} ${CMAKE_BINARY_DIR}/root
    DEPENDS ${CMAKE_BINARY_DIR}/root.stamp ${mkfs}
    VERBATIM COMMENT "Making disk.img")
  add_custom_target(image ALL DEPENDS ${image})
  add_dependencies(image host_tools)
endfunction()
