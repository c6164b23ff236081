// SPDX-License-Identifier: MIT
/*
 * The compiler knows its own integer types best; this only finds its header, which looks for a
 * system's own first when it is not told to be freestanding.
 */
#pragma once

#include <stdint-gcc.h>
