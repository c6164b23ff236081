# SPDX-License-Identifier: MIT
#
# mapache_user_program(NAME DIR SOURCE...)
#     a static riscv64 program against our own libc, in the image as /DIR/NAME
# mapache_user_folder(DIR)
#     each NAME.c of the current source folder, and each folder NAME/*.c in it, as one such
#     program; lib/*.c is an archive that every program of the folder is linked with; each
#     NAME.sh is installed as /DIR/NAME; glibc_NAME.c is built against the toolchain's own C
#     library instead, statically, when it has one
#
# User programs have F and D, which the kernel only saves for them.  They see the C library's
# headers, the ABI's, the compiler's own, and nothing else.

add_library(mapache_user_flags INTERFACE)
target_compile_options(mapache_user_flags INTERFACE
  -march=rv64gc -mabi=lp64d -nostdinc -fno-pic -fno-common -fno-stack-protector
  -fno-omit-frame-pointer "SHELL:-isystem ${MAPACHE_COMPILER_INCLUDE}")
target_include_directories(mapache_user_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/usr/libc/include ${MAPACHE_ABI_INCLUDE})
target_link_options(mapache_user_flags INTERFACE
  -march=rv64gc -mabi=lp64d -nostdlib -static -no-pie
  -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--gc-sections)
target_link_libraries(mapache_user_flags INTERFACE mapache_warnings)

# What goes into the image: lines "MODE HOSTFILE GUESTPATH", see cmake/image.cmake.
define_property(GLOBAL PROPERTY MAPACHE_STAGE)
define_property(GLOBAL PROPERTY MAPACHE_STAGE_TARGETS)

function(mapache_stage mode hostfile guestpath)
  set_property(GLOBAL APPEND PROPERTY MAPACHE_STAGE "${mode} ${hostfile} ${guestpath}")
endfunction()

function(mapache_user_program name dir)
  set(target user_${dir}_${name})
  add_executable(${target} ${ARGN} $<TARGET_OBJECTS:mapache_crt>)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/usr/${dir})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  if(TARGET user_${dir}_lib)
    target_link_libraries(${target} PRIVATE user_${dir}_lib)
  endif()
  target_link_libraries(${target} PRIVATE mapache_user_flags mapache_libc gcc)
  mapache_stage(755 ${CMAKE_BINARY_DIR}/usr/${dir}/${name} /${dir}/${name})
  set_property(GLOBAL APPEND PROPERTY MAPACHE_STAGE_TARGETS ${target})
endfunction()

# A program as anybody's Linux toolchain builds it: the ABI's test.
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libc.a
  OUTPUT_VARIABLE MAPACHE_GLIBC OUTPUT_STRIP_TRAILING_WHITESPACE)
function(mapache_glibc_program name dir source)
  if(NOT IS_ABSOLUTE "${MAPACHE_GLIBC}")
    return()
  endif()
  set(program ${CMAKE_BINARY_DIR}/usr/${dir}/${name})
  add_custom_command(OUTPUT ${program}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/usr/${dir}
    COMMAND ${CMAKE_C_COMPILER} -static -O1 -Wall -Wextra ${ARGN} ${source} -o ${program}
    DEPENDS ${source} VERBATIM COMMENT "Building ${dir}/${name} against glibc")
  add_custom_target(user_${dir}_${name} DEPENDS ${program})
  mapache_stage(755 ${program} /${dir}/${name})
  set_property(GLOBAL APPEND PROPERTY MAPACHE_STAGE_TARGETS user_${dir}_${name})
endfunction()

function(mapache_user_folder dir)
  file(GLOB files CONFIGURE_DEPENDS *.c)
  file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true *)
  file(GLOB scripts CONFIGURE_DEPENDS *.sh)
  file(GLOB shared CONFIGURE_DEPENDS lib/*.c)
  if(shared)
    add_library(user_${dir}_lib STATIC ${shared})
    target_link_libraries(user_${dir}_lib PRIVATE mapache_user_flags)
  endif()
  foreach(file IN LISTS files)
    cmake_path(GET file STEM name)
    if(name MATCHES "^glibc_")
      mapache_glibc_program(${name} ${dir} ${file})
    else()
      mapache_user_program(${name} ${dir} ${file})
    endif()
  endforeach()
  foreach(folder IN LISTS folders)
    cmake_path(GET folder FILENAME name)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    if(IS_DIRECTORY ${folder} AND sources AND NOT name STREQUAL lib)
      mapache_user_program(${name} ${dir} ${sources})
    endif()
  endforeach()
  foreach(script IN LISTS scripts)
    cmake_path(GET script STEM name)
    mapache_stage(755 ${script} /${dir}/${name})
  endforeach()
endfunction()
