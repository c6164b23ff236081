# SPDX-License-Identifier: MIT
#
# What can be exchanged in mm at configure time, each through its kit, and through the model test
# beside the defaults of the others.  All combinations: tools/test --all-plugs; or build the target
# mm_all_plugs, and ctest -C all.
#
# Whoever writes another index or policy adds a line here (docs/plugging.md).
set(mm ${PROJECT_SOURCE_DIR}/mm)

# mm_plug(FILE OPTION...): mm/FILE.c compiled alone, as the target mm_plug_FILE.
function(mm_plug file)
  add_library(mm_plug_${file} OBJECT ${mm}/${file}.c)
  target_include_directories(mm_plug_${file} PRIVATE ${mm}
    $<TARGET_PROPERTY:mapache_mm,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(mm_plug_${file} PRIVATE mapache_flags)
  target_compile_options(mm_plug_${file} PRIVATE ${ARGN})
endfunction()

# mm_with_plugs(NAME SOURCE AREAS PLACE): a program with these two in an mm that is otherwise this
# build's.
function(mm_with_plugs name source areas place)
  mapache_host_program(${name} SOURCES ${source}
    "$<FILTER:$<TARGET_OBJECTS:mapache_mm>,EXCLUDE,/(area|place)_[a-z]+\\.c\\.o$>"
    USES mm_test_support mm_plug_area_${areas} mm_plug_place_${place})
  target_include_directories(${name} PRIVATE ${mm}
    $<TARGET_PROPERTY:mapache_mm,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(${name} PRIVATE cmocka)
endfunction()

# mm_plugged(NAME SOURCE AREAS PLACE WORD...): such a program as a test; WORDs are its arguments.
function(mm_plugged name source areas place)
  mm_with_plugs(${name} ${source} ${areas} ${place})
  set(when)
  if(NOT areas STREQUAL tree AND NOT place STREQUAL topdown)
    set(when CONFIGURATIONS all)
  endif()
  add_test(NAME ${name} COMMAND ${name} ${ARGN} ${when})
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "CMOCKA_MESSAGE_OUTPUT=TAP"
    TIMEOUT 600 LABELS mm)
endfunction()

set(areas tree blocks list)
set(places topdown bottomup bestfit random)
foreach(kind IN LISTS areas)
  mm_plug(area_${kind} -fsanitize-coverage=trace-pc) # the kit counts an index's steps
endforeach()
foreach(kind IN LISTS places)
  mm_plug(place_${kind})
endforeach()

mm_plugged(mm_area_tree test_area.c tree topdown --cost log)
mm_plugged(mm_area_blocks test_area.c blocks topdown --cost root)
mm_plugged(mm_area_list test_area.c list topdown --cost linear)

foreach(kind IN LISTS places)
  mm_plugged(mm_place_${kind} test_place.c tree ${kind} --policy ${kind})
endforeach()
# The model test with each index and each policy beside the default of the other; and all the other
# combinations, which are built and run only when they are asked for.
add_custom_target(mm_all_plugs)
foreach(index IN LISTS areas)
  foreach(policy IN LISTS places)
    set(name mm_model_${index}_${policy})
    if(index STREQUAL tree AND policy STREQUAL topdown)
      continue() # mm_model itself
    endif()
    mm_plugged(${name} test_model.c ${index} ${policy} --ops 100000)
    if(NOT index STREQUAL tree AND NOT policy STREQUAL topdown)
      set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
      add_dependencies(mm_all_plugs ${name})
    endif()
  endforeach()
endforeach()

# For tools/plot.
foreach(kind IN LISTS places)
  mm_with_plugs(mm_fragmentation_${kind} plot/fragmentation.c tree ${kind})
endforeach()
