// SPDX-License-Identifier: MIT
/*
 * Pipes: a ring of pages between reading and writing ends.
 *
 * Positions count bytes for ever; byte i lies in page (i / PAGE_SIZE) mod n_slots.  Pages come
 * when they are first written and go when the ring is empty, but for one; an empty ring starts
 * again at its first byte, so that a pipe of small messages stays within that page.  A full ring
 * that does not begin on a page boundary has its newest bytes in the page of its oldest.
 *
 * No byte is lost.  Bytes are copied under the pipe's lock with faults off, and counted only when
 * they are copied: where the user's memory is not there, the copy is short, the lock is dropped,
 * the memory brought in, and the rest tried again.
 *
 * Writes of up to PIPE_BUF bytes are atomic: they wait for room for all, and their bytes are
 * published together; a short copy of such a write publishes nothing.
 */
#include <abi/errno.h>
#include <abi/limits.h>
#include <abi/stat.h>
#include <abi/termios.h>
#include <fs/fifo.h>
#include <fs/poll.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/pageout.h>
#include <kernel/pipe.h>
#include <kernel/pipe_impl.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <kernel/uaccess.h>
#include <mm/vm.h>

static struct pipe *pipe_of(const struct file *file)
{
	return file->private_data;
}

/* --- The ring: lock held ---------------------------------------------------------------------- */

static size_t used(const struct pipe *p)
{
	return p->tail - p->head;
}

static size_t room(const struct pipe *p)
{
	return p->n_slots * PAGE_SIZE - used(p);
}

/* The byte at a position, and how many follow in its page; NULL: no memory for the page. */
static char *byte_at(struct pipe *p, uint64_t position, size_t *n)
{
	char **page = &p->page[position / PAGE_SIZE & (p->n_slots - 1)];

	if (!*page) {
		/*
		 * What programs run on is left alone, and by a pipe's first page the
		 * kernel's reserve.
		 */
		unsigned leave = p->n_pages ? RECLAIM_LOW : 1;
		paddr_t pa = frames_below(leave) ? 0 : frame_alloc(0);
		if (!pa)
			return NULL;
		*page = phys_to_virt(pa);
		p->n_pages++;
	}
	*n = PAGE_SIZE - position % PAGE_SIZE;
	return *page + position % PAGE_SIZE;
}

static void free_pages(struct pipe *p, unsigned from)
{
	for (unsigned i = from; i < p->n_slots; i++) {
		if (p->page[i]) {
			frame_free(virt_to_phys(p->page[i]), 0);
			p->page[i] = NULL;
			p->n_pages--;
		}
	}
}

static void rewind_if_empty(struct pipe *p)
{
	if (used(p))
		return;
	p->head = p->tail = 0;
	if (p->n_pages > 1)
		free_pages(p, 1);
}

/*
 * All of it, within one page that is there, as most reads and writes are. False: it is not so, or
 * the caller's memory is missing, and nothing counts as copied.
 */
static inline bool copy_in_page(struct pipe *p, uint64_t position, struct mvm_copy *c, size_t n)
{
	char *page = p->page[position / PAGE_SIZE & (p->n_slots - 1)];
	size_t offset = position % PAGE_SIZE;

	return page && n <= PAGE_SIZE - offset && c->copy(c, page + offset, 0, n) == n;
}

/*
 * Copy n bytes between the ring, from `position` on, and the caller's memory at `done`.  Returns
 * how many; less than n: the caller's memory is missing, or (*err) there is no page.
 */
static size_t copy_ring(
	struct pipe *p, uint64_t position, struct mvm_copy *c, size_t done, size_t n, int *err)
{
	size_t copied = 0, in_page, got;

	while (copied < n) {
		char *at = byte_at(p, position + copied, &in_page);
		if (!at) {
			*err = -ENOMEM;
			break;
		}
		if (in_page > n - copied)
			in_page = n - copied;
		got = c->copy(c, at, done + copied, in_page);
		copied += got;
		if (got < in_page)
			break;
	}
	return copied;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/*
 * Wait for a byte.  1: there is one; 0: there will never be; or -errno.  A signal counts only where
 * nothing came with it.
 */
static int wait_readable(struct pipe *p, bool nonblock)
{
	int err = nonblock ? -EAGAIN
			   : wait_event_locked(&p->readable, &p->lock, used(p) || !p->writers,
				     SLEEP_INTERRUPTIBLE);

	return used(p) ? 1 : p->writers ? err : 0;
}

/* The caller's memory at `done` is missing: bring it in without the lock. */
static int fault_in(struct pipe *p, struct mvm_copy *c, size_t done, size_t n)
{
	spin_unlock(&p->lock);
	int err = c->prefault ? c->prefault(c, done, n) : -EFAULT;
	spin_lock(&p->lock);
	return err;
}

/*
 * Take out what is there, as far as n; where the caller's memory is missing, it
 * is brought in first.
 */
static int take_out(struct pipe *p, struct mvm_copy *c, size_t n, size_t *done)
{
	size_t left = n;
	int err = 0;

	while (!err && left && used(p)) {
		size_t want = used(p) < left ? used(p) : left;
		size_t got = copy_ring(p, p->head, c, *done, want, &err);
		p->head += got;
		*done += got;
		left = got == want ? 0 : left - got;
		if (left && !err)
			err = fault_in(p, c, *done, want - got);
	}
	return err;
}

/* Read until there is something, or never will be. */
static __attribute__((noinline)) int read_pieces(
	struct pipe *p, bool nonblock, struct mvm_copy *c, size_t n, size_t *done)
{
	int err;

	while (!*done && (err = wait_readable(p, nonblock)) > 0) {
		err = take_out(p, c, n, done);
		if (err)
			break;
	}
	return err;
}

static int pipe_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct pipe *p = pipe_of(file);
	bool wake;
	int err;

	(void)offset;
	*done = 0;
	if (!n)
		return 0;
	spin_lock(&p->lock);
	err = used(p) ? 1 : wait_readable(p, file_is_nonblocking(file));
	size_t small = used(p) < n ? used(p) : n;
	if (err > 0 && copy_in_page(p, p->head, c, small)) {
		p->head += small;
		*done = small;
		err = 0;
	} else if (err > 0) {
		err = read_pieces(p, file_is_nonblocking(file), c, n, done);
	}
	rewind_if_empty(p);
	wake = *done && p->writable.head;
	spin_unlock(&p->lock);
	if (wake)
		waitq_wake_all(&p->writable);
	return err;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Wait for room for `need` bytes, at most PIPE_BUF. */
static int wait_writable(struct pipe *p, size_t need, bool nonblock)
{
	int err = nonblock ? -EAGAIN
			   : wait_event_locked(&p->writable, &p->lock,
				     room(p) >= need || !p->readers, SLEEP_INTERRUPTIBLE);

	if (!p->readers)
		return -EPIPE;
	return room(p) >= need ? 0 : err;
}

/* Put in what fits; all or nothing if atomic.  0, and more is to be tried unless *done == n. */
static int put_in(struct pipe *p, struct mvm_copy *c, size_t n, size_t *done, bool atomic)
{
	size_t want = n - *done < room(p) ? n - *done : room(p);
	int err = 0;
	size_t got = copy_ring(p, p->tail, c, *done, want, &err);

	if (!atomic || got == want) {
		p->tail += got;
		*done += got;
	}
	if (got == want)
		return 0;
	return err ? err : fault_in(p, c, *done + (atomic ? got : 0), want - got);
}

#define MEMORY_ATTEMPTS 4

/*
 * There is no page for the ring: have others give some up, each time as many as it can need.  Lock
 * held, dropped meanwhile.  -ENOMEM: they would only be taken from each other.
 */
static int find_memory(struct pipe *p, unsigned *attempts)
{
	spin_unlock(&p->lock);
	size_t found = mvm_reclaim(PIPE_PAGES);
	spin_lock(&p->lock);
	return found && ++*attempts < MEMORY_ATTEMPTS ? 0 : -ENOMEM;
}

/* Lock held; dropped meanwhile, and at the end. */
static __attribute__((noinline)) int write_pieces(
	struct pipe *p, bool nonblock, struct mvm_copy *c, size_t n, size_t *done)
{
	bool atomic = n <= PIPE_BUF, wake = false;
	unsigned attempts = 0;
	int err = 0;

	while (!err && *done < n) {
		err = wait_writable(p, atomic ? n : 1, nonblock);
		if (err)
			break;
		err = put_in(p, c, n, done, atomic);
		if (err == -ENOMEM)
			err = find_memory(p, &attempts);
		wake = p->readable.head != NULL && used(p);
		if (wake && !err && *done < n) {
			spin_unlock(&p->lock);
			waitq_wake_all(&p->readable);
			spin_lock(&p->lock);
			wake = false;
		}
	}
	spin_unlock(&p->lock);
	if (wake)
		waitq_wake_all(&p->readable);
	return err;
}

static int pipe_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct pipe *p = pipe_of(file);
	bool wake;

	(void)offset;
	*done = 0;
	if (!n)
		return 0;
	spin_lock(&p->lock);
	if (!p->readers || n > room(p) || !copy_in_page(p, p->tail, c, n))
		return write_pieces(p, file_is_nonblocking(file), c, n, done);
	p->tail += n;
	*done = n;
	wake = p->readable.head != NULL;
	spin_unlock(&p->lock);
	if (wake)
		waitq_wake_all(&p->readable);
	return 0;
}

/* --- The rest --------------------------------------------------------------------------------- */

static unsigned pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *p = pipe_of(file);
	bool reads = file->state & FILE_READABLE, writes = file->state & FILE_WRITABLE;
	unsigned events = 0;

	if (reads)
		poll_wait(table, &p->readable);
	if (writes)
		poll_wait(table, &p->writable);
	spin_lock(&p->lock);
	if (reads) {
		events |= used(p) ? FS_POLLIN : 0;
		/* Of a fifo: that had a writer since it was opened. */
		if (!p->writers && (uint32_t)file->offset != p->writer_opens)
			events |= FS_POLLHUP;
	}
	if (writes) {
		events |= room(p) >= PIPE_BUF ? FS_POLLOUT : 0;
		events |= p->readers ? 0 : FS_POLLERR;
	}
	spin_unlock(&p->lock);
	return events;
}

static int pipe_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct pipe *p = pipe_of(file);
	int n;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&p->lock);
	n = (int)used(p);
	spin_unlock(&p->lock);
	return put_user(uaddr(arg), &n);
}

void pipe_free(struct pipe *p)
{
	free_pages(p, 0);
	if (p->page != p->first)
		kfree(p->page);
	dentry_unref(p->dentry);
	kfree(p);
}

/* Its vnode, referenced and locked, or NULL; the pipe is locked in any case. */
static struct vnode *lock_with_vnode(struct pipe *p)
{
	spin_lock(&p->lock);
	struct vnode *v = p->vnode;
	if (!v)
		return NULL;
	vnode_ref(v);
	spin_unlock(&p->lock);
	fsh_mutex_lock(&v->lock);
	spin_lock(&p->lock);
	return v;
}

static void pipe_release(struct file *file)
{
	struct pipe *p = pipe_of(file);
	struct vnode *v = lock_with_vnode(p);
	bool last;

	p->readers -= (file->state & FILE_READABLE) != 0;
	p->writers -= (file->state & FILE_WRITABLE) != 0;
	last = !p->readers && !p->writers;
	/* The other end is awake and through before it can be the last. */
	waitq_wake_all(&p->readable);
	waitq_wake_all(&p->writable);
	spin_unlock(&p->lock);
	if (v) {
		if (last)
			v->fifo = NULL;
		fsh_mutex_unlock(&v->lock);
		vnode_unref(v);
	}
	if (last)
		pipe_free(p);
}

/* The pipe gets its entry when somebody asks for it first. */
static int pipe_dentry(struct file *file, struct dentry **out)
{
	struct pipe *p = pipe_of(file);
	struct fs_cred cred = {.uid = p->uid, .gid = p->gid};
	struct dentry *fresh = NULL;
	int err = 0;

	spin_lock(&p->lock);
	if (!p->dentry) {
		spin_unlock(&p->lock);
		err = fifo_nameless(p, &cred, &fresh);
		spin_lock(&p->lock);
	}
	if (!err && !p->dentry) {
		p->dentry = dentry_ref(fresh);
		p->vnode = fresh->vnode;
	}
	if (!err)
		*out = dentry_ref(p->dentry);
	spin_unlock(&p->lock);
	dentry_unref(fresh);
	return err;
}

const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.ioctl = pipe_ioctl,
	.poll = pipe_poll,
	.dentry = pipe_dentry,
	.release = pipe_release,
};

bool file_is_pipe(const struct file *file)
{
	return file->ops == &pipe_ops;
}

void pipe_getattr(struct file *file, struct fs_attr *attr)
{
	struct pipe *p = pipe_of(file);

	*attr = (struct fs_attr){
		.ino = p->ino,
		.mode = FS_IFIFO | 0600,
		.nlink = 1,
		.uid = p->uid,
		.gid = p->gid,
		.block_bytes = PAGE_SIZE,
		.atime = p->made_ns,
		.mtime = p->made_ns,
		.ctime = p->made_ns,
	};
}

/* --- Life ------------------------------------------------------------------------------------- */

struct pipe *pipe_alloc(void)
{
	static uint64_t last_ino;
	struct pipe *p = kzalloc(sizeof *p);

	if (!p)
		return NULL;
	spin_init(&p->lock, "pipe", RANK_PIPE);
	waitq_init(&p->readable);
	waitq_init(&p->writable);
	p->page = p->first;
	p->n_slots = PIPE_PAGES;
	p->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	p->made_ns = (int64_t)time_realtime_ns();
	p->uid = process_current()->cred.fsuid;
	p->gid = process_current()->cred.fsgid;
	return p;
}

int pipe_new(unsigned flags, struct file *pair[2])
{
	struct pipe *p = pipe_alloc();
	int err;

	if (!p)
		return -ENOMEM;
	p->readers = p->writers = p->reader_opens = p->writer_opens = 1;
	err = file_new(&pipe_ops, p, FS_O_RDONLY | flags, FILE_STREAM | FILE_READABLE, &pair[0]);
	if (err)
		goto out_pipe;
	err = file_new(&pipe_ops, p, FS_O_WRONLY | flags, FILE_STREAM | FILE_WRITABLE, &pair[1]);
	if (!err)
		return 0;
	p->writers = 0;
	file_unref(pair[0]); /* and with it the pipe */
	return err;
out_pipe:
	pipe_free(p);
	return err;
}
