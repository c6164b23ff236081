# SPDX-License-Identifier: MIT
#
# What can be exchanged in mm at configure time, each through its kit, and through the model test
# beside the defaults of the others.  All combinations: ctest -C all, or tools/test all-plugs.
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

# mm_plugged(NAME SOURCE AREAS PLACE WORD...): a test program with these two in an mm that is
# otherwise this build's; WORDs are its arguments.
function(mm_plugged name source areas place)
  mapache_host_program(${name} SOURCES ${source}
    "$<FILTER:$<TARGET_OBJECTS:mapache_mm>,EXCLUDE,/(area|place)_[a-z]+\\.c\\.o$>"
    USES mm_test_support mm_plug_area_${areas} mm_plug_place_${place})
  target_include_directories(${name} PRIVATE ${mm}
    $<TARGET_PROPERTY:mapache_mm,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(${name} PRIVATE cmocka)
  add_test(NAME ${name} COMMAND ${name} ${ARGN})
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
