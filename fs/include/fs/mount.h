// SPDX-License-Identifier: MIT
/*
 * Mounts: file systems in use, each at one place of the one tree.
 *
 * There are no bind mounts: a mount is its file system, and a name-cache entry belongs to exactly
 * one mount.  The mount's root covers the directory it is mounted on, which may be the root of
 * another mount; the table is guarded by one sleeping lock, and paths cross mounts through marks on
 * the covered entries (fs/path.h).
 *
 * A mount that is detached while it is in use is at no place any more, but stays in the table until
 * nobody uses it; who asks for the table next ends it.
 */
#pragma once

#include <fs/host.h>
#include <fs/types.h>

struct dentry;
struct mount;
struct vnode;

enum mount_flags {
	/* The numbers of mount(2). */
	MOUNT_RDONLY = 1,
	MOUNT_NOSUID = 2,
	MOUNT_NODEV = 4,
	MOUNT_NOEXEC = 8,
	MOUNT_ASKED = 15, /* what a user may ask for: the above */

	/* Set by the table: at no place any more. */
	MOUNT_DETACHED = 1 << 28,

	/* Set by the file system: */

	/* With MOUNT_RDONLY: it can write no more, and what was not written never will be. */
	MOUNT_FAILED = 1 << 27,

	/* Its files have seals (tmpfs): vnode.seals. */
	MOUNT_SEALS = 1 << 29,

	/*
	 * Names come and go by themselves (proc): ask lookup() at each step, and cache no name but
	 * those of vnodes that last (vnode.lasts).
	 */
	MOUNT_VOLATILE = 1 << 30,
};

struct mount_ops {
	/*
	 * Make durable what was changed before the call; data pages were written by the vfs.
	 * NULL: nothing to do.
	 */
	int (*sync)(struct mount *mount);

	/*
	 * MOUNT_RDONLY was set, nobody has a file open for writing, and all was synced: leave a
	 * clean medium.  Or (write) it is about to be cleared.  -EROFS, -EIO.  NULL: nothing to do.
	 */
	int (*remount)(struct mount *mount, bool write);

	/* Free what is kept in memory only to be fast, all but `keep` pages.  NULL: nothing is. */
	void (*shrink)(struct mount *mount, size_t keep);

	/*
	 * Memory is short: free what grew beyond a share of what there is.  Waits for nothing that
	 * waits for memory, and writes nothing.  NULL: nothing grows.
	 */
	void (*trim)(struct mount *mount);

	/* Fill in *out, which is zeroed.  Required. */
	int (*statfs)(struct mount *mount, struct fs_stat *out);

	/*
	 * The end: all was synced and every vnode evicted (save when mount_shutdown() found some in
	 * use).  Leave a clean medium, free everything.  NULL: nothing to do.
	 */
	void (*unmount)(struct mount *mount);
};

/* Legend: [I] immutable after mounting, [a] atomic, [t] mount table, [c] the vnode cache's lock. */
struct mount {
	const struct fs_type *type;  /* [I] */
	const struct mount_ops *ops; /* [I] set by type->mount() */
	unsigned id;                 /* [I] never used again, as long as numbers last */
	unsigned flags;              /* [a] MOUNT_... */
	uint32_t writers;            /* [a] files that are open for writing */
	uint32_t changed;            /* [a] 1: since the last sync */
	uint64_t dev;                /* [I] st_dev */
	uint64_t max_file_bytes;     /* [I] writes beyond are -EFBIG; set by type->mount() */
	const char *source;          /* [I] "vda", "none": what was mounted, a copy */
	void *fs;                    /* [I] the file system's own */

	struct dentry *root;          /* [I] its top, counted */
	struct dentry *covered;       /* [t] where it is, counted; NULL: the first, or detached */
	struct fsh_mutex rename_lock; /* held while a directory moves or names cross directories */
	struct vnode *vnodes;         /* [c] those in memory */
	struct mount *next;           /* [t] in the order of mounting */
};

/* A type of file system, known by name.  Registered at boot, never taken away. */
struct fs_type {
	const char *name;
	bool on_device; /* the source is a block device; mount() gets its name */
	/*
	 * Make the file system of *mount usable: set ops, fs, max_file_bytes, flags of its own
	 * (a medium that was not left clean adds MOUNT_RDONLY); *root is the top directory,
	 * referenced.  -EINVAL (not such a file system), -ENODEV (no such device), -EROFS, -EIO.
	 */
	int (*mount)(
		struct mount *mount, const char *source, const char *options, struct vnode **root);
	struct fs_type *next;
};

void fs_register(struct fs_type *type);
struct fs_type *fs_find(const char *name);
struct fs_type *fs_next(struct fs_type *prev); /* NULL begins and ends */

/* The first mount, the top of the tree: *out is its root, referenced.  Once. */
int mount_root(const char *type, const char *source, unsigned flags, struct dentry **out);

/*
 * Mount on a directory that is neither covered nor the top of the tree.  `shown` is the source as
 * the table is to show it.  -ENODEV: unknown type; -ENOTDIR; -EBUSY; or what the type says.
 */
int mount_on(struct dentry *where, const char *type, const char *source, const char *shown,
	unsigned flags, const char *options);

/*
 * Take the mount away whose root is given; on success the caller's reference goes with it.  Syncs
 * first.  -EINVAL: not a root; -EBUSY: somebody else uses it, or it is the first mount.
 * mount_detach() is for one that is in use: it and all mounts below it are at no place any more,
 * and end when the last user is gone.
 */
int mount_take(struct dentry *root);
int mount_detach(struct dentry *root);

/*
 * Other flags (MOUNT_ASKED) for the mount whose root is given.  -EINVAL: not a root; -EBUSY: it
 * shall be read-only and a file is open for writing, or has lost its name and lives on; -EROFS.
 */
int mount_remount(struct dentry *root, unsigned flags);

/*
 * The file system says that something changed which is not durable.  Cheap when it was said before;
 * any lock may be held.  The host hears of it (fsh_sync_wanted()), and calls mount_sync_changed()
 * in the next seconds: durable then is what was changed, and what of dirty pages was written,
 * before.  The first error.
 */
void mount_changed(struct mount *mount);
int mount_sync_changed(void);

/*
 * What changes from here on is another sync's.  The vfs says it before each; a sync() that makes
 * changes of its own says it again after them.
 */
void mount_sync_begins(struct mount *mount);

/* Is there anything for mount_sync_changed() to do? */
bool mount_any_changed(void);

/* Write back everything of one mount or of all, and wait; the first error. */
int mount_sync(struct mount *mount);
int mount_sync_all(void);

/* ops->shrink of every mount.  Sleeps. */
void mount_shrink_all(size_t keep);

/* ops->trim of every mount; of none while somebody has the table, who may be writing. */
void mount_trim_all(void);

/*
 * The machine goes down: sync and unmount all, the last mounted first.  One that is still in use is
 * synced and left clean all the same: nobody may touch it any more.  The first error of a sync.
 */
int mount_shutdown(void);

int mount_statfs(struct mount *mount, struct fs_stat *out);

/* Call fn for each mount that is at a place, in order, with the table locked.  For /proc/mounts. */
void mount_for_each(void (*fn)(struct mount *mount, void *arg), void *arg);

static inline bool mount_readonly(const struct mount *mount)
{
	return fs_read(mount->flags) & MOUNT_RDONLY;
}
