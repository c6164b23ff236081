// SPDX-License-Identifier: MIT
/*
 * Vnodes: files in memory, whatever file system they are of.
 *
 * A file system embeds struct vnode in its own inode and fills in `ops`.  The vfs takes locks,
 * checks permissions, names and read-only mounts, and keeps the name cache; what arrives at an
 * operation is legal, and the operation changes the file system and the attributes in the vnode.
 *
 * Life.  A vnode is counted.  References: name-cache entries and whoever looked it up; open files
 * through their name; and its page-cache object, as long as that one is referenced itself (mapped,
 * open for writing, or dirty).  So a mapping or unwritten data keeps the file alive after close and
 * unlink.
 *
 *	                vnode_get()                     last vnode_unref()
 *	 on the medium ------------> in use (refs > 0) -------------------> cached (refs 0)
 *	       ^        \ load()          ^      |                                |   |
 *	       |                          +------|---- vnode_get() ---------------+   |
 *	       |                                 | nlink == 0, or not cached          | memory is
 *	       |                                 v                                    | short
 *	       +------------------------- evict() ops <-------------------------------+
 *
 * The object and the balance of references.  Raising the object's count from zero takes a vnode
 * reference, its release() drops one: vnode_object() and vnode_object_release() do it.  The
 * cached vnode keeps the object with its clean pages (count 0), so that the next open finds them.
 *
 * Locks.  `lock` is the inode lock (it sleeps, FSH_RANK_INODE): attributes and directory contents
 * change under it, data writes and truncates are ordered by it; reads of data do not take it, and
 * a page fault never does.  Several: directories before what is in them, an ancestor before a
 * descendant, else by address; the vfs takes them all, operations take none.
 */
#pragma once

#include <fs/host.h>
#include <fs/table.h>
#include <fs/types.h>
#include <mm/pagecache.h>

struct dentry;
struct file;
struct file_lock_set;
struct mount;
struct vnode;
struct vnode_ops;

/* Legend: [I] immutable once visible, [a] atomic, [l] lock (changed with fs_write(), and read
 * elsewhere with fs_read()), [c] the vnode cache's lock. */
struct vnode {
	const struct vnode_ops *ops; /* [I] */
	struct mount *mount;         /* [I] */
	uint64_t ino;                /* [I] */
	uint32_t refs;               /* [a] */
	uint32_t state;              /* [c] VNODE_... */
	struct fsh_mutex lock;

	uint32_t mode;                 /* [l]; the type [I] */
	uint32_t nlink;                /* [l] 0: no name is left; set with vnode_set_nlink() */
	uint32_t uid, gid;             /* [l] */
	uint64_t rdev;                 /* [I] of a device node */
	void *fifo;                    /* [l] of a fifo: the host's pipe, while it has one */
	uint64_t size_bytes;           /* [l] of what has no object (directories, links) */
	uint64_t blocks;               /* [a] of 512 bytes */
	uint32_t seals;                /* [l] FS_SEAL_... of a regular file (MOUNT_SEALS) */
	uint32_t names;                /* [a] entries of the name cache that have a reference */
	fs_time_t atime, mtime, ctime; /* [l] */
	fs_time_t btime;               /* [I] when it was made; 0: not known */
	int32_t writers;               /* [a] open for writing; below 0: programs that run */
	uint32_t pinned;               /* [a] 0 or 1: one reference is the file system's own */
	bool lasts;                    /* [I] MOUNT_VOLATILE: its name does not go by itself */

	struct mvm_object *object;   /* [I] of a regular file: vnode_init_object() */
	struct file_lock_set *locks; /* [a] fs/lock.h; NULL: nobody has any */

	uint32_t error_count; /* [a] failed write-backs */
	int32_t error;        /* [a] the last one's -errno */

	const struct dentry *alias; /* [name cache] some name of it, or NULL; not counted */
	struct fs_link link;        /* [c] its hash: of mount and number */
	struct vnode *mount_next, **mount_prev; /* [c] all vnodes of the mount */
	struct vnode *idle_next, **idle_prev;   /* [c] those with refs 0, oldest first */
};

/* What to make: the arguments of create(). */
struct vnode_new {
	uint32_t mode;      /* type and permissions, umask applied */
	uint32_t uid, gid;  /* of the new file */
	uint64_t rdev;      /* FS_IFCHR, FS_IFBLK */
	const char *target; /* FS_IFLNK: 1 to FS_PATH_MAX - 1 bytes, terminated */
};

/* rename: the entries concerned.  `to` is NULL when the new name is free. */
struct vnode_rename {
	struct vnode *from_dir, *from;
	const struct fs_name *from_name;
	struct vnode *to_dir, *to;
	const struct fs_name *to_name;
	unsigned flags; /* FS_RENAME_EXCHANGE: both exist and change places */
};

/*
 * Reading a directory.  emit() is called for each entry and returns false when the caller has no
 * room for it (the entry will be asked for again).  It touches kernel memory only.
 */
struct fs_entry {
	const char *name; /* not terminated */
	uint32_t name_bytes;
	uint32_t mode; /* only the type counts */
	uint64_t ino;
	uint64_t next; /* cookie of the entry after this one */
};
struct fs_readdir {
	bool (*emit)(struct fs_readdir *r, const struct fs_entry *entry);
};

/*
 * The operations.  All may sleep, are called with no transaction running, and return 0 or -errno;
 * -EIO and -ENOMEM are always allowed; after a failure nothing has changed.  A slot may be NULL
 * where its comment says what that means.
 *
 * "Changes" means: the file system on the medium (or its transaction), and the attributes in the
 * vnodes concerned: link counts, sizes, and mtime/ctime (to fs_time_now()) of the
 * directories and the file.
 */
struct vnode_ops {
	/* --- Directories.  `dir` is locked in all of these. */

	/*
	 * Find a name (never "." or "..").  0 and *out referenced; -ENOENT.
	 * NULL: the vnode is not a directory.
	 */
	int (*lookup)(struct vnode *dir, const struct fs_name *name, struct vnode **out);

	/*
	 * Make a file, directory, node or symbolic link under a name that is free.  0 and *out
	 * referenced; -ENOSPC.  NULL in this and the following five: -EPERM.
	 */
	int (*create)(struct vnode *dir, const struct fs_name *name, const struct vnode_new *what,
		struct vnode **out);

	/* One more name for v: not a directory, locked, fewer than FS_LINK_MAX links. */
	int (*link)(struct vnode *dir, const struct fs_name *name, struct vnode *v);

	/*
	 * Take a name away.  v is locked and what the name stands for: not a directory in
	 * unlink(), a directory in rmdir().  rmdir: -ENOTEMPTY.  When the last name is gone:
	 * vnode_set_nlink(v, 0), and evict() frees the file once nobody uses it.
	 */
	int (*unlink)(struct vnode *dir, const struct fs_name *name, struct vnode *v);
	int (*rmdir)(struct vnode *dir, const struct fs_name *name, struct vnode *v);

	/*
	 * Move a name; all four vnodes are locked.  A file at the new name loses that name as if
	 * unlinked, in one atomic step: a non-directory replaces a non-directory, a directory an
	 * empty directory (-ENOTEMPTY, found here).  A directory that changes its parent takes
	 * its ".." along.  The vfs has seen to it that no directory goes below itself, and that
	 * from and to are not the same file.
	 */
	int (*rename)(const struct vnode_rename *rename);

	/*
	 * Call r->emit for the entries from `*cookie` on, without "." and "..", which the vfs
	 * adds; set *cookie to where to go on.  Cookies are at least 2 (the beginning), below 2^63
	 * and stay valid while entries come and go: an entry that is there throughout is seen
	 * exactly once.
	 */
	int (*readdir)(struct vnode *dir, uint64_t *cookie, struct fs_readdir *r);

	/* --- Any file. */

	/* Copy the target of a symbolic link, without a NUL.  Its length, or -errno.  No lock. */
	int (*readlink)(struct vnode *v, char *to, size_t bytes);

	/*
	 * Of a symbolic link that leads to a file and not along a path (/proc/PID/fd/N): *out is
	 * that file's entry, referenced; it may have no name any more.  -ENXIO: it never had one.
	 * No lock.  NULL: the link leads where readlink() says.
	 */
	int (*follow)(struct vnode *link, struct dentry **out);

	/*
	 * Fill in what the vnode does not know; *attr holds already what it does.  No lock.
	 * NULL: nothing to add.
	 */
	int (*getattr)(struct vnode *v, struct fs_attr *attr);

	/*
	 * vnode_permission() for files whose mode and owner do not tell all: 0, -EACCES.  No lock.
	 * NULL: they do, as vnode_permission_by_mode() has it.
	 */
	int (*permission)(const struct vnode *v, const struct fs_cred *cred, unsigned want);

	/*
	 * Set the attributes in mask (FS_SET_MODE, UID, GID, SIZE, ATIME, MTIME), in the vnode too;
	 * ctime becomes now.  v is locked.  SIZE (regular files): a file that shrinks calls
	 * mvm_pc_truncate() before it frees blocks; one that grows makes the tail of its last block
	 * zero before the larger size can be seen.  -ENOSPC, -EFBIG.  NULL: -EPERM.
	 */
	int (*setattr)(struct vnode *v, const struct fs_attr *attr, unsigned mask);

	/*
	 * Bytes [start, end) of a regular file become a hole; the size stays.  v is locked.
	 * NULL: -EOPNOTSUPP.
	 */
	int (*punch)(struct vnode *v, uint64_t start, uint64_t end);

	/*
	 * Bytes [start, end) of a regular file have room from now on: no store to them fails for
	 * want of it.  `how`: enum fs_allocate.  v is locked, the size is allowed.  -ENOSPC:
	 * perhaps a part has room, the size is as it was.  NULL: -EOPNOTSUPP.
	 */
	int (*allocate)(struct vnode *v, uint64_t start, uint64_t end, unsigned how);

	/*
	 * The data of v was handed to the pager's write() by the caller: make it, and v's metadata
	 * (with data_only what is needed to read the data back), durable.  No lock.
	 * NULL: nothing is ever durable, 0.
	 */
	int (*fsync)(struct vnode *v, bool data_only);

	/*
	 * A file of this vnode is being opened: may set file->ops and file->private_data.  No lock.
	 * NULL: the defaults of the type (fs/file.h).
	 */
	int (*open)(struct vnode *v, struct file *file);

	/*
	 * Nobody has the vnode any more and nobody can find it.  Its object, if any, is unused and
	 * the vfs has destroyed it already, unwritten pages included (nlink 0 only).  nlink == 0:
	 * free blocks and inode.  Save the times if they are dirty.  May
	 * start transactions; cannot fail: on an I/O error the file system notes it and goes on.
	 * Last: vnode_fini(v), and free the memory.  Required.
	 */
	void (*evict)(struct vnode *v);
};

/* --- For file systems ---------------------------------------------------------------------- */

/*
 * Begin the life of a vnode in zeroed memory: one reference (the caller's), not cached: evict() is
 * called when the last reference goes.  The caller fills in the attributes before anybody else can
 * see it.
 */
void vnode_init(struct vnode *v, struct mount *mount, const struct vnode_ops *ops, uint64_t ino,
	uint32_t mode);

/*
 * The end of what vnode_init() began.  Nobody has the vnode; the last that this does is to take it
 * out of the cache, and from then on there may be another of its number.
 */
void vnode_fini(struct vnode *v);

/*
 * For file systems that live in memory: the file system itself holds the vnode as long as it has
 * names.  vnode_set_nlink(v, 0) and unmounting undo it.
 */
void vnode_pin(struct vnode *v);

/*
 * Give a regular file its object; the file system's ops have vnode_object_release() as release.
 * mvm_object_owner() of it is the vnode.  0 or -ENOMEM.
 */
int vnode_init_object(struct vnode *v, const struct mvm_pager_ops *ops, uint64_t size_bytes);
void vnode_object_release(struct mvm_object *object);

/*
 * The vnode cache, for file systems whose inodes have numbers: one vnode a number.
 *
 * vnode_get() returns the one of `ino`, referenced.  When it is not in memory, load() makes it:
 * allocate, vnode_init(), read the inode; meanwhile other callers for that number wait.  Its error
 * is returned (-ENOENT, -EIO, -EUCLEAN...), and then nothing is left behind.
 */
int vnode_get(struct mount *mount, uint64_t ino,
	int (*load)(struct mount *mount, uint64_t ino, struct vnode **out), struct vnode **out);

/*
 * Put a vnode that create() has just made into the cache.  The number was not in use.
 */
void vnode_cache_add(struct vnode *v);

/* Set the link count; v locked and referenced by the caller.  0 also tells the page cache that
 * unwritten data may be dropped. */
void vnode_set_nlink(struct vnode *v, uint32_t nlink);

/*
 * The common end of setattr(): put mode, uid, gid, atime and mtime of the mask into the vnode, and
 * the present into ctime.  v locked.  Once a file has an entry its mode changes only here: walks
 * rely on having heard of it (path.c).
 */
void vnode_apply_attr(struct vnode *v, const struct fs_attr *attr, unsigned mask);

/* A write-back failed: each open file is told once, at its next fsync.  Any lock may be held. */
void vnode_report_error(struct vnode *v, int error);

/*
 * Call fn for each vnode of the mount that is in memory, idle ones included, referenced, with no
 * lock held.  Those that come or go meanwhile may be missed.  Stops at the first error.
 */
int vnode_for_each(struct mount *mount, int (*fn)(struct vnode *v, void *arg), void *arg);

/* --- For all ------------------------------------------------------------------------------- */

/* Another reference for somebody who has one. */
static inline struct vnode *vnode_ref(struct vnode *v)
{
	__atomic_fetch_add(&v->refs, 1, __ATOMIC_RELAXED);
	return v;
}

/* May call evict(): no transaction, no inode lock, no spin lock held. */
void vnode_unref(struct vnode *v);

static inline bool vnode_is(const struct vnode *v, uint32_t type)
{
	return (fs_read(v->mode) & FS_IFMT) == type;
}

/*
 * The present, as files have it: in steps, so that who writes often has new times to save only now
 * and then, and an fsync in between has none.  (Linux's step is the tick of its clock, 4 ms as a
 * rule.)
 */
#define FS_TIME_STEP_NS 4000000
static inline fs_time_t fs_time_now(void)
{
	fs_time_t now = fsh_realtime_ns();

	return now - now % FS_TIME_STEP_NS;
}

/* The contents change: mtime and ctime become now, and are to be saved.  Locked, or a store. */
void vnode_touch(struct vnode *v);

/* The object of a regular file, referenced (mvm_object_unref() it); NULL when it has none. */
struct mvm_object *vnode_object(struct vnode *v);

/* The vnode of a file's object; NULL for other objects.  Valid while the object is referenced. */
struct vnode *vnode_of_object(struct mvm_object *object);

uint64_t vnode_size(struct vnode *v);

/* May somebody with these credentials do this (FS_READ | FS_WRITE | FS_EXECUTE)?  0, -EACCES. */
int vnode_permission(const struct vnode *v, const struct fs_cred *cred, unsigned want);

/* What mode, owner and group say to that. */
int vnode_permission_by_mode(const struct vnode *v, const struct fs_cred *cred, unsigned want);

/* All attributes.  For stat. */
int vnode_getattr(struct vnode *v, struct fs_attr *attr);

/* Owner, or uid 0. */
bool vnode_is_owned(const struct vnode *v, const struct fs_cred *cred);

/*
 * Set attributes (enum fs_attr_mask) for somebody with these credentials, NULL: for whom they were
 * checked already.  Takes the lock.  The rules of chmod, chown, truncate, utimensat: -EPERM,
 * -EACCES; -EROFS, -EISDIR or -EINVAL (FS_SET_SIZE of something else than a regular file), -EFBIG,
 * -ETXTBSY (of a program that runs).
 */
int vnode_setattr(
	struct vnode *v, const struct fs_cred *cred, const struct fs_attr *attr, unsigned mask);

/* Write all of the file's dirty pages and wait, then fsync(): durable.  No lock. */
int vnode_sync(struct vnode *v, bool data_only);

/*
 * Evict all vnodes of a mount in which nothing is in use; pins are dropped.  For a file system
 * whose mount fails after it had vnodes; else the mount's end does it.
 */
void vnode_mount_evict(struct mount *mount);

/* Drop idle vnodes, with their pages, until at most `keep` are left.  Returns how many went. */
size_t vnode_shrink(size_t keep);
