// SPDX-License-Identifier: MIT
/*
 * Readiness: what ppoll asks of files.
 *
 * file_ops.poll returns what is possible now, and before it looks, calls poll_wait() for each of
 * the host's wait queues on which a change would be announced.  fs itself has no file that waits:
 * it passes the table on and does not know what a queue is.
 */
#pragma once

#include <stddef.h>

enum {
	FS_POLLIN = 0x001,
	FS_POLLPRI = 0x002,
	FS_POLLOUT = 0x004,
	FS_POLLERR = 0x008,
	FS_POLLHUP = 0x010,
	FS_POLLNVAL = 0x020,
};

struct poll_table {
	/* Enqueue the caller on the host's wait queue. */
	void (*add)(struct poll_table *table, void *queue);
};

/* A NULL table only asks. */
static inline void poll_wait(struct poll_table *table, void *queue)
{
	if (table)
		table->add(table, queue);
}
