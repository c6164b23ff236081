// SPDX-License-Identifier: MIT
/*
 * The file system "proc".
 */
#pragma once

#include <stdint.h>

/* Register the type.  Once, at boot. */
void procfs_init(void);

/*
 * How many threads run or want to, on average over 1, 5 and 15 minutes: 1 <<
 * bits is 1; bits > 11.
 */
void load_averages(uint64_t loads[3], unsigned bits);
