// SPDX-License-Identifier: MIT
/*
 * pselect6: ppoll with its questions in three sets of bits.
 *
 * The sets are as long as the caller's n says, whatever FD_SETSIZE its C library knows.  Every
 * descriptor that is in a set becomes an item of poll.c; what the item is found to have goes back
 * as bits.
 */
#include "poll.h"
#include <abi/errno.h>
#include <abi/poll.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/syscall.h>

enum { READ_SET, WRITE_SET, EXCEPT_SET, SETS };

/* What counts as being readable, writable or exceptional. */
static const uint32_t set_events[SETS] = {
	[READ_SET] = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	[WRITE_SET] = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
	[EXCEPT_SET] = POLLPRI,
};

#define WORD_BITS 64u

struct select {
	struct poll_call call; /* first */
	uaddr_t from[SETS];    /* null: no such set */
	unsigned n, n_words;   /* descriptors, words of a set */
	uint64_t *set[SETS];
	struct poll_item *items;
	unsigned n_items;
};

static bool in_set(const struct select *s, unsigned set, unsigned fd)
{
	return s->set[set][fd / WORD_BITS] >> (fd % WORD_BITS) & 1;
}

/* What the caller wants to know of a descriptor; 0: nothing. */
static uint32_t wanted_of(const struct select *s, unsigned fd)
{
	uint32_t wanted = 0;

	for (unsigned set = 0; set < SETS; set++)
		wanted |= in_set(s, set, fd) ? set_events[set] : 0;
	return wanted;
}

static int get_sets(struct select *s)
{
	size_t bytes = s->n_words * sizeof(uint64_t);

	s->set[0] = kcalloc(SETS * s->n_words + 1, sizeof(uint64_t));
	if (!s->set[0])
		return -ENOMEM;
	for (unsigned set = 0; set < SETS; set++) {
		s->set[set] = s->set[0] + set * s->n_words;
		if (!uaddr_is_null(s->from[set]) && copy_in(s->set[set], s->from[set], bytes))
			return -EFAULT;
	}
	return 0;
}

static int put_sets(const struct select *s)
{
	size_t bytes = s->n_words * sizeof(uint64_t);

	for (unsigned set = 0; set < SETS; set++)
		if (!uaddr_is_null(s->from[set]) && copy_out(s->from[set], s->set[set], bytes))
			return -EFAULT;
	return 0;
}

static int get_items(struct select *s)
{
	unsigned n = 0;

	for (unsigned fd = 0; fd < s->n; fd++)
		n += wanted_of(s, fd) != 0;
	s->items = kcalloc(n + 1, sizeof *s->items);
	if (!s->items)
		return -ENOMEM;
	for (unsigned fd = 0; fd < s->n; fd++) {
		struct poll_item *item = &s->items[s->n_items];

		item->wanted = wanted_of(s, fd);
		if (!item->wanted)
			continue;
		item->file = fd_get(fd);
		if (!item->file)
			return -EBADF;
		s->n_items++;
	}
	return 0;
}

/* Of the bits that were set, those stay that are true.  Returns how many. */
static long answer(struct select *s)
{
	const struct poll_item *item = s->items;
	long n = 0;

	for (unsigned fd = 0; fd < s->n; fd++) {
		uint32_t events = wanted_of(s, fd) ? item++->events : 0;

		for (unsigned set = 0; set < SETS; set++) {
			if (!in_set(s, set, fd))
				continue;
			if (events & set_events[set])
				n++;
			else
				s->set[set][fd / WORD_BITS] &= ~(UINT64_C(1) << fd % WORD_BITS);
		}
	}
	return n;
}

static long select_wait(struct poll_call *call, uint64_t deadline)
{
	struct select *s = (struct select *)call;
	long result = get_sets(s);

	if (!result)
		result = get_items(s);
	if (!result)
		result = poll_items(s->items, s->n_items, deadline);
	if (result >= 0) {
		result = answer(s);
		if (put_sets(s))
			result = -EFAULT;
	}
	poll_items_free(s->items, s->n_items);
	kfree(s->set[0]);
	return result;
}

/* The mask and its size come in a structure: a call has six arguments. */
struct mask_argument {
	uaddr_t mask;
	size_t bytes;
};

long sys_pselect6(long n_argument, uaddr_t readable, uaddr_t writable, uaddr_t except,
	uaddr_t timeout, uaddr_t mask_argument)
{
	int n = (int)n_argument;
	uint64_t limit = process_limit(process_current(), RLIMIT_NOFILE);
	struct mask_argument mask = {.bytes = 0};
	struct select s = {
		.call = {.timeout = timeout, .wait = select_wait},
		.from = {readable, writable, except},
	};

	if (!uaddr_is_null(mask_argument) && get_user(&mask, mask_argument))
		return -EFAULT;
	if (n < 0)
		return -EINVAL;
	s.call.mask_from = mask.mask;
	s.call.set_bytes = mask.bytes;
	/* What lies above every possible descriptor is not looked at. */
	s.n = (uint64_t)n < limit ? (unsigned)n : (unsigned)limit;
	s.n_words = (s.n + WORD_BITS - 1) / WORD_BITS;
	return poll_call(&s.call);
}
