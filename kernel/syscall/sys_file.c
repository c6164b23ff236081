// SPDX-License-Identifier: MIT
/*
 * System calls on open files: descriptors, reading and writing, sizes and syncs.
 *
 * A read or write that moved something reports that, whatever ended it: the error comes back with
 * the next call.
 */
#include <abi/dirent.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/uio.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/pipe.h>
#include <kernel/stat.h>
#include <kernel/syscall.h>
#include <kernel/transfer.h>

/* --- Descriptors ------------------------------------------------------------------------------ */

long sys_openat(long dir, uaddr_t path_argument, unsigned long flags_argument, unsigned long mode)
{
	unsigned flags = (unsigned)flags_argument;
	struct user_path path;
	struct file *file;
	struct walk w;
	long result = user_path_get(&path, path_argument);

	if (result)
		return result;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		result = -EOPNOTSUPP;
	if (!result)
		result = walk_begin(&w, dir, path.text);
	if (!result) {
		result = vfs_open(&w.ctx, w.base, path.text, flags, (uint32_t)mode & 07777, &file);
		walk_end(&w);
	}
	user_path_free(&path);
	if (result == -EINTR) /* waiting for the other end of a fifo */
		return syscall_restart(RESTART_SA);
	if (result)
		return result;
	result = fd_install(file, 0, flags & O_CLOEXEC);
	if (result < 0)
		file_unref(file);
	return result;
}

long sys_close(long fd)
{
	return fd_close(fd);
}

static long duplicate(long fd, unsigned from, bool close_on_exec)
{
	struct file *file = fd_get_any(fd);
	long result;

	if (!file)
		return -EBADF;
	result = fd_install(file, from, close_on_exec);
	if (result < 0)
		file_unref(file);
	return result;
}

long sys_dup(long fd)
{
	return duplicate(fd, 0, false);
}

long sys_dup3(long fd, long to, unsigned long flags)
{
	struct file *file;
	long result;

	if (((unsigned)flags & ~(unsigned)O_CLOEXEC) || (int)fd == (int)to)
		return -EINVAL;
	file = fd_get_any(fd);
	if (!file)
		return -EBADF;
	result = fd_replace(file, to, (unsigned)flags & O_CLOEXEC);
	if (result < 0)
		file_unref(file);
	return result;
}

static long install_pair(struct file *const pair[2], int fds[2], bool close_on_exec)
{
	long first = fd_install(pair[0], 0, close_on_exec), second;

	if (first < 0) {
		file_unref(pair[0]);
		file_unref(pair[1]);
		return first;
	}
	second = fd_install(pair[1], 0, close_on_exec);
	if (second < 0) {
		(void)fd_close(first);
		file_unref(pair[1]);
		return second;
	}
	fds[0] = (int)first;
	fds[1] = (int)second;
	return 0;
}

long sys_pipe2(uaddr_t to, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct file *pair[2];
	int fds[2];

	/* O_DIRECT asks for packets. */
	if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	long err = pipe_new(flags & O_NONBLOCK, pair);
	if (!err)
		err = install_pair(pair, fds, flags & O_CLOEXEC);
	if (!err && copy_out(to, fds, sizeof fds)) {
		(void)fd_close(fds[0]);
		(void)fd_close(fds[1]);
		err = -EFAULT;
	}
	return err;
}

/*
 * F_SETFL: nothing goes around the page cache, no file sends signals, and only an owner may read
 * without a trace.
 */
static long set_status(struct file *file, unsigned flags)
{
	struct fs_cred cred = process_fs_cred(process_current());

	if (flags & (O_DIRECT | O_ASYNC))
		return -EINVAL;
	if ((flags & O_NOATIME) && file->vnode && !vnode_is_owned(file->vnode, &cred))
		return -EPERM;
	file_set_flags(file, O_APPEND | O_NONBLOCK | O_NOATIME, flags);
	return 0;
}

static long file_control(long fd, struct file *file, unsigned command, unsigned long argument)
{
	unsigned flags = __atomic_load_n(&file->flags, __ATOMIC_RELAXED);

	if (command == F_GETFL)
		return flags;
	switch (command) {
	case F_SETFL:
		return set_status(file, (unsigned)argument);
	case F_GET_SEALS:
		return file_seals(file);
	case F_ADD_SEALS:
		return file_add_seals(file, (unsigned)argument);
	default:
		return fcntl_beyond_core(fd, file, command, argument);
	}
}

long sys_fcntl(long fd, long command, unsigned long argument)
{
	struct file *file;
	long result;

	switch ((int)command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (argument >= process_limit(process_current(), RLIMIT_NOFILE))
			return fd_get_close_on_exec(fd) < 0 ? -EBADF : -EINVAL;
		return duplicate(fd, (unsigned)argument, (int)command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_close_on_exec(fd);
	case F_SETFD:
		return fd_set_close_on_exec(fd, argument & FD_CLOEXEC);
	}
	file = (int)command == F_GETFL ? fd_get_any(fd) : fd_get(fd);
	if (!file)
		return -EBADF;
	result = file_control(fd, file, (unsigned)command, argument);
	file_unref(file);
	return result;
}

long sys_ioctl(long fd, unsigned long command, uaddr_t argument)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	long result = ioctl_beyond_core(fd, file, (unsigned)command, argument);
	if (result == -ENOTTY)
		result = file_ioctl(file, (unsigned)command, argument.addr);
	file_unref(file);
	return result;
}

/* --- Reading and writing ---------------------------------------------------------------------- */

/* access is what is done to the user's memory: MVM_WRITE reads the file. */
static inline int transfer_file(struct file *file, struct mvm_copy *c, size_t n, int64_t offset,
	unsigned access, size_t *done)
{
	if (access == MVM_WRITE)
		return offset == AT_POSITION ? file_read(file, c, n, done)
					     : file_pread(file, c, n, (uint64_t)offset, done);
	return offset == AT_POSITION ? file_write(file, c, n, done)
				     : file_pwrite(file, c, n, (uint64_t)offset, done);
}

static void signal_self(int sig)
{
	siginfo_t info;

	signal_info_init_sender(&info, sig, SI_USER);
	(void)signal_send_thread(task_current(), &info);
}

long transfer_result(size_t done, int err)
{
	if (done || !err)
		return (long)done;
	if (err == -EPIPE)
		signal_self(SIGPIPE);
	else if (err == -EFBIG && process_limit(process_current(), RLIMIT_FSIZE) != RLIM_INFINITY)
		signal_self(SIGXFSZ);
	return err == -EINTR ? syscall_restart(RESTART_SA) : err;
}

static inline long transfer(
	struct file *file, struct mvm_copy *c, size_t n, int64_t offset, unsigned access)
{
	size_t done; /* set in any case */
	int err =
		transfer_file(file, c, n < TRANSFER_MAX ? n : TRANSFER_MAX, offset, access, &done);

	return transfer_result(done, err);
}

/* What is wrong with the file is said before what is wrong with the memory (Linux's order). */
static int can_transfer(const struct file *file, int64_t offset, unsigned access)
{
	return file_can(
		file, access == MVM_WRITE ? FILE_READABLE : FILE_WRITABLE, offset != AT_POSITION);
}

static inline long transfer_one(long fd, uaddr_t base, size_t n, int64_t offset, unsigned access)
{
	bool counted;
	struct file *file = fd_borrow(fd, &counted);
	struct user_range range;
	long result;

	if (!file)
		return -EBADF;
	if (user_range_init(&range, base, n, access)) {
		result = transfer(file, &range.ops, n, offset, access);
	} else {
		result = can_transfer(file, offset, access);
		if (!result)
			result = -EFAULT;
	}
	fd_return(file, counted);
	return result;
}

long sys_read(long fd, uaddr_t to, size_t n)
{
	return transfer_one(fd, to, n, AT_POSITION, MVM_WRITE);
}

long sys_write(long fd, uaddr_t from, size_t n)
{
	return transfer_one(fd, from, n, AT_POSITION, MVM_READ);
}

long sys_pread64(long fd, uaddr_t to, size_t n, int64_t offset)
{
	return offset < 0 ? -EINVAL : transfer_one(fd, to, n, offset, MVM_WRITE);
}

long sys_pwrite64(long fd, uaddr_t from, size_t n, int64_t offset)
{
	return offset < 0 ? -EINVAL : transfer_one(fd, from, n, offset, MVM_READ);
}

_Static_assert(sizeof(struct user_piece) == sizeof(struct iovec), "one layout");

#define PIECES_IN_FRAME 8

static long check_pieces(const struct user_piece *pieces, unsigned n, size_t *total)
{
	*total = 0;
	for (unsigned i = 0; i < n; i++) {
		if ((int64_t)pieces[i].bytes < 0)
			return -EINVAL;
		if (!user_range_ok(pieces[i].base.addr, pieces[i].bytes))
			return -EFAULT;
		if (__builtin_add_overflow(*total, pieces[i].bytes, total) || (int64_t)*total < 0)
			return -EINVAL;
	}
	return 0;
}

static long transfer_file_pieces(
	struct file *file, uaddr_t from, unsigned n, int64_t offset, unsigned access)
{
	struct user_piece few[PIECES_IN_FRAME], *pieces = few;
	struct user_buffer b;
	size_t total;
	long result;

	if (n > PIECES_IN_FRAME)
		pieces = kmalloc(n * sizeof *pieces);
	if (!pieces)
		return -ENOMEM;
	result = copy_in(pieces, from, n * sizeof *pieces);
	if (!result)
		result = check_pieces(pieces, n, &total);
	if (!result) {
		user_buffer_pieces(&b, pieces, n, access);
		result = transfer(file, &b.ops, total, offset, access);
	}
	if (pieces != few)
		kfree(pieces);
	return result;
}

long transfer_pieces(long fd, uaddr_t from, long n_argument, int64_t offset, unsigned access)
{
	struct file *file = fd_get(fd);
	int n = (int)n_argument;
	long result;

	if (!file)
		return -EBADF;
	result = can_transfer(file, offset, access);
	if (!result && (n < 0 || n > UIO_MAXIOV))
		result = -EINVAL;
	if (!result)
		result = transfer_file_pieces(file, from, (unsigned)n, offset, access);
	file_unref(file);
	return result;
}

long sys_readv(long fd, uaddr_t pieces, long n)
{
	return transfer_pieces(fd, pieces, n, AT_POSITION, MVM_WRITE);
}

long sys_writev(long fd, uaddr_t pieces, long n)
{
	return transfer_pieces(fd, pieces, n, AT_POSITION, MVM_READ);
}

/* The high half of the offset is for 32-bit machines. */
long sys_preadv(long fd, uaddr_t pieces, long n, int64_t offset, unsigned long unused)
{
	(void)unused;
	return offset < 0 ? -EINVAL : transfer_pieces(fd, pieces, n, offset, MVM_WRITE);
}

long sys_pwritev(long fd, uaddr_t pieces, long n, int64_t offset, unsigned long unused)
{
	(void)unused;
	return offset < 0 ? -EINVAL : transfer_pieces(fd, pieces, n, offset, MVM_READ);
}

long sys_lseek(long fd, int64_t offset, long whence)
{
	struct file *file = fd_get(fd);
	uint64_t position = 0;

	if (!file)
		return -EBADF;
	int err = file_seek(file, offset, (int)whence, &position);
	file_unref(file);
	return err ? err : (long)position;
}

/* --- Sizes, attributes, syncs ----------------------------------------------------------------- */

long sys_ftruncate(long fd, int64_t size)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	int err = size < 0 ? -EINVAL : file_truncate(file, (uint64_t)size);
	file_unref(file);
	return transfer_result(0, err);
}

static long sync_file(long fd, bool data_only)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	int err = file_sync(file, data_only);
	file_unref(file);
	return err;
}

long sys_fsync(long fd)
{
	return sync_file(fd, false);
}

long sys_fdatasync(long fd)
{
	return sync_file(fd, true);
}

/* Errors are told to those who sync the files concerned. */
long sys_sync(void)
{
	(void)mount_sync_all();
	return 0;
}

long sys_syncfs(long fd)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	int err = file->vnode ? mount_sync(file->vnode->mount) : 0;
	file_unref(file);
	return err;
}

long file_set_attributes(long fd, const struct fs_attr *attr, unsigned mask)
{
	struct fs_cred cred = process_fs_cred(process_current());
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	int err = file->vnode ? vnode_setattr(file->vnode, &cred, attr, mask) : -EINVAL;
	file_unref(file);
	return err;
}

long sys_fchmod(long fd, unsigned long mode)
{
	struct fs_attr attr = {.mode = (uint32_t)mode & FS_PERM};

	return file_set_attributes(fd, &attr, FS_SET_MODE);
}

long sys_fchown(long fd, unsigned long uid, unsigned long gid)
{
	struct fs_attr attr;
	unsigned mask = owner_attributes((uint32_t)uid, (uint32_t)gid, &attr);

	return file_set_attributes(fd, &attr, mask);
}

long sys_fstat(long fd, uaddr_t to)
{
	bool counted;
	struct file *file = fd_borrow(fd, &counted);

	if (!file)
		return -EBADF;
	long err = stat_file(file, to);
	fd_return(file, counted);
	return err;
}

long sys_fstatfs(long fd, uaddr_t to)
{
	struct file *file = fd_get_any(fd);
	struct fs_stat stat = {0};

	if (!file)
		return -EBADF;
	int err = file->vnode ? mount_statfs(file->vnode->mount, &stat) : -ENOSYS;
	file_unref(file);
	return err ? err : put_statfs(&stat, to);
}

/* --- Directories ------------------------------------------------------------------------------ */

#define DIRENTS_BYTES 2048 /* collected in kernel memory at a time */

struct dirents {
	struct fs_readdir ops;
	char *buffer;
	size_t used, size;
	bool full; /* an entry did not fit */
};

static size_t record_bytes(size_t name_bytes)
{
	return (offsetof(struct linux_dirent64, d_name) + name_bytes + 1 + 7) & ~(size_t)7;
}

static bool emit(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct dirents *d = (struct dirents *)r;
	size_t n = record_bytes(entry->name_bytes);
	struct linux_dirent64 *out = (struct linux_dirent64 *)(d->buffer + d->used);

	d->full = n > d->size - d->used;
	if (d->full)
		return false;
	__builtin_memset(out, 0, n);
	out->d_ino = entry->ino;
	out->d_off = (int64_t)entry->next;
	out->d_reclen = (uint16_t)n;
	out->d_type = (uint8_t)FS_DTYPE(entry->mode);
	__builtin_memcpy(out->d_name, entry->name, entry->name_bytes);
	d->used += n;
	return true;
}

/* Entries that could not be handed over will come again. */
static long put_entries(struct file *file, uaddr_t to, const struct dirents *d, uint64_t from)
{
	if (!copy_out(to, d->buffer, d->used))
		return (long)d->used;
	(void)file_seek(file, (int64_t)from, SEEK_SET, &from);
	return -EFAULT;
}

static long read_entries(struct file *file, uaddr_t to, size_t bytes)
{
	size_t size = bytes < DIRENTS_BYTES ? bytes : DIRENTS_BYTES;
	struct dirents d = {.ops.emit = emit, .buffer = kmalloc(DIRENTS_BYTES), .size = size};
	uint64_t from = 0;
	long result;

	if (!d.buffer)
		return -ENOMEM;
	(void)file_seek(file, 0, SEEK_CUR, &from); /* what has no position is no directory */
	result = file_readdir(file, &d.ops);
	if (!result && !d.used && d.full)
		result = -EINVAL; /* not even one fits */
	else if (!result || d.used)
		result = put_entries(file, to, &d, from);
	kfree(d.buffer);
	return result;
}

long sys_getdents64(long fd, uaddr_t to, size_t bytes)
{
	struct file *file = fd_get(fd);

	if (!file)
		return -EBADF;
	long result = read_entries(file, to, (unsigned)bytes);
	file_unref(file);
	return result;
}
