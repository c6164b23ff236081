# SPDX-License-Identifier: MIT
#
# A GNU toolchain for riscv64.  Kernel and user programs bring their own headers and C
# library, so any riscv64 gcc >= 12 serves: -DMAPACHE_CROSS=riscv64-unknown-elf- and so on.
set(MAPACHE_CROSS "riscv64-linux-gnu-" CACHE STRING "prefix of the riscv64 toolchain")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MAPACHE_CROSS)

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER ${MAPACHE_CROSS}gcc)
set(CMAKE_ASM_COMPILER ${MAPACHE_CROSS}gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
