// SPDX-License-Identifier: MIT
/*
 * ppoll: wait until one of several files is ready.
 *
 * A look asks every file what is possible, and enqueues the thread on the queues where the file
 * would announce a change; after the first file that is ready no queue is needed any more.  If none
 * is, the thread is about to sleep once more, and then asks each queue whether it has it still: one
 * that does not has woken it since; one that does will wake it. So it does not matter that asking
 * one file may have slept, or that enqueuing on its queue undid the wake-up of another one.
 *
 * The files are held from the first look to the last, whoever closes descriptors meanwhile: the
 * queues are inside them.
 */
#include "poll.h"
#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <fs/poll.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>

/* --- Waiting --------------------------------------------------------------------------------- */

/* One queue that the thread is on. */
struct poll_place {
	struct waiter waiter;
	struct waitq *queue;
};

/* Places come in blocks: how many queues a file has is its own business. */
#define BLOCK_PLACES    16
#define PLACES_IN_FRAME 4

struct place_block {
	struct place_block *next;
	unsigned n;
	struct poll_place places[BLOCK_PLACES];
};

struct poller {
	struct poll_table table;
	unsigned n;
	struct poll_place first[PLACES_IN_FRAME];
	struct place_block *blocks;
	bool no_memory;
};

static struct poll_place *place_new(struct poller *p)
{
	struct place_block *b = p->blocks;

	if (p->n < PLACES_IN_FRAME)
		return &p->first[p->n++];
	if (!b || b->n == BLOCK_PLACES) {
		b = kzalloc(sizeof *b);
		if (!b)
			return NULL;
		b->next = p->blocks;
		p->blocks = b;
	}
	return &b->places[b->n++];
}

static void add(struct poll_table *table, void *queue)
{
	struct poller *p = (struct poller *)table;
	struct poll_place *place = place_new(p);

	if (!place) {
		p->no_memory = true;
		return;
	}
	place->queue = queue;
	waitq_prepare(queue, &place->waiter);
}

static bool was_woken(const struct poller *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (!waitq_has(p->first[i].queue, &p->first[i].waiter))
			return true;
	for (const struct place_block *b = p->blocks; b; b = b->next)
		for (unsigned i = 0; i < b->n; i++)
			if (!waitq_has(b->places[i].queue, &b->places[i].waiter))
				return true;
	return false;
}

static void leave_queues(struct poller *p)
{
	struct place_block *b;

	for (unsigned i = 0; i < p->n; i++)
		waitq_finish(p->first[i].queue, &p->first[i].waiter);
	p->n = 0;
	while ((b = p->blocks) != NULL) {
		for (unsigned i = 0; i < b->n; i++)
			waitq_finish(b->places[i].queue, &b->places[i].waiter);
		p->blocks = b->next;
		kfree(b);
	}
}

/* The thread is on its queues; sleep unless one of them has woken it since. */
static int sleep_on_queues(struct poller *p, uint64_t deadline)
{
	struct waitq none = WAITQ_INIT;
	struct waiter w = {0};
	int err = 0;

	waitq_prepare(&none, &w); /* about to sleep, again */
	if (!was_woken(p))
		err = thread_block(SLEEP_INTERRUPTIBLE, deadline);
	waitq_finish(&none, &w);
	leave_queues(p);
	return err;
}

static uint32_t events_of(struct file *file, struct poll_table *table)
{
	unsigned events = file_poll(file, table);

	/* The "normal" bits are other names of the plain ones. */
	if (events & FS_POLLIN)
		events |= POLLRDNORM;
	if (events & FS_POLLOUT)
		events |= POLLWRNORM;
	return events;
}

/* How many are ready.  While none is, the thread enters queues; p NULL: it is only asked. */
static long look(struct poller *p, struct poll_item *items, unsigned n)
{
	long ready = 0;

	for (unsigned i = 0; i < n; i++) {
		if (items[i].file)
			items[i].events = items[i].wanted &
					  events_of(items[i].file, p && !ready ? &p->table : NULL);
		ready += items[i].events != 0;
	}
	return ready;
}

/*
 * A deadline that has passed asks for a look only: what such a call says that
 * finds nothing; else 0.
 */
static int only_a_look(uint64_t deadline)
{
	if (deadline > time_now_ns())
		return 0;
	return thread_interrupted(SLEEP_INTERRUPTIBLE) ? -EINTR : -ETIMEDOUT;
}

long poll_items(struct poll_item *items, unsigned n, uint64_t deadline)
{
	struct poller p = {.table.add = add};
	long ready;
	int err = only_a_look(deadline);

	while (!(ready = look(err ? NULL : &p, items, n)) && !err && !p.no_memory)
		err = sleep_on_queues(&p, deadline);
	leave_queues(&p);
	if (ready)
		return ready;
	return p.no_memory ? -ENOMEM : err == -ETIMEDOUT ? 0 : err;
}

void poll_items_free(struct poll_item *items, unsigned n)
{
	for (unsigned i = 0; items && i < n; i++)
		if (items[i].file)
			file_unref(items[i].file);
	kfree(items);
}

/* --- The frame of a call --------------------------------------------------------------------- */

static int set_mask(const struct poll_call *call)
{
	uint64_t mask;

	if (uaddr_is_null(call->mask_from))
		return 0;
	if (call->set_bytes != sizeof mask)
		return -EINVAL;
	if (get_user(&mask, call->mask_from))
		return -EFAULT;
	signal_set_mask_temporarily(mask);
	return 0;
}

/*
 * So that a call that is made again waits for the rest.  As on Linux nobody is
 * told of a failure.
 */
static void put_time_left(uaddr_t to, uint64_t deadline)
{
	uint64_t now = time_now_ns(), left = deadline > now ? deadline - now : 0;
	struct timespec ts = {
		.tv_sec = (int64_t)(left / NS_PER_SEC),
		.tv_nsec = (int64_t)(left % NS_PER_SEC),
	};

	if (deadline != NO_DEADLINE && put_user(to, &ts))
		return;
}

long poll_call(struct poll_call *call)
{
	uint64_t deadline;
	long result = deadline_of_user(call->timeout, &deadline);

	if (!result)
		result = set_mask(call);
	if (result)
		return result;
	result = call->wait(call, deadline);
	put_time_left(call->timeout, deadline);
	if (result == -EINTR)
		return syscall_restart(RESTART_SILENTLY); /* a handler runs under this mask */
	if (!uaddr_is_null(call->mask_from))
		signal_restore_mask();
	return result;
}

/* --- ppoll ----------------------------------------------------------------------------------- */

struct ppoll {
	struct poll_call call; /* first */
	uaddr_t fds;
	unsigned n;
};

static void item_init(struct poll_item *item, const struct pollfd *fd)
{
	*item = (struct poll_item){.wanted = (uint16_t)fd->events | POLLERR | POLLHUP};
	if (fd->fd < 0)
		return;
	item->file = fd_get(fd->fd);
	if (!item->file)
		item->events = POLLNVAL;
}

static struct poll_item *items_of(const struct pollfd *fds, unsigned n)
{
	struct poll_item *items = kcalloc(n + 1, sizeof *items);

	for (unsigned i = 0; items && i < n; i++)
		item_init(&items[i], &fds[i]);
	return items;
}

/* Nothing else of the array is touched: another thread may be changing it. */
static int put_events(uaddr_t fds, const struct poll_item *items, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int16_t events = (int16_t)items[i].events;
		size_t at = i * sizeof(struct pollfd) + offsetof(struct pollfd, revents);

		if (put_user(uaddr_add(fds, at), &events))
			return -EFAULT;
	}
	return 0;
}

static long ppoll_wait(struct poll_call *call, uint64_t deadline)
{
	struct ppoll *p = (struct ppoll *)call;
	size_t bytes = p->n * sizeof(struct pollfd);
	struct pollfd *fds = kmalloc(bytes + 1);
	struct poll_item *items = NULL;
	long result = fds ? copy_in(fds, p->fds, bytes) : -ENOMEM;

	if (!result) {
		items = items_of(fds, p->n);
		result = items ? poll_items(items, p->n, deadline) : -ENOMEM;
	}
	if (result >= 0 && put_events(p->fds, items, p->n))
		result = -EFAULT;
	poll_items_free(items, p->n);
	kfree(fds);
	return result;
}

long sys_ppoll(uaddr_t fds, unsigned long n, uaddr_t timeout, uaddr_t mask_from, size_t set_bytes)
{
	struct ppoll p = {
		.call = {.timeout = timeout,
			.mask_from = mask_from,
			.set_bytes = set_bytes,
			.wait = ppoll_wait},
		.fds = fds,
		.n = (unsigned)n,
	};

	if (p.n > process_limit(process_current(), RLIMIT_NOFILE))
		return -EINVAL;
	return poll_call(&p.call);
}
