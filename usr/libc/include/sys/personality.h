// SPDX-License-Identifier: MIT
/*
 * How exec does things; 0xffffffff asks. The old one, or -1 and errno.
 */
#pragma once

#include <abi/personality.h>

int personality(unsigned long wanted);
