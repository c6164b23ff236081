// SPDX-License-Identifier: MIT
/*
 * ppoll: wait until one of several files is ready.
 *
 * The first look at the files also enqueues the thread on the queues of all of them; a change
 * that comes after it wakes the thread, which looks again.
 */
#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <fs/poll.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>

/* One queue that the thread is on. */
struct poll_place {
	struct waiter waiter;
	struct waitq *queue;
};

struct poller {
	struct poll_table table;
	struct poll_place *places;
	unsigned n, max;
	bool too_many;
};

static void add(struct poll_table *table, void *queue)
{
	struct poller *p = (struct poller *)table;

	if (p->n == p->max) {
		p->too_many = true;
		return;
	}
	struct poll_place *place = &p->places[p->n++];
	place->queue = queue;
	waitq_prepare(place->queue, &place->waiter);
}

static int16_t look(struct poller *p, const struct pollfd *fd)
{
	struct file *file = fd_get(fd->fd);
	unsigned events;

	if (!file)
		return POLLNVAL;
	events = file_poll(file, p ? &p->table : NULL);
	file_unref(file);
	/* The "normal" bits are other names of the plain ones. */
	if (events & FS_POLLIN)
		events |= POLLRDNORM;
	if (events & FS_POLLOUT)
		events |= POLLWRNORM;
	return (int16_t)(events & ((unsigned)(uint16_t)fd->events | POLLERR | POLLHUP));
}

/* How many are ready. */
static long look_at_all(struct poller *p, struct pollfd *fds, unsigned n)
{
	long ready = 0;

	for (unsigned i = 0; i < n; i++) {
		fds[i].revents = fds[i].fd < 0 ? 0 : look(p, &fds[i]);
		ready += fds[i].revents != 0;
	}
	return ready;
}

static void leave_queues(struct poller *p)
{
	for (unsigned i = 0; i < p->n; i++)
		waitq_finish(p->places[i].queue, &p->places[i].waiter);
	p->n = 0;
}

/* Ready files, or 0 and asleep on all queues' account: nothing was missed since. */
static long look_and_enqueue(struct poller *p, struct pollfd *fds, unsigned n)
{
	long ready = look_at_all(p, fds, n);

	/* A wake-up between two places was undone by the second: look once more at all. */
	return ready || p->too_many ? ready : look_at_all(NULL, fds, n);
}

static long poll_files(struct poller *p, struct pollfd *fds, unsigned n, uint64_t deadline)
{
	long ready;
	int err = 0;

	for (;;) {
		ready = look_and_enqueue(p, fds, n);
		if (ready || err || p->too_many)
			break;
		err = n ? thread_block(SLEEP_INTERRUPTIBLE, deadline)
			: thread_sleep_until(deadline, SLEEP_INTERRUPTIBLE);
		leave_queues(p);
		if (!n && !err)
			break;
	}
	leave_queues(p);
	if (ready)
		return ready;
	return p->too_many ? -ENOMEM : err == -ETIMEDOUT ? 0 : err;
}

/* The files stay open while the thread is on their queues, whoever closes descriptors. */
static struct file **hold_files(const struct pollfd *fds, unsigned n)
{
	struct file **files = kcalloc(n + 1, sizeof *files);

	for (unsigned i = 0; files && i < n; i++)
		files[i] = fds[i].fd < 0 ? NULL : fd_get(fds[i].fd);
	return files;
}

static void release_files(struct file **files, unsigned n)
{
	for (unsigned i = 0; files && i < n; i++)
		if (files[i])
			file_unref(files[i]);
	kfree(files);
}

static long poll_user(struct pollfd *fds, unsigned n, uint64_t deadline)
{
	/* A pipe's end and a terminal have one queue each. */
	struct poller p = {.table.add = add, .max = n};
	struct file **files = hold_files(fds, n);
	long result = -ENOMEM;

	p.places = kcalloc(n + 1, sizeof *p.places);
	if (p.places && files)
		result = poll_files(&p, fds, n, deadline);
	kfree(p.places);
	release_files(files, n);
	return result;
}

static long copy_and_poll(uaddr_t fds_at, unsigned n, uint64_t deadline)
{
	size_t bytes = n * sizeof(struct pollfd);
	struct pollfd *fds = kmalloc(bytes + 1);
	long result = fds ? copy_in(fds, fds_at, bytes) : -ENOMEM;

	if (!result)
		result = poll_user(fds, n, deadline);
	if (result >= 0 && copy_out(fds_at, fds, bytes))
		result = -EFAULT;
	kfree(fds);
	return result;
}

long sys_ppoll(
	uaddr_t fds, unsigned long n_argument, uaddr_t timeout, uaddr_t mask_from, size_t set_bytes)
{
	unsigned n = (unsigned)n_argument;
	uint64_t deadline, mask;
	int err = deadline_of_user(timeout, &deadline);

	if (err)
		return err;
	if (n > process_limit(process_current(), RLIMIT_NOFILE))
		return -EINVAL;
	if (!uaddr_is_null(mask_from)) {
		if (set_bytes != sizeof mask)
			return -EINVAL;
		if (get_user(&mask, mask_from))
			return -EFAULT;
		signal_set_mask_temporarily(mask);
	}
	long result = copy_and_poll(fds, n, deadline);
	if (result == -EINTR)
		return syscall_restart(RESTART_SILENTLY);
	if (!uaddr_is_null(mask_from))
		signal_restore_mask();
	return result;
}
