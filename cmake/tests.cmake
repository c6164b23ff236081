# SPDX-License-Identifier: MIT
#
# mapache_host_tests(LAYER TARGET... [EXCEPT NAME...])   in the folder of the tests
#     each test_NAME.c of the current folder becomes the cmocka program LAYER_NAME, known to
#     CTest by that name.  Linked into each: the TARGETs, all that are needed (objects are not
#     handed on), and the folder's other sources, which are the target LAYER_test_support.
#     Not those of the NAMEs: the folder makes programs of its own of them.
#     Tests see their folder and the one above, which they test.
#
# CMOCKA_MESSAGE_OUTPUT=TAP lets tools/test count each case.

enable_testing()

# ctest --preset dev: the guest's test programs on this build's kernel.
if(NOT MAPACHE_HOST)
  cmake_path(GET CMAKE_BINARY_DIR FILENAME preset)
  foreach(suite guest run)
    add_test(NAME ${suite} COMMAND ${PROJECT_SOURCE_DIR}/tools/test --preset ${preset} ${suite})
    set_tests_properties(${suite} PROPERTIES LABELS guest)
  endforeach()
endif()

function(mapache_host_tests layer)
  if(NOT MAPACHE_HOST OR NOT MAPACHE_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCEPT")
  file(GLOB tests CONFIGURE_DEPENDS test_*.c)
  file(GLOB support CONFIGURE_DEPENDS *.c)
  list(FILTER support EXCLUDE REGEX "/test_[^/]*$")
  add_library(${layer}_test_support OBJECT ${support} ${CMAKE_BINARY_DIR}/empty.c)
  target_include_directories(${layer}_test_support PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}
    ${CMAKE_CURRENT_SOURCE_DIR}/..)
  target_link_libraries(${layer}_test_support PRIVATE mapache_flags ${arg_UNPARSED_ARGUMENTS})
  foreach(name IN LISTS arg_EXCEPT)
    list(FILTER tests EXCLUDE REGEX "/test_${name}\\.c$")
  endforeach()
  foreach(test IN LISTS tests)
    cmake_path(GET test STEM name)
    string(REGEX REPLACE "^test_" "${layer}_" target ${name})
    mapache_host_program(${target} SOURCES ${test}
      USES ${layer}_test_support ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} PRIVATE cmocka)
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(${target} PROPERTIES ENVIRONMENT "CMOCKA_MESSAGE_OUTPUT=TAP"
      TIMEOUT 600 LABELS ${layer})
  endforeach()
endfunction()

# mapache_host_program(NAME SOURCES file... USES target...): a program of the host build.
function(mapache_host_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES")
  add_executable(${name} ${arg_SOURCES})
  find_package(Threads REQUIRED)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE mapache_flags ${arg_USES} Threads::Threads)
endfunction()
