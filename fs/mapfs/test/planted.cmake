# SPDX-License-Identifier: MIT
#
# mapfs_planted(LIST PREFIX PART...)
#     for each bug of LIST (plant.py) the program and test PREFIX_NAME: the PARTs with mapfs and mm, of which one
#     file has the bug.
function(mapfs_planted list prefix)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
  execute_process(COMMAND ${list} --list OUTPUT_VARIABLE bugs COMMAND_ERROR_IS_FATAL ANY)
  foreach(bug IN LISTS bugs)
    string(REGEX MATCH "^(.*):(.*)$" unused ${bug})
    set(bug ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    set(name ${prefix}_${bug})
    set(wrong ${CMAKE_CURRENT_BINARY_DIR}/${bug}.c)
    add_custom_command(OUTPUT ${wrong} COMMAND ${list} ${bug} ${PROJECT_SOURCE_DIR}/${file} ${wrong}
      DEPENDS ${list} ${PROJECT_SOURCE_DIR}/${file})
    # Objects are named by their path in the layer's own folder.
    string(REGEX REPLACE "^[a-z]+(/.*)$" "\\1.o$" object ${file})
    string(REPLACE "." "\\." object ${object})
    mapache_host_program(${name} SOURCES ${wrong}
      $<FILTER:$<TARGET_OBJECTS:mapache_fs>,EXCLUDE,/mapache_fs.dir/.${object}>
      $<FILTER:$<TARGET_OBJECTS:mapache_mm>,EXCLUDE,/mapache_mm.dir/.${object}> USES ${ARGN})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/fs ${PROJECT_SOURCE_DIR}/fs/mapfs
      ${PROJECT_SOURCE_DIR}/mm $<TARGET_PROPERTY:mapache_fs,INTERFACE_INCLUDE_DIRECTORIES>
      $<TARGET_PROPERTY:mapache_mm,INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_options(${name} PRIVATE -w) # what the bug leaves unused
    target_link_libraries(${name} PRIVATE cmocka)
    add_test(NAME ${name} COMMAND ${list} --run ${bug} $<TARGET_FILE:${name}>)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS mapfs)
  endforeach()
endfunction()
