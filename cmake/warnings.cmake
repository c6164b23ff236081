# SPDX-License-Identifier: MIT
#
# mapache_warnings: what every C file of Mapache is compiled with, kernel, user and host.
add_library(mapache_warnings INTERFACE)
target_compile_options(mapache_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wvla
  "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>"
  $<$<BOOL:${MAPACHE_WERROR}>:-Werror>)

set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_ASM_FLAGS_RELWITHDEBINFO "-g")
set(CMAKE_ASM_FLAGS_RELEASE "-g")
