// SPDX-License-Identifier: MIT
/*
 * fcntl's record locks and flock, on top of fs/lock.h; and what else of fcntl is beyond the core.
 *
 * Record locks have one of two owners.  Those of a process belong to its table of descriptors: fork
 * copies the table and so inherits none, exec keeps both, and the first descriptor of the file
 * that the process closes takes them all with it (process/files.c).  Those of an open file (F_OFD_)
 * and of flock() belong to that, and go with its last reference (fs/file.c).
 *
 * Another thread may close the descriptor between our look at it and the setting of the lock; it
 * has then released too early.  So whoever has set a lock looks again: if the descriptor is not
 * what it was, the lock is given back, as if closing had come second.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <fs/lock.h>
#include <kernel/files.h>
#include <kernel/pipe.h>
#include <kernel/syscall.h>

/* --- Waiting --------------------------------------------------------------------------------- */

struct waiting {
	struct file_lock_waiter lock; /* first */
	struct waitq queue;
	bool granted; /* [a] */
};

static void granted(struct file_lock_waiter *w)
{
	struct waiting *waiting = (struct waiting *)w;

	__atomic_store_n(&waiting->granted, true, __ATOMIC_RELEASE);
	waitq_wake_all(&waiting->queue);
}

static long set_lock(struct vnode *v, const struct file_lock_request *r, bool wait)
{
	struct waiting w = {.lock.request = *r, .lock.granted = granted, .queue = WAITQ_INIT};
	int err;

	if (!wait)
		return file_lock_set(v, r);
	err = file_lock_wait(v, &w.lock);
	if (err <= 0)
		return err;
	(void)wait_event_interruptible(&w.queue, __atomic_load_n(&w.granted, __ATOMIC_ACQUIRE));
	return file_lock_give_up(&w.lock) ? syscall_restart(RESTART_SA) : 0;
}

/* --- Record locks ---------------------------------------------------------------------------- */

static int64_t position(struct file *file)
{
	uint64_t at;

	return file_seek(file, 0, SEEK_CUR, &at) ? 0 : (int64_t)at;
}

/* The bytes that a struct flock means. */
static int range_of(struct file *file, const struct flock *fl, struct file_lock_request *r)
{
	int64_t base, start, end = INT64_MAX; /* the last byte */

	switch (fl->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = position(file);
		break;
	case SEEK_END:
		base = (int64_t)vnode_size(file->vnode);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (fl->l_len > 0 && __builtin_add_overflow(start, fl->l_len - 1, &end))
		return -EOVERFLOW;
	if (fl->l_len < 0) {
		end = start - 1;
		if (__builtin_add_overflow(start, fl->l_len, &start) || start < 0)
			return -EINVAL;
	}
	r->start = (uint64_t)start;
	r->end = (uint64_t)end + 1;
	return 0;
}

static int mode_of(int16_t type, enum file_lock_mode *mode)
{
	switch (type) {
	case F_RDLCK:
		*mode = FILE_LOCK_SHARED;
		return 0;
	case F_WRLCK:
		*mode = FILE_LOCK_EXCLUSIVE;
		return 0;
	case F_UNLCK:
		*mode = FILE_LOCK_FREE;
		return 0;
	default:
		return -EINVAL;
	}
}

static bool is_of_open_file(unsigned command)
{
	return command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

static int record_request(
	struct file *file, unsigned command, const struct flock *fl, struct file_lock_request *r)
{
	bool of_file = is_of_open_file(command);
	int err;

	*r = (struct file_lock_request){
		.kind = FILE_LOCK_RECORD,
		.owner = of_file ? (void *)file : process_current()->files,
		.pid = of_file ? -1 : process_current()->nr,
		.by_process = !of_file,
	};
	if (of_file && fl->l_pid)
		return -EINVAL;
	err = mode_of(fl->l_type, &r->mode);
	return err ? err : range_of(file, fl, r);
}

static long get_record(struct file *file, unsigned command, struct flock *fl)
{
	struct file_lock_request r, blocker;
	int err = record_request(file, command, fl, &r);

	if (err || r.mode == FILE_LOCK_FREE)
		return err ? err : -EINVAL;
	if (!file_lock_test(file->vnode, &r, &blocker)) {
		fl->l_type = F_UNLCK;
		return 0;
	}
	fl->l_type = blocker.mode == FILE_LOCK_SHARED ? F_RDLCK : F_WRLCK;
	fl->l_whence = SEEK_SET;
	fl->l_start = (int64_t)blocker.start;
	fl->l_len = blocker.end == FILE_LOCK_END ? 0 : (int64_t)(blocker.end - blocker.start);
	fl->l_pid = blocker.pid;
	return 0;
}

static bool is_still_open(long fd, const struct file *file)
{
	struct file *now = fd_get(fd);

	if (now)
		file_unref(now);
	return now == file;
}

static long set_record(long fd, struct file *file, unsigned command, const struct flock *fl)
{
	bool wait = command == F_SETLKW || command == F_OFD_SETLKW;
	struct file_lock_request r;
	long result = record_request(file, command, fl, &r);

	if (result)
		return result;
	if (r.mode == FILE_LOCK_SHARED && !(file->state & FILE_READABLE))
		return -EBADF;
	if (r.mode == FILE_LOCK_EXCLUSIVE && !(file->state & FILE_WRITABLE))
		return -EBADF;
	result = set_lock(file->vnode, &r, wait);
	if (!result && r.mode != FILE_LOCK_FREE && r.by_process && !is_still_open(fd, file)) {
		r.mode = FILE_LOCK_FREE;
		(void)file_lock_set(file->vnode, &r);
		result = -EBADF;
	}
	return result;
}

static long record_lock(long fd, struct file *file, unsigned command, uaddr_t at)
{
	bool get = command == F_GETLK || command == F_OFD_GETLK;
	struct flock fl;
	long result;

	if (!file->vnode)
		return -EINVAL; /* a pipe, an eventfd */
	if (get_user(&fl, at))
		return -EFAULT;
	if (!get)
		return set_record(fd, file, command, &fl);
	result = get_record(file, command, &fl);
	return !result && put_user(at, &fl) ? -EFAULT : result;
}

long fcntl_beyond_core(long fd, struct file *file, unsigned command, unsigned long argument)
{
	static const struct f_owner_ex nobody;

	switch (command) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return record_lock(fd, file, command, uaddr(argument));
	case F_GETPIPE_SZ:
		return file_is_pipe(file) ? pipe_bytes(file) : -EBADF;
	case F_SETPIPE_SZ:
		return file_is_pipe(file) ? pipe_set_bytes(file, (unsigned)argument) : -EBADF;
	case F_GETLEASE:
		return F_UNLCK; /* nobody can take one */
	case F_GETOWN:
	case F_GETSIG:
		return 0; /* no file sends signals */
	case F_GETOWN_EX:
		return put_user(uaddr(argument), &nobody);
	default:
		return -EINVAL;
	}
}

/* --- flock ----------------------------------------------------------------------------------- */

static long lock_whole(struct file *file, unsigned operation)
{
	struct file_lock_request r = {
		.kind = FILE_LOCK_WHOLE,
		.end = FILE_LOCK_END,
		.owner = file,
		.pid = process_current()->nr,
	};

	switch (operation & ~(unsigned)LOCK_NB) {
	case LOCK_SH:
		r.mode = FILE_LOCK_SHARED;
		break;
	case LOCK_EX:
		r.mode = FILE_LOCK_EXCLUSIVE;
		break;
	case LOCK_UN:
		r.mode = FILE_LOCK_FREE;
		break;
	default:
		return -EINVAL;
	}
	if (!file->vnode)
		return -EINVAL; /* a pipe, an eventfd */
	return set_lock(file->vnode, &r, !(operation & LOCK_NB));
}

long sys_flock(long fd, unsigned long operation)
{
	struct file *file = fd_get(fd);
	long result;

	if (!file)
		return -EBADF;
	result = lock_whole(file, (unsigned)operation);
	file_unref(file);
	return result;
}
