// SPDX-License-Identifier: MIT
/*
 * What this host offers to tools and tests beyond the hooks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * 0: allocations succeed; n: the nth from now on fails, and those after it succeed, or fail for
 * good. How many were refused is counted.
 */
extern long fsh_posix_fail_after;
extern bool fsh_posix_fail_for_good;
extern uint64_t fsh_posix_refused;

/* How often a sync was wanted. */
extern unsigned long fsh_posix_syncs_wanted;

/* Hears of each; NULL: nobody does. Any lock may be held. */
extern void (*fsh_posix_on_sync_wanted)(void);

/* What fsh_realtime_ns() says; 0: the clock of the machine. */
extern int64_t fsh_posix_fixed_time_ns;

/* For posix_on_wait(): whoever has a transaction, or what comes after it, waits for no page. */
void fsh_posix_check_wait(void);

/* Takes the lines of fsh_log(); NULL: standard error. */
extern void (*fsh_posix_log)(const char *line);
