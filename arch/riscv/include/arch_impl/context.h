// SPDX-License-Identifier: MIT
/*
 * What RISC-V keeps of a thread that is not running.
 */
#pragma once

#include <arch/types.h>

struct arch_context {
	uint64_t ra, sp;
	uint64_t s[12];
};

struct arch_fpu {
	uint64_t f[32];
	uint64_t fcsr;
};
