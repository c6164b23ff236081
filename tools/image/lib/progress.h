// SPDX-License-Identifier: MIT
/*
 * A bar on the terminal for work that takes long: how much is done, how fast, and how long it will
 * take.
 *
 *	put: movie.mkv  42% [========>           ] 420 of 1000 MiB, 310.5 MiB/s, 2 s left
 *
 * It is on stderr, and only where that is a terminal; it comes after half a second (with
 * MAPACHE_PROGRESS=now at once, and at each step: for tests) and is gone in the end, or when a
 * message is printed.  One thread.
 */
#pragma once

#include <stdint.h>

enum progress_unit { PROGRESS_ITEMS, PROGRESS_BYTES };

/* So much of the total is done; another `what` (compared as a pointer) begins anew.  Of a path, its
 * last component is shown. */
void progress_to(const char *what, uint64_t done, uint64_t total, enum progress_unit unit);

/* So much more, of what was begun with progress_to(); else nothing. */
void progress_add(uint64_t done);

/* Take the bar away. */
void progress_end(void);
