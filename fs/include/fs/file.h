// SPDX-License-Identifier: MIT
/*
 * Open files (POSIX: open file descriptions): what descriptors refer to, shared by dup and fork.
 *
 * A file has operations, given by what it is: regular file and directory by the vfs, device by its
 * driver, pipe and terminal by the kernel.  User memory is reached through struct mvm_copy only.
 *
 * A regular file holds a reference on its page-cache object as long as it is open, so that reading
 * goes straight to the page cache.
 */
#pragma once

#include <fs/path.h>
#include <fs/types.h>
#include <fs/vnode.h>

struct file;
struct poll_table;

enum file_state {
	FILE_STREAM = 1,   /* no position: lseek and pread are -ESPIPE */
	FILE_READABLE = 2, /* opened for reading */
	FILE_WRITABLE = 4,
	FILE_WRITER = 16,    /* counts in mount.writers and vnode.writers */
	FILE_PROGRAM = 32,   /* opened to be run: counts in vnode.writers */
	FILE_PRIVILEGED = 8, /* opened by uid 0: writing leaves set-id bits alone */
};

/* Legend: [I] immutable once open, [a] atomic, [o] offset_lock. */
struct file {
	const struct file_ops *ops; /* [I] */
	uint32_t refs;              /* [a] */
	uint32_t state;             /* [I] FILE_... */
	uint32_t flags;             /* [a] what F_GETFL says */
	uint32_t error_seen;        /* [a] vnode.error_count that was reported here */
	struct dentry *dentry;      /* [I] counted; NULL: it has no name (a pipe) */
	struct vnode *vnode;        /* [I] held by the dentry; NULL: it has no inode */
	struct mvm_object *object;  /* [I] counted if FILE_WRITER; NULL: not a regular file */
	void *private_data;         /* [I] the operations' own */
	uint64_t offset;            /* [o] */
	struct fsh_mutex offset_lock;
};

/*
 * The operations.  All may sleep; no lock is held.  0 or -errno.
 */
struct file_ops {
	/*
	 * Read up to n bytes at *offset, or write n bytes there; *offset moves past what was moved,
	 * *done is how much (also on failure; 0 after a read is the end).  Streams ignore *offset.
	 * A stream waits for the first byte unless flags has FS_O_NONBLOCK (-EAGAIN); -EINTR.
	 * NULL: -EINVAL.
	 */
	int (*read)(
		struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done);
	int (*write)(
		struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done);

	/* arg is passed on untouched.  The result of the call, or -errno.  NULL: -ENOTTY. */
	int (*ioctl)(struct file *file, unsigned command, uintptr_t arg);

	/* What is possible now (POLLIN ...), see fs/poll.h.  NULL: reading and writing always are.
	 */
	unsigned (*poll)(struct file *file, struct poll_table *table);

	/*
	 * What a mapping of this file shows: *out is referenced.  A NULL *out asks for anonymous
	 * memory (/dev/zero).  NULL: -ENODEV.
	 */
	int (*map)(struct file *file, bool shared, struct mvm_object **out);

	/*
	 * An entry for a file that has none, by which it can be opened again (/proc/PID/fd/N); *out
	 * is referenced.  NULL: -ENXIO.
	 */
	int (*dentry)(struct file *file, struct dentry **out);

	/* The last reference is gone.  NULL: nothing to do. */
	void (*release)(struct file *file);

	/* What a file without a name is called (/proc/PID/fd/N); NULL: it has one. */
	const char *name;
};

/*
 * A file without a name, as pipes are: one reference, flags as given, state by access mode.
 * -ENOMEM.
 */
int file_new(const struct file_ops *ops, void *private_data, unsigned flags, unsigned state,
	struct file **out);

static inline struct file *file_ref(struct file *file)
{
	__atomic_fetch_add(&file->refs, 1, __ATOMIC_RELAXED);
	return file;
}

/* The last reference closes: may evict.  No lock, no transaction held. */
void file_unref(struct file *file);

/*
 * What of that the file itself allows, whatever is asked for: reading (FILE_READABLE) or writing
 * (FILE_WRITABLE), at its own position or at an offset.  0, -ESPIPE, -EBADF, -EINVAL.
 */
int file_can(const struct file *file, unsigned want, bool at_offset);

/*
 * Read and write at the file's own position, which the two serialize, or at `offset`.
 * -EBADF: not opened for it; -EISDIR; -ESPIPE; -EFBIG; -EINVAL (offset above 2^63 - 1).
 * With FS_O_APPEND writes go to the end, in one step with the others.  FS_O_SYNC and FS_O_DSYNC
 * return when the data is durable.  *done is valid in any case: a caller with *done > 0 reports
 * that and not the error.
 */
int file_read(struct file *file, struct mvm_copy *c, size_t n, size_t *done);
int file_write(struct file *file, struct mvm_copy *c, size_t n, size_t *done);
int file_pread(struct file *file, struct mvm_copy *c, size_t n, uint64_t offset, size_t *done);
int file_pwrite(struct file *file, struct mvm_copy *c, size_t n, uint64_t offset, size_t *done);

/*
 * whence as lseek's; *out is the new position.  SEEK_DATA and SEEK_HOLE see a file without holes
 * before its end (-ENXIO beyond it).  -EINVAL beyond what a file of its file system can have.
 */
int file_seek(struct file *file, int64_t offset, int whence, uint64_t *out);

/*
 * Emit the entries of a directory from the file's position on, "." and ".." first.  emit() runs
 * under the inode lock: it touches kernel memory only.  -ENOTDIR, -ENOENT (it was removed).
 */
int file_readdir(struct file *file, struct fs_readdir *r);

int file_ioctl(struct file *file, unsigned command, uintptr_t arg);
unsigned file_poll(struct file *file, struct poll_table *table);

/* May a shared mapping of it ever be written to?  A snapshot: see file_add_seals(). */
bool file_may_map_writable(const struct file *file);

/*
 * -EACCES: not opened for reading, or shared and writable but not opened for writing; -EPERM:
 * shared, writable and sealed against it.
 */
int file_map(struct file *file, bool shared, bool writable, struct mvm_object **out);

/* -EINVAL: not a file that can be synced.  A write-back that failed since is -EIO, once. */
int file_sync(struct file *file, bool data_only);

/* -EINVAL: not open for writing, or not a regular file. */
int file_truncate(struct file *file, uint64_t size_bytes);

/*
 * Bytes [start, end) of a regular file read as zeros from now on, and take no room where a page is
 * wholly among them.  -EBADF: not open for writing; -EPERM: sealed; -EOPNOTSUPP.
 */
int file_punch(struct file *file, uint64_t start, uint64_t end);

/*
 * Bytes [start, end) of a regular file have room from now on, and with FS_ALLOCATE_ZERO are zero;
 * the size grows to cover them, unless it is to be kept.  Errors as above; -EFBIG, -ENOSPC.
 */
int file_allocate(struct file *file, uint64_t start, uint64_t end, unsigned how);

/*
 * A file in memory without a name, open for reading and writing; `name` is only shown.  With seals
 * to be added, or with FS_SEAL_SEAL from the start.  -ENOMEM.
 */
int memfd_new(const char *name, const struct fs_cred *cred, bool sealable, struct file **out);

/* enum fs_seals; -EINVAL: not a file that has them. */
int file_seals(struct file *file);

/*
 * Add some.  -EPERM: not opened for writing, or sealed; -EBUSY: FS_SEAL_WRITE, and somebody may
 * store through a shared mapping; -EINVAL.
 */
int file_add_seals(struct file *file, unsigned seals);

/* Change those of APPEND, NONBLOCK, NOATIME that are in `which`, in one step: F_SETFL, FIONBIO. */
void file_set_flags(struct file *file, unsigned which, unsigned flags);

/* For operations that would wait. */
static inline bool file_is_nonblocking(const struct file *file)
{
	return __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & FS_O_NONBLOCK;
}

/* What it was opened by, or could be opened again by: *out is referenced.  -ENXIO, -ENOMEM. */
int file_dentry(struct file *file, struct dentry **out);

/* -EBADF for files without an inode (pipes: the kernel makes their stat up itself). */
int file_getattr(struct file *file, struct fs_attr *attr);

/*
 * For operations that have their bytes in kernel memory: move n of them, from `kernel` on, to or
 * from the caller at *done, and advance *done.  -EFAULT, -EINTR.
 */
int file_copy(struct mvm_copy *c, void *kernel, size_t n, size_t *done);

/* The operations that the vfs gives to regular files and directories. */
extern const struct file_ops file_regular_ops, file_directory_ops;
