// SPDX-License-Identifier: MIT
#pragma once

#include <abi/auxv.h>

unsigned long getauxval(unsigned long type); /* 0 and ENOENT when the kernel gave none */
