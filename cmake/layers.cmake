# SPDX-License-Identifier: MIT
#
# mapache_layer(NAME
#     SOURCES file...        globs are fine: file(GLOB x CONFIGURE_DEPENDS *.c)
#     PUBLIC dir...          include directories that users of this layer see
#     PRIVATE dir...         include directories of its own
#     USES target...         layers whose public directories it sees, not handed on
#     PORT)                  sees the kernel's port configuration (<mvm_config.h> and its like)
#                            and what that includes; the layers check keeps its files from more
#
# makes the object library mapache_NAME with the flags of kernel code (or of host code in a
# host build).  Objects, not archives: arch calls up into kernel and mm into its host, and
# object libraries link in any order.  A layer may still be empty.
#
# Every header of the layer, private ones too, must compile alone: check_headers_NAME compiles a
# file for each that holds nothing but its inclusion, twice.

if(MAPACHE_HOST)
  add_library(mapache_flags INTERFACE)
  target_compile_options(mapache_flags INTERFACE -fno-omit-frame-pointer
    "$<$<BOOL:${MAPACHE_SANITIZE}>:-fsanitize=address,undefined;-fno-sanitize-recover=all>")
  target_link_options(mapache_flags INTERFACE
    $<$<BOOL:${MAPACHE_SANITIZE}>:-fsanitize=address,undefined>)
  target_compile_definitions(mapache_flags INTERFACE _GNU_SOURCE MAPACHE_HOST=1)
else()
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
    OUTPUT_VARIABLE MAPACHE_COMPILER_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)

  # The kernel owns no FPU state: no F or D.  No libgcc: what -march lacks must not be asked for.
  add_library(mapache_flags INTERFACE)
  target_compile_options(mapache_flags INTERFACE
    -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
    -ffreestanding -nostdinc -fno-pic -fno-common -fno-stack-protector
    -fno-strict-aliasing
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections)
  # Frame pointers, and calls that are not jumps, cost each benchmark 5 to 9%: where the kernel is
  # debugged a backtrace is exact, elsewhere it is searched for (arch/riscv/backtrace.c).
  if(MAPACHE_DEBUG)
    target_compile_options(mapache_flags INTERFACE
      -fno-omit-frame-pointer -fno-optimize-sibling-calls)
    target_compile_definitions(mapache_flags INTERFACE MAPACHE_FRAME_POINTERS=1)
  else()
    target_compile_options(mapache_flags INTERFACE -fomit-frame-pointer)
  endif()
  # As an option: CMake drops include directories that the compiler has by default.
  target_compile_options(mapache_flags INTERFACE "SHELL:-isystem ${MAPACHE_COMPILER_INCLUDE}")
endif()
target_compile_definitions(mapache_flags INTERFACE
  $<$<BOOL:${MAPACHE_DEBUG}>:MAPACHE_DEBUG=1>
  $<$<BOOL:${MAPACHE_CORE}>:MAPACHE_CORE=1>)
target_link_libraries(mapache_flags INTERFACE mapache_warnings)

file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/empty.c CONTENT "typedef int a_layer_may_be_empty;\n")

# <abi/...> and nothing else of the kernel's headers, for user land and the lower layers.
set(MAPACHE_ABI_INCLUDE ${CMAKE_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${MAPACHE_ABI_INCLUDE})
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/kernel/include/abi ${MAPACHE_ABI_INCLUDE}/abi SYMBOLIC)

# What the kernel is to a layer that is also for others: configurations, and what they include.
add_library(mapache_port INTERFACE)
foreach(folder kernel/port/config kernel/include arch/include arch/riscv/include fs/include
    mm/include drivers/include kernel/lib/include)
  target_include_directories(mapache_port INTERFACE ${PROJECT_SOURCE_DIR}/${folder})
endforeach()

function(mapache_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PORT" "" "SOURCES;PUBLIC;PRIVATE;USES")
  if(arg_PORT)
    list(APPEND arg_USES mapache_port)
  endif()
  add_library(mapache_${name} OBJECT ${arg_SOURCES} ${CMAKE_BINARY_DIR}/empty.c)
  target_include_directories(mapache_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  target_link_libraries(mapache_${name} PRIVATE mapache_flags ${arg_USES})

  if(NOT MAPACHE_HOST)
    file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
    foreach(folder IN LISTS arg_PUBLIC arg_PRIVATE)
      file(GLOB_RECURSE more CONFIGURE_DEPENDS ${folder}/*.h)
      list(FILTER more EXCLUDE REGEX "/(test|port/(posix|tiny|template))/")
      list(APPEND headers ${more})
    endforeach()
    mapache_check_headers(${name} ${headers})
    target_include_directories(check_headers_${name} PRIVATE ${arg_PUBLIC} ${arg_PRIVATE})
    target_link_libraries(check_headers_${name} PRIVATE mapache_flags ${arg_USES})
  endif()
endfunction()

function(mapache_check_headers name)
  list(REMOVE_DUPLICATES ARGN)
  set(sources ${CMAKE_BINARY_DIR}/empty.c)
  foreach(header IN LISTS ARGN)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE source)
    string(REPLACE "/" "-" source ${source})
    set(source ${CMAKE_BINARY_DIR}/headers/${name}/${source}.c)
    file(CONFIGURE OUTPUT ${source} CONTENT
      "#include \"${header}\"\n#include \"${header}\"\ntypedef int not_empty;\n")
    list(APPEND sources ${source})
  endforeach()
  add_library(check_headers_${name} OBJECT ${sources})
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/arch/riscv/kernel.ld) # port configurations are still to come
    set_target_properties(check_headers_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()
