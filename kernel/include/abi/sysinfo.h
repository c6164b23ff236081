// SPDX-License-Identifier: MIT
/*
 * What sysinfo says about the machine.
 */
#pragma once

#include <stdint.h>

struct sysinfo {
	int64_t uptime;
	uint64_t loads[3]; /* fixed point, 1 << SI_LOAD_SHIFT is 1.0 */
	uint64_t totalram; /* sizes in units of mem_unit bytes */
	uint64_t freeram;
	uint64_t sharedram;
	uint64_t bufferram;
	uint64_t totalswap;
	uint64_t freeswap;
	uint16_t procs;
	uint16_t __si_pad;
	uint64_t totalhigh;
	uint64_t freehigh;
	uint32_t mem_unit;
};

#define SI_LOAD_SHIFT 16
