// SPDX-License-Identifier: MIT
/*
 * Work for later: what an interrupt handler found out but may not do itself.
 *
 * One kernel thread runs the functions, in the order in which they were queued, with interrupts on
 * and no lock held.  They should not wait for long: others stand behind them.
 */
#pragma once

#include <stdbool.h>

struct work {
	void (*fn)(struct work *work); /* set by the owner, once */
	struct work *next;
	bool queued;
};

/*
 * Have fn(work) called once from now on.  False, and nothing more, when it is queued already.  Any
 * context.  `work` may be queued again as soon as fn has begun.
 */
bool work_queue(struct work *work);

/* Start the thread.  Once, at boot; panics when it cannot. */
void work_init(void);
