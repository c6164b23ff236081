// SPDX-License-Identifier: MIT
/*
 * System calls on names: each takes its paths in, walks from the right directory, and leaves the
 * rules to fs/vfs.h.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/limits.h>
#include <abi/stat.h>
#include <abi/statfs.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/pipe.h>
#include <kernel/place.h>
#include <kernel/stat.h>
#include <kernel/syscall.h>
#include <kernel/transfer.h>
#include <kernel/time.h>

int place_get(struct place *p, long dir, uaddr_t path)
{
	int err = user_path_get(&p->path, path);

	if (err)
		return err;
	err = walk_begin(&p->walk, dir, p->path.text);
	if (err)
		user_path_free(&p->path);
	return err;
}

void place_put(struct place *p)
{
	walk_end(&p->walk);
	user_path_free(&p->path);
}

/* --- Attributes ------------------------------------------------------------------------------- */

struct timespec timespec_of(fs_time_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / (int64_t)NS_PER_SEC,
		.tv_nsec = ns % (int64_t)NS_PER_SEC,
	};

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += (int64_t)NS_PER_SEC;
		ts.tv_sec--;
	}
	return ts;
}

long put_stat(const struct fs_attr *attr, uaddr_t to)
{
	struct stat stat = {
		.st_dev = attr->dev,
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = attr->rdev,
		.st_size = (int64_t)attr->size_bytes,
		.st_blksize = (int32_t)attr->block_bytes,
		.st_blocks = (int64_t)attr->blocks,
		.st_atim = timespec_of(attr->atime),
		.st_mtim = timespec_of(attr->mtime),
		.st_ctim = timespec_of(attr->ctime),
	};

	return put_user(to, &stat);
}

long put_statfs(const struct fs_stat *stat, uaddr_t to)
{
	struct statfs out = {
		.f_type = (int64_t)stat->magic,
		.f_bsize = (int64_t)stat->block_bytes,
		.f_frsize = (int64_t)stat->block_bytes,
		.f_blocks = stat->blocks,
		.f_bfree = stat->free_blocks,
		.f_bavail = stat->data_blocks,
		.f_files = stat->inodes,
		.f_ffree = stat->free_inodes,
		.f_fsid = {.val = {(int32_t)stat->dev, (int32_t)(stat->dev >> 32)}},
		.f_namelen = NAME_MAX,
		.f_flags = stat->flags | ST_VALID | MS_NOATIME,
	};

	return put_user(to, &out);
}

static int file_attributes(struct file *file, struct fs_attr *attr)
{
	if (file_is_pipe(file) && !file->vnode)
		pipe_getattr(file, attr);
	else if (!file->vnode) /* an eventfd and its like: all of them look the same */
		*attr = (struct fs_attr){.mode = 0600, .nlink = 1, .block_bytes = PAGE_SIZE};
	else
		return file_getattr(file, attr);
	return 0;
}

long stat_file(struct file *file, uaddr_t to)
{
	struct fs_attr attr;
	int err = file_attributes(file, &attr);

	return err ? err : put_stat(&attr, to);
}

static bool is_empty_path(uaddr_t path)
{
	char first;

	return !copy_in(&first, path, 1) && !first;
}

/* Of an open file, which may have no name. */
static int attributes_of_fd(long fd, struct fs_attr *attr)
{
	bool counted;
	struct file *file = fd_borrow(fd, &counted);

	if (!file)
		return -EBADF;
	int err = file_attributes(file, attr);
	fd_return(file, counted);
	return err;
}

int attributes_at(long dir, uaddr_t path, unsigned at_flags, struct fs_attr *attr)
{
	struct place p;

	if ((at_flags & AT_EMPTY_PATH) && (int)dir != AT_FDCWD && is_empty_path(path))
		return attributes_of_fd(dir, attr);
	int err = place_get(&p, dir, path);
	if (err)
		return err;
	err = vfs_stat(CTX(p), BASE(p), TEXT(p), walk_flags(at_flags), attr);
	place_put(&p);
	return err;
}

long sys_newfstatat(long dir, uaddr_t path, uaddr_t to, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct fs_attr attr;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	int err = attributes_at(dir, path, flags, &attr);
	return err ? err : put_stat(&attr, to);
}

static long set_attributes(
	long dir, uaddr_t path, unsigned flags, const struct fs_attr *attr, unsigned mask)
{
	struct place p;
	int err = place_get(&p, dir, path);

	if (err)
		return err;
	err = vfs_setattr(CTX(p), BASE(p), TEXT(p), walk_flags(flags), attr, mask);
	place_put(&p);
	return err;
}

long sys_fchmodat(long dir, uaddr_t path, unsigned long mode)
{
	struct fs_attr attr = {.mode = (uint32_t)mode & FS_PERM};

	return set_attributes(dir, path, 0, &attr, FS_SET_MODE);
}

unsigned owner_attributes(uint32_t uid, uint32_t gid, struct fs_attr *attr)
{
	*attr = (struct fs_attr){.uid = uid, .gid = gid};
	return (uid != UINT32_MAX ? FS_SET_UID : 0) | (gid != UINT32_MAX ? FS_SET_GID : 0);
}

long sys_fchownat(long dir, uaddr_t path, unsigned long uid, unsigned long gid, unsigned long flags)
{
	struct fs_attr attr;
	unsigned mask = owner_attributes((uint32_t)uid, (uint32_t)gid, &attr);

	if ((unsigned)flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return set_attributes(dir, path, (unsigned)flags, &attr, mask);
}

/* One time of utimensat: the bits to set, 0 for UTIME_OMIT. */
static int time_attribute(
	const struct timespec *ts, unsigned set, unsigned set_now, fs_time_t *to, unsigned *mask)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	if (ts->tv_nsec == UTIME_NOW) {
		*mask |= set_now;
		return 0;
	}
	if (ts->tv_nsec < 0 || ts->tv_nsec >= (int64_t)NS_PER_SEC)
		return -EINVAL;
	if (ts->tv_sec > INT64_MAX / (int64_t)NS_PER_SEC - 1 ||
		ts->tv_sec < INT64_MIN / (int64_t)NS_PER_SEC)
		*to = ts->tv_sec < 0 ? INT64_MIN : INT64_MAX; /* the nearest that a file can have */
	else
		*to = ts->tv_sec * (int64_t)NS_PER_SEC + ts->tv_nsec;
	*mask |= set;
	return 0;
}

static int time_attributes(uaddr_t times, struct fs_attr *attr, unsigned *mask)
{
	struct timespec ts[2];

	*mask = FS_SET_ATIME_NOW | FS_SET_MTIME_NOW;
	if (uaddr_is_null(times))
		return 0;
	if (copy_in(ts, times, sizeof ts))
		return -EFAULT;
	*mask = 0;
	int err = time_attribute(&ts[0], FS_SET_ATIME, FS_SET_ATIME_NOW, &attr->atime, mask);
	return err ? err
		   : time_attribute(&ts[1], FS_SET_MTIME, FS_SET_MTIME_NOW, &attr->mtime, mask);
}

long sys_utimensat(long dir, uaddr_t path, uaddr_t times, unsigned long flags)
{
	struct fs_attr attr = {0};
	unsigned mask;
	int err = time_attributes(times, &attr, &mask);

	if (err || !mask)
		return err; /* two times UTIME_OMIT ask for nothing: the file is not looked for */
	if ((unsigned)flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (uaddr_is_null(path) && (int)dir != AT_FDCWD) /* futimens() */
		return flags ? -EINVAL : file_set_attributes(dir, &attr, mask);
	return set_attributes(dir, path, (unsigned)flags, &attr, mask);
}

long sys_truncate(uaddr_t path, int64_t size)
{
	struct fs_attr attr = {.size_bytes = (uint64_t)size};

	if (size < 0)
		return -EINVAL;
	return transfer_result(0, (int)set_attributes(AT_FDCWD, path, 0, &attr, FS_SET_SIZE));
}

long access_at(long dir, uaddr_t path, unsigned mode, unsigned at_flags)
{
	struct place p;
	int err;

	if (mode & ~(unsigned)(R_OK | W_OK | X_OK))
		return -EINVAL;
	err = place_get(&p, dir, path);
	if (err)
		return err;
	if (!(at_flags & AT_EACCESS)) {
		p.walk.cred.uid = process_current()->cred.uid;
		p.walk.cred.gid = process_current()->cred.gid;
	}
	err = vfs_access(CTX(p), BASE(p), TEXT(p), walk_flags(at_flags), mode);
	place_put(&p);
	return err;
}

long sys_faccessat(long dir, uaddr_t path, long mode)
{
	return access_at(dir, path, (unsigned)mode, 0);
}

long sys_statfs(uaddr_t path, uaddr_t to)
{
	struct fs_stat stat = {0};
	struct place p;
	int err = place_get(&p, AT_FDCWD, path);

	if (err)
		return err;
	err = vfs_statfs(CTX(p), BASE(p), TEXT(p), &stat);
	place_put(&p);
	return err ? err : put_statfs(&stat, to);
}

/* --- Names ------------------------------------------------------------------------------------ */

long sys_mkdirat(long dir, uaddr_t path, unsigned long mode)
{
	struct place p;
	int err = place_get(&p, dir, path);

	if (err)
		return err;
	err = vfs_mkdir(CTX(p), BASE(p), TEXT(p), (uint32_t)mode & 01777);
	place_put(&p);
	return err;
}

long sys_unlinkat(long dir, uaddr_t path, unsigned long flags)
{
	struct place p;
	int err;

	if ((unsigned)flags & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	err = place_get(&p, dir, path);
	if (err)
		return err;
	if ((unsigned)flags & AT_REMOVEDIR)
		err = vfs_rmdir(CTX(p), BASE(p), TEXT(p));
	else
		err = vfs_unlink(CTX(p), BASE(p), TEXT(p));
	place_put(&p);
	return err;
}

static int get_two(struct place *from, long from_dir, uaddr_t from_path, struct place *to,
	long to_dir, uaddr_t to_path)
{
	int err = place_get(from, from_dir, from_path);

	if (err)
		return err;
	err = place_get(to, to_dir, to_path);
	if (err)
		place_put(from);
	return err;
}

long sys_linkat(long from_dir, uaddr_t from_path, long to_dir, uaddr_t to_path, unsigned long flags)
{
	unsigned follow = (unsigned)flags & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0;
	unsigned empty = (unsigned)flags & AT_EMPTY_PATH ? PATH_EMPTY : 0;
	struct place from, to;

	if ((unsigned)flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	int err = get_two(&from, from_dir, from_path, &to, to_dir, to_path);
	if (err)
		return err;
	err = vfs_link(CTX(from), BASE(from), TEXT(from), follow | empty, BASE(to), TEXT(to));
	place_put(&to);
	place_put(&from);
	return err;
}

long sys_renameat2(long from_dir, uaddr_t from_path, long to_dir, uaddr_t to_path,
	unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct place from, to;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	int err = get_two(&from, from_dir, from_path, &to, to_dir, to_path);
	if (err)
		return err;
	err = vfs_rename(CTX(from), BASE(from), TEXT(from), BASE(to), TEXT(to), flags);
	place_put(&to);
	place_put(&from);
	return err;
}

long sys_symlinkat(uaddr_t target_argument, long dir, uaddr_t path)
{
	struct user_path target;
	struct place p;
	int err = user_path_get(&target, target_argument);

	if (err)
		return err;
	err = place_get(&p, dir, path);
	if (!err) {
		err = target.text[0] ? vfs_symlink(CTX(p), target.text, BASE(p), TEXT(p)) : -ENOENT;
		place_put(&p);
	}
	user_path_free(&target);
	return err;
}

long sys_readlinkat(long dir, uaddr_t path, uaddr_t to, long bytes)
{
	struct place p;
	char *target;
	int n;

	if ((int)bytes <= 0)
		return -EINVAL;
	n = place_get(&p, dir, path);
	if (n)
		return n;
	target = kmalloc(PATH_MAX);
	n = target ? vfs_readlink(CTX(p), BASE(p), TEXT(p), PATH_EMPTY, target, PATH_MAX) : -ENOMEM;
	place_put(&p);
	if (n > (int)bytes)
		n = (int)bytes;
	if (n > 0 && copy_out(to, target, (size_t)n))
		n = -EFAULT;
	kfree(target);
	return n;
}

/* --- The working directory -------------------------------------------------------------------- */

long sys_chdir(uaddr_t path)
{
	struct dentry *cwd;
	struct place p;
	int err = place_get(&p, AT_FDCWD, path);

	if (err)
		return err;
	err = vfs_chdir(CTX(p), NULL, TEXT(p), &cwd);
	place_put(&p);
	if (!err)
		fs_state_chdir(process_current()->fs, cwd);
	return err;
}

long sys_fchdir(long fd)
{
	struct dentry *cwd;
	struct walk w;
	int err = walk_begin(&w, fd, ".");

	if (err)
		return err;
	err = vfs_chdir(&w.ctx, w.base, ".", &cwd);
	walk_end(&w);
	if (!err)
		fs_state_chdir(process_current()->fs, cwd);
	return err;
}

#define UNREACHABLE "(unreachable)"

/* The path of the working directory, at the end of buffer, which has PATH_MAX bytes. */
static int cwd_path(char *buffer, char **path)
{
	const size_t mark_bytes = sizeof UNREACHABLE - 1;
	struct walk w;
	int err = walk_begin(&w, AT_FDCWD, "/");

	if (err)
		return err;
	err = dentry_path(w.ctx.cwd, w.ctx.root, buffer + mark_bytes, PATH_MAX - mark_bytes, path);
	walk_end(&w);
	if (err == -ERANGE)
		return -ENAMETOOLONG;
	if (err == -EXDEV) { /* outside of the root */
		*path -= mark_bytes;
		__builtin_memcpy(*path, UNREACHABLE, mark_bytes);
		err = 0;
	}
	return err;
}

long sys_getcwd(uaddr_t to, size_t bytes)
{
	char *buffer = kmalloc(PATH_MAX), *path;
	long result = buffer ? cwd_path(buffer, &path) : -ENOMEM;

	if (!result) {
		size_t n = __builtin_strlen(path) + 1;
		if (n > bytes)
			result = -ERANGE;
		else
			result = copy_out(to, path, n) ? -EFAULT : (long)n;
	}
	kfree(buffer);
	return result;
}

long sys_umask(unsigned long mask)
{
	struct fs_state *fs = process_current()->fs;

	spin_lock(&fs->lock);
	uint32_t old = fs->umask;
	fs->umask = (uint32_t)mask & 0777;
	spin_unlock(&fs->lock);
	return old;
}
