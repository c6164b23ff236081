// SPDX-License-Identifier: MIT
/*
 * The threads that write dirty pages back and keep frames free.
 */
#pragma once

/* Start them.  Once, at boot; panics when it cannot. */
void pageout_init(void);

/* A page became dirty.  Any context; cheap when it was said before. */
void writeback_wanted(void);

/* Free frames run low.  Any context. */
void reclaim_wanted(void);
