// SPDX-License-Identifier: MIT
/*
 * The threads that write dirty pages back and keep frames free.
 */
#pragma once

#include <stdbool.h>

/*
 * Marks of free memory, in reserves (frames_below()): the thread frees up to
 * HIGH when below LOW.
 */
#define RECLAIM_LOW  2
#define RECLAIM_HIGH 3

/* Start them.  Once, at boot; panics when it cannot. */
void pageout_init(void);

/*
 * Something is dirty: write it when it is old enough, or now.  Any context; cheap when it was said
 * before.
 */
void writeback_wanted(bool now);

/* Free frames run low.  Any context. */
void reclaim_wanted(void);

/* There are none, and the caller cannot do without: let others run for a moment.  Sleeps. */
void memory_starved(void);
