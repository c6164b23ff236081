// SPDX-License-Identifier: MIT
/*
 * Open files, and the operations of regular files and directories.
 *
 * A read of a regular file goes from here straight to the page cache: no inode lock, since a page
 * and the size are each read in one piece.  A write takes the inode lock, so that writes and
 * truncates follow one another and an append finds the end where it stays.
 */
#include "private.h"
#include <fs/chrdev.h>
#include <fs/lock.h>
#include <fs/poll.h>
#include <errno.h>
#include <string.h>

#define STATUS_FLAGS (FS_O_APPEND | FS_O_NONBLOCK | FS_O_NOATIME)

static size_t n_files; /* [a] */

size_t file_count(void)
{
	return fs_read(n_files);
}

/* --- Life ------------------------------------------------------------------------------------ */

int file_new(const struct file_ops *ops, void *private_data, unsigned flags, unsigned state,
	struct file **out)
{
	struct file *f = fsh_alloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ops = ops;
	f->refs = 1;
	f->state = state;
	f->flags = flags;
	f->private_data = private_data;
	fsh_mutex_init(&f->offset_lock, "file position", FSH_RANK_OFFSET);
	__atomic_fetch_add(&n_files, 1, __ATOMIC_RELAXED);
	*out = f;
	return 0;
}

/*
 * What is written to has a reference of its own; what is only read is there as
 * long as its vnode is.
 */
static int writer_begin(struct file *f)
{
	int err = mount_writer_begin(f->dentry->mount);

	if (err)
		return err;
	err = vnode_writer_begin(f->vnode);
	if (err) {
		mount_writer_end(f->dentry->mount);
		return err;
	}
	f->state |= FILE_WRITER;
	(void)vnode_object(f->vnode);
	return 0;
}

static void writer_end(struct file *f)
{
	if (f->vnode->object)
		mvm_object_unref(f->vnode->object);
	vnode_writer_end(f->vnode);
	mount_writer_end(f->dentry->mount);
}

static void file_free(struct file *f)
{
	if (f->state & FILE_WRITER)
		writer_end(f);
	if (f->state & FILE_PROGRAM)
		vnode_program_end(f->vnode);
	dentry_unref(f->dentry);
	fsh_mutex_destroy(&f->offset_lock);
	__atomic_fetch_sub(&n_files, 1, __ATOMIC_RELAXED);
	fsh_free(f);
}

void file_unref(struct file *f)
{
	if (__atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (f->ops->release)
		f->ops->release(f);
	if (f->vnode && file_lock_any(f->vnode))
		file_lock_release(f->vnode, f);
	file_free(f);
}

static unsigned access_state(unsigned flags)
{
	static const unsigned states[] = {
		[FS_O_RDONLY] = FILE_READABLE,
		[FS_O_WRONLY] = FILE_WRITABLE,
		[FS_O_RDWR] = FILE_READABLE | FILE_WRITABLE,
		[FS_O_ACCMODE] = 0,
	};

	return flags & FS_O_PATH ? 0 : states[flags & FS_O_ACCMODE];
}

/* The operations of a file that serves as a base for paths, and for nothing else. */
static const struct file_ops path_ops = {.read = NULL};

static int open_device(struct file *f)
{
	struct chrdev *device = chrdev_find(f->vnode->rdev);

	if (!device || !vnode_is(f->vnode, FS_IFCHR))
		return -ENXIO;
	f->ops = device->ops;
	f->state |= device->state;
	f->private_data = device->driver;
	return device->open ? device->open(device, f) : 0;
}

/* Give the file the operations of its type. */
static int set_operations(struct file *f, uint32_t type)
{
	struct vnode *v = f->vnode;

	if (f->flags & FS_O_PATH)
		return 0;
	if (type == FS_IFREG) {
		f->ops = &file_regular_ops;
		f->object = v->object;
	} else if (type == FS_IFDIR) {
		f->ops = &file_directory_ops;
	}
	if (v->ops->open)
		return v->ops->open(v, f);
	if (type == FS_IFIFO)
		return fifo_open(f);
	return f->ops == &path_ops ? open_device(f) : 0;
}

/* Of the opening: they are not kept. */
#define OPENING_FLAGS (FS_O_CREAT | FS_O_EXCL | FS_O_TRUNC | FS_O_CLOEXEC)

int file_prepare(unsigned flags, const struct fs_cred *cred, struct file **out)
{
	unsigned state = access_state(flags) | (cred->uid == 0 ? FILE_PRIVILEGED : 0);

	if (!(flags & FS_O_PATH))
		flags |= FS_O_LARGEFILE;
	return file_new(&path_ops, NULL, flags & ~OPENING_FLAGS, state, out);
}

int file_begin(struct file *f, struct dentry *d)
{
	uint32_t type = fs_read(d->vnode->mode) & FS_IFMT;
	int err = 0;

	f->dentry = d;
	f->vnode = d->vnode;
	f->error_seen = __atomic_load_n(&f->vnode->error_count, __ATOMIC_ACQUIRE);
	if ((f->state & FILE_WRITABLE) && type == FS_IFREG)
		err = writer_begin(f);
	if (!err)
		err = set_operations(f, type);
	f->flags &= ~(unsigned)FS_O_NOCTTY; /* who opens a terminal has looked at it */
	return err;
}

void file_abandon(struct file *f)
{
	file_free(f);
}

/* --- Copying --------------------------------------------------------------------------------- */

int file_copy(struct mvm_copy *c, void *kernel, size_t n, size_t *done)
{
	size_t end = *done + n;
	char *p = kernel;

	while (*done < end) {
		size_t moved = c->copy(c, p, *done, end - *done);
		int err;

		*done += moved;
		p += moved;
		if (*done == end)
			break;
		err = c->prefault ? c->prefault(c, *done, end - *done) : -EFAULT;
		if (err)
			return err;
	}
	return 0;
}

/* --- Regular files --------------------------------------------------------------------------- */

static int regular_read(
	struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	int err = mvm_pc_read(f->object, *offset, n, c, done);

	*offset += *done;
	return err;
}

/* Clip a write to what the file system can hold and the caller may; -EFBIG when not a byte fits. */
static int clip_write(const struct vnode *v, uint64_t offset, size_t *n)
{
	uint64_t max = v->mount->max_file_bytes, limit = fsh_file_size_limit();

	if (limit < max)
		max = limit;
	if (offset >= max)
		return -EFBIG;
	if (*n > max - offset)
		*n = max - offset;
	return 0;
}

static int set_size(struct vnode *v, uint64_t size_bytes)
{
	struct fs_attr attr = {.size_bytes = size_bytes};

	return v->ops->setattr(v, &attr, FS_SET_SIZE);
}

/*
 * A write behind the end makes the gap first, as a truncate would: so a file system has one place
 * where old tails become zero before a larger size shows.
 */
static __attribute__((noinline)) int write_behind(
	struct file *f, struct mvm_copy *c, size_t n, uint64_t offset, size_t *done)
{
	uint64_t old_size = mvm_object_size(f->object);
	int err = set_size(f->vnode, offset);

	if (err)
		return err;
	err = mvm_pc_write(f->object, offset, n, c, done);
	/* Nothing was written: as if nobody had tried.  If this fails, the file ends in a hole. */
	if (*done == 0)
		(void)set_size(f->vnode, old_size);
	return err;
}

int file_drop_setid(struct file *f)
{
	static const struct fs_attr none;
	uint32_t mode = f->vnode->mode;

	if (!(mode & (FS_ISUID | FS_ISGID)) || (f->state & FILE_PRIVILEGED))
		return 0;
	return vnode_setattr_locked(f->vnode, &none, FS_DROP_SETID);
}

/* Inode lock held. */
static int write_locked(
	struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	uint64_t size = mvm_object_size(f->object);
	int err;

	if (mount_readonly(f->vnode->mount))
		return -EIO; /* it has failed: nobody else opens for writing on such a mount */
	if (fs_read(f->flags) & FS_O_APPEND)
		*offset = size;
	err = clip_write(f->vnode, *offset, &n);
	if (err || n == 0)
		return err;
	if (f->vnode->seals & ~(unsigned)FS_SEAL_SEAL)
		err = seals_clip_write(f->vnode, *offset, &n);
	if (!err)
		err = file_drop_setid(f);
	if (err)
		return err;
	if (*offset > size && f->vnode->ops->setattr)
		err = write_behind(f, c, n, *offset, done);
	else
		err = mvm_pc_write(f->object, *offset, n, c, done);
	if (*done)
		vnode_touch(f->vnode);
	return err;
}

/* A write-back that failed in the background since this file looked last. */
static int latched_error(struct file *f)
{
	uint32_t count = __atomic_load_n(&f->vnode->error_count, __ATOMIC_ACQUIRE);

	if (__atomic_exchange_n(&f->error_seen, count, __ATOMIC_RELAXED) == count)
		return 0;
	return fs_read(f->vnode->error);
}

/* O_DSYNC and O_SYNC: what was written is durable when the call returns. */
static int write_through(struct file *f, uint64_t start, uint64_t end)
{
	struct vnode *v = f->vnode;
	int err, latched;

	err = mvm_pc_flush(
		f->object, start >> MVM_PAGE_SHIFT, (end - 1) >> MVM_PAGE_SHIFT, MVM_PC_WAIT);
	if (!err && v->ops->fsync)
		err = v->ops->fsync(v, (fs_read(f->flags) & FS_O_SYNC) != FS_O_SYNC);
	latched = latched_error(f); /* as fsync does: this is the one time that this file is told */
	return err ? err : latched;
}

static int regular_write(
	struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	int err, sync_err = 0;

	fsh_mutex_lock(&f->vnode->lock);
	err = write_locked(f, c, n, offset, done);
	fsh_mutex_unlock(&f->vnode->lock);
	if ((fs_read(f->flags) & FS_O_DSYNC) && *done)
		sync_err = write_through(f, *offset, *offset + *done);
	*offset += *done;
	if (!sync_err)
		return err;
	/* Not durable: the caller must hear of it although bytes were moved. */
	*done = 0;
	return sync_err;
}

static int regular_map(struct file *f, bool shared, struct mvm_object **out)
{
	(void)shared;
	*out = vnode_object(f->vnode);
	return 0;
}

const struct file_ops file_regular_ops = {
	.read = regular_read,
	.write = regular_write,
	.map = regular_map,
};

/* --- Directories ----------------------------------------------------------------------------- */

static int directory_read(
	struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	(void)f;
	(void)c;
	(void)n;
	(void)offset;
	(void)done;
	return -EISDIR;
}

const struct file_ops file_directory_ops = {
	.read = directory_read,
};

/* "." and "..", at positions 0 and 1.  True: emitted, go on. */
static bool emit_dot(struct fs_readdir *r, const struct dentry *d, const char *dots, uint64_t next)
{
	struct fs_entry entry = {
		.name = dots,
		.name_bytes = (uint32_t)strlen(dots),
		.mode = FS_IFDIR,
		.ino = d->vnode->ino,
		.next = next,
	};

	return r->emit(r, &entry);
}

/* What ".." is, over the edge of a mount. */
static struct dentry *dotdot(struct dentry *d)
{
	d = dentry_ref(d);
	while (d == d->mount->root && d->mount->covered)
		d = mount_cross_up(d);
	struct dentry *parent = dentry_parent(d);

	dentry_unref(d);
	return parent;
}

/* Position lock and inode lock held. */
static int readdir_locked(struct file *f, struct dentry *parent, struct fs_readdir *r)
{
	if (f->vnode->nlink == 0)
		return -ENOENT;
	if (f->offset == 0) {
		if (!emit_dot(r, f->dentry, ".", 1))
			return 0;
		f->offset = 1;
	}
	if (f->offset == 1) {
		if (!emit_dot(r, parent, "..", 2))
			return 0;
		f->offset = 2;
	}
	return f->vnode->ops->readdir(f->vnode, &f->offset, r);
}

int file_readdir(struct file *f, struct fs_readdir *r)
{
	struct dentry *parent;
	int err;

	if (f->ops != &file_directory_ops)
		return fs_read(f->flags) & FS_O_PATH ? -EBADF : -ENOTDIR;
	parent = dotdot(f->dentry);
	fsh_mutex_lock(&f->offset_lock);
	fsh_mutex_lock(&f->vnode->lock);
	err = readdir_locked(f, parent, r);
	fsh_mutex_unlock(&f->vnode->lock);
	fsh_mutex_unlock(&f->offset_lock);
	dentry_unref(parent);
	return err;
}

/* --- The calls ------------------------------------------------------------------------------- */

int file_can(const struct file *f, unsigned want, bool at_offset)
{
	if (at_offset && (f->state & FILE_STREAM))
		return -ESPIPE;
	if (!(f->state & want))
		return -EBADF;
	return (want == FILE_READABLE ? f->ops->read : f->ops->write) ? 0 : -EINVAL;
}

static int check_io(const struct file *f, unsigned want, uint64_t offset, size_t n)
{
	if (!(f->state & want))
		return -EBADF;
	return offset > INT64_MAX || n > INT64_MAX - offset ? -EINVAL : 0;
}

static int do_read(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	int err = check_io(f, FILE_READABLE, *offset, n);

	if (err)
		return err;
	if (f->ops == &file_regular_ops) /* most are: without a jump through the table */
		return regular_read(f, c, n, offset, done);
	return f->ops->read ? f->ops->read(f, c, n, offset, done) : -EINVAL;
}

static int do_write(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	int err = check_io(f, FILE_WRITABLE, *offset, n);

	if (err)
		return err;
	return f->ops->write ? f->ops->write(f, c, n, offset, done) : -EINVAL;
}

int file_read(struct file *f, struct mvm_copy *c, size_t n, size_t *done)
{
	uint64_t none = 0;
	int err;

	*done = 0;
	if (f->state & FILE_STREAM)
		return do_read(f, c, n, &none, done);
	fsh_mutex_lock(&f->offset_lock);
	err = do_read(f, c, n, &f->offset, done);
	fsh_mutex_unlock(&f->offset_lock);
	return err;
}

int file_write(struct file *f, struct mvm_copy *c, size_t n, size_t *done)
{
	uint64_t none = 0;
	int err;

	*done = 0;
	if (f->state & FILE_STREAM)
		return do_write(f, c, n, &none, done);
	fsh_mutex_lock(&f->offset_lock);
	err = do_write(f, c, n, &f->offset, done);
	fsh_mutex_unlock(&f->offset_lock);
	return err;
}

int file_pread(struct file *f, struct mvm_copy *c, size_t n, uint64_t offset, size_t *done)
{
	*done = 0;
	if (f->state & FILE_STREAM)
		return -ESPIPE;
	return do_read(f, c, n, &offset, done);
}

int file_pwrite(struct file *f, struct mvm_copy *c, size_t n, uint64_t offset, size_t *done)
{
	*done = 0;
	if (f->state & FILE_STREAM)
		return -ESPIPE;
	return do_write(f, c, n, &offset, done);
}

/* Where whence counts from; a file is one run of data, with the hole behind its end. */
static int seek_base(struct file *f, int64_t offset, int whence, int64_t *base)
{
	int64_t size = f->vnode ? (int64_t)vnode_size(f->vnode) : 0;

	switch (whence) {
	case 0: /* SEEK_SET */
		*base = 0;
		return 0;
	case 1: /* SEEK_CUR */
		*base = (int64_t)f->offset;
		return 0;
	case 2: /* SEEK_END */
		*base = size;
		return 0;
	case 3: /* SEEK_DATA */
		*base = 0;
		return offset < 0 || offset >= size ? -ENXIO : 0;
	case 4: /* SEEK_HOLE */
		*base = size - offset;
		return offset < 0 || offset >= size ? -ENXIO : 0;
	default:
		return -EINVAL;
	}
}

int file_seek(struct file *f, int64_t offset, int whence, uint64_t *out)
{
	uint64_t farthest = f->object ? f->vnode->mount->max_file_bytes : INT64_MAX;
	int64_t base, target;
	int err;

	if (fs_read(f->flags) & FS_O_PATH)
		return -EBADF;
	if (f->state & FILE_STREAM)
		return -ESPIPE;
	fsh_mutex_lock(&f->offset_lock);
	err = seek_base(f, offset, whence, &base);
	if (!err && (__builtin_add_overflow(base, offset, &target) || target < 0 ||
			    (uint64_t)target > farthest))
		err = -EINVAL;
	if (!err)
		*out = f->offset = (uint64_t)target;
	fsh_mutex_unlock(&f->offset_lock);
	return err;
}

int file_ioctl(struct file *f, unsigned command, uintptr_t arg)
{
	if (fs_read(f->flags) & FS_O_PATH)
		return -EBADF;
	return f->ops->ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
}

unsigned file_poll(struct file *f, struct poll_table *poll)
{
	if (fs_read(f->flags) & FS_O_PATH)
		return FS_POLLNVAL;
	return f->ops->poll ? f->ops->poll(f, poll) : FS_POLLIN | FS_POLLOUT;
}

bool file_may_map_writable(const struct file *f)
{
	unsigned sealed = FS_SEAL_WRITE | FS_SEAL_FUTURE_WRITE;

	return (f->state & FILE_WRITABLE) && !(f->object && fs_read(f->vnode->seals) & sealed);
}

int file_map(struct file *f, bool shared, bool writable, struct mvm_object **out)
{
	if (fs_read(f->flags) & FS_O_PATH)
		return -EBADF;
	if (!(f->state & FILE_READABLE))
		return -EACCES;
	if (shared && writable && !file_may_map_writable(f))
		return f->state & FILE_WRITABLE ? -EPERM : -EACCES;
	return f->ops->map ? f->ops->map(f, shared, out) : -ENODEV;
}

int file_sync(struct file *f, bool data_only)
{
	int err, latched;

	if (fs_read(f->flags) & FS_O_PATH)
		return -EBADF;
	if (!f->vnode || !(vnode_is(f->vnode, FS_IFREG) || vnode_is(f->vnode, FS_IFDIR)))
		return -EINVAL;
	err = vnode_sync(f->vnode, data_only);
	latched = latched_error(f);
	return err ? err : latched;
}

int file_truncate(struct file *f, uint64_t size_bytes)
{
	struct fs_attr attr = {.size_bytes = size_bytes};

	if (fs_read(f->flags) & FS_O_PATH)
		return -EBADF;
	if (!(f->state & FILE_WRITABLE) || !f->object || size_bytes > INT64_MAX)
		return -EINVAL;
	return vnode_setattr(f->vnode, NULL, &attr,
		FS_SET_SIZE | (f->state & FILE_PRIVILEGED ? 0 : FS_DROP_SETID));
}

void file_set_flags(struct file *f, unsigned which, unsigned flags)
{
	unsigned old = fs_read(f->flags);

	which &= STATUS_FLAGS;
	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~which) | (flags & which),
		false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

int file_dentry(struct file *f, struct dentry **out)
{
	if (!f->dentry)
		return f->ops->dentry ? f->ops->dentry(f, out) : -ENXIO;
	*out = dentry_ref(f->dentry);
	return 0;
}

int file_getattr(struct file *f, struct fs_attr *attr)
{
	return f->vnode ? vnode_getattr(f->vnode, attr) : -EBADF;
}
