// SPDX-License-Identifier: MIT
/*
 * Waiting for several files at once: what ppoll and pselect6 share (poll.c).
 */
#pragma once

#include <fs/file.h>
#include <kernel/uaccess.h>

struct poll_item {
	struct file *file; /* counted; NULL: nothing to ask, `events` stays what it is */
	uint32_t wanted;   /* POLLIN ... */
	uint32_t events;   /* those of `wanted` that are there */
};

/*
 * How many items have events, as soon as there is one, or at the deadline.  -EINTR, -ENOMEM.
 */
long poll_items(struct poll_item *items, unsigned n, uint64_t deadline);

/* Let go of the files, and of the items. */
void poll_items_free(struct poll_item *items, unsigned n);

/*
 * The common frame of both calls: the signal mask at `mask_from` (none if null) holds for the time
 * of wait(arg, deadline), and what is left of the time goes back to *timeout.
 */
struct poll_call {
	uaddr_t timeout, mask_from;
	size_t set_bytes;
	long (*wait)(struct poll_call *call, uint64_t deadline);
};
long poll_call(struct poll_call *call);
