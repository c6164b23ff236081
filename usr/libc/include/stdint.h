// SPDX-License-Identifier: MIT
/*
 * The compiler knows its own integer types best; this only finds its header, which looks for a
 * system's own first when it is not told to be freestanding.
 */
#pragma once

#if __has_include(<stdint-gcc.h>)
#include <stdint-gcc.h>
#else
#include_next <stdint.h>
#endif
