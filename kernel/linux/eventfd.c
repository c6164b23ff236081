// SPDX-License-Identifier: MIT
/*
 * eventfd2: a counter that writes add to and reads take from.
 *
 * A read takes all there is, or 1 of a semaphore, and waits while there is nothing; a write waits
 * while it would bring the counter above 2^64 - 2.
 */
#include <abi/errno.h>
#include <abi/eventfd.h>
#include <abi/fcntl.h>
#include <fs/poll.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock; /* RANK_PIPE, guards count */
	uint64_t count;
	bool semaphore; /* [I] */
	struct waitq readable, writable;
};

/* Take what a read gives; 0: there is nothing.  Lock held. */
static uint64_t take(struct eventfd *e)
{
	uint64_t n = e->semaphore && e->count ? 1 : e->count;

	e->count -= n;
	return n;
}

static int eventfd_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct eventfd *e = file->private_data;
	uint64_t value;
	int err = -EAGAIN;

	(void)offset;
	*done = 0;
	if (n < sizeof value)
		return -EINVAL;
	spin_lock(&e->lock);
	if (!file_is_nonblocking(file))
		err = wait_event_locked(&e->readable, &e->lock, e->count, SLEEP_INTERRUPTIBLE);
	value = take(e);
	spin_unlock(&e->lock);
	if (!value)
		return err;
	waitq_wake_all(&e->writable);
	return file_copy(c, &value, sizeof value, done);
}

static bool has_room(const struct eventfd *e, uint64_t value)
{
	return value <= COUNT_MAX - e->count;
}

static int eventfd_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct eventfd *e = file->private_data;
	uint64_t value;
	int err;

	(void)offset;
	*done = 0;
	if (n < sizeof value)
		return -EINVAL;
	err = file_copy(c, &value, sizeof value, done);
	*done = 0;
	if (err)
		return err;
	if (value > COUNT_MAX)
		return -EINVAL;
	spin_lock(&e->lock);
	if (!file_is_nonblocking(file))
		err = wait_event_locked(
			&e->writable, &e->lock, has_room(e, value), SLEEP_INTERRUPTIBLE);
	else if (!has_room(e, value))
		err = -EAGAIN;
	if (!err)
		e->count += value;
	spin_unlock(&e->lock);
	if (err)
		return err;
	*done = sizeof value;
	waitq_wake_all(&e->readable);
	return 0;
}

static unsigned eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *e = file->private_data;
	unsigned events;

	poll_wait(table, &e->readable);
	poll_wait(table, &e->writable);
	spin_lock(&e->lock);
	events = (e->count ? FS_POLLIN : 0) | (e->count < COUNT_MAX ? FS_POLLOUT : 0);
	spin_unlock(&e->lock);
	return events;
}

static void eventfd_release(struct file *file)
{
	kfree(file->private_data);
}

static const struct file_ops eventfd_ops = {
	.name = "[eventfd]",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
};

static struct eventfd *eventfd_alloc(uint64_t count, bool semaphore)
{
	struct eventfd *e = kzalloc(sizeof *e);

	if (!e)
		return NULL;
	spin_init(&e->lock, "eventfd", RANK_PIPE);
	waitq_init(&e->readable);
	waitq_init(&e->writable);
	e->count = count;
	e->semaphore = semaphore;
	return e;
}

long sys_eventfd2(unsigned long count, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct eventfd *e;
	struct file *file;
	int err;

	if (flags & ~(unsigned)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = eventfd_alloc((unsigned)count, flags & EFD_SEMAPHORE);
	if (!e)
		return -ENOMEM;
	err = file_new(&eventfd_ops, e, FS_O_RDWR | (flags & EFD_NONBLOCK),
		FILE_STREAM | FILE_READABLE | FILE_WRITABLE, &file);
	if (err) {
		kfree(e);
		return err;
	}
	long fd = fd_install(file, 0, flags & EFD_CLOEXEC);
	if (fd < 0)
		file_unref(file);
	return fd;
}
