// SPDX-License-Identifier: MIT
/*
 * Advisory locks of files: what fcntl() and flock() ask for.
 *
 * A lock belongs to an owner, a pointer that nothing looks behind: a table of descriptors for the
 * record locks of a process, an open file for those of an open file and for flock().  Two locks
 * of one kind conflict where their ranges overlap, their owners differ and one is exclusive.  The
 * two kinds know nothing of each other.
 *
 * The theory is at the head of fs/lock.c.  All functions may sleep for memory or for the lock of
 * this module, and want no lock of fs or mm held; only file_lock_wait() says of anybody that he
 * waits, and even it does not: the host does.  The caller's open file keeps the vnode.
 */
#pragma once

#include <fs/vnode.h>

enum file_lock_kind {
	FILE_LOCK_RECORD, /* of a range: fcntl */
	FILE_LOCK_WHOLE,  /* of the whole file: flock */
	FILE_LOCK_KINDS,
};

enum file_lock_mode { FILE_LOCK_FREE, FILE_LOCK_SHARED, FILE_LOCK_EXCLUSIVE };

/* The end of what lies open at its end: one behind the largest offset. */
#define FILE_LOCK_END (UINT64_C(1) << 63)

struct file_lock_request {
	enum file_lock_kind kind;
	enum file_lock_mode mode; /* FREE: give the range back */
	uint64_t start, end;      /* [start, end), not empty; WHOLE: [0, FILE_LOCK_END) */
	const void *owner;
	int32_t pid;     /* only shown */
	bool by_process; /* the owner is a process: it can be part of a deadlock */
};

struct file_lock; /* one range that is held */

/* A request that waits.  The caller's memory, zeroed but for the first two. */
struct file_lock_waiter {
	struct file_lock_request request;
	/*
	 * The owner has the lock now.  Called once, by whoever made room, under the lock of this
	 * module: it wakes a thread and does nothing else.
	 */
	void (*granted)(struct file_lock_waiter *w);

	struct file_lock_set *set;       /* NULL: it does not wait */
	struct file_lock_waiter *next;   /* of the set, longest waiting first */
	struct file_lock_waiter *search; /* of a search for deadlocks, with its number */
	uint64_t searched;
	struct file_lock *spare; /* memory for granting it */
};

/*
 * Set the mode of a range, whatever the owner had there before; what waits and fits then is
 * granted.  0; -EAGAIN: somebody else's lock conflicts; -ENOLCK: no memory.  After a failure
 * nothing has changed, except that a WHOLE lock of another mode is gone (BSD's rule).
 */
int file_lock_set(struct vnode *v, const struct file_lock_request *r);

/*
 * The same, but where it conflicts the request waits.  0: done; 1: w waits until granted() is
 * called or file_lock_give_up(); -EDEADLK: its owner would wait for itself; -ENOLCK.
 */
int file_lock_wait(struct vnode *v, struct file_lock_waiter *w);

/*
 * The end of waiting, to be called once after file_lock_wait() returned 1.  True: the request was
 * not granted and will not be.  In any case granted() has returned if it was called.
 */
bool file_lock_give_up(struct file_lock_waiter *w);

/* Is there a lock that conflicts?  If so, *blocker is the first one. */
bool file_lock_test(
	struct vnode *v, const struct file_lock_request *r, struct file_lock_request *blocker);

/* The owner gives back all that it has of this file, of both kinds. */
void file_lock_release(struct vnode *v, const void *owner);

/* May somebody have locks of v?  Without a lock: what an owner has itself, it sees. */
static inline bool file_lock_any(const struct vnode *v)
{
	return __atomic_load_n(&v->locks, __ATOMIC_RELAXED) != NULL;
}

/*
 * Call fn for each lock and each waiting request (`waits`) of all files, or of one; fn touches
 * kernel memory only.  For /proc/locks and tests.
 */
void file_lock_for_each(const struct vnode *of,
	void (*fn)(void *arg, const struct vnode *v, const struct file_lock_request *r, bool waits),
	void *arg);
