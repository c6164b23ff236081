// SPDX-License-Identifier: MIT
/*
 * The virtual file system: one tree of names over file systems that know nothing of each other.
 *
 * The problem.  A program says "/tmp/../etc/motd"; a file system knows "entry motd of directory
 * 17".  In between: walking, mounts, links, rights, and a memory of what was walked over, because
 * asking the file system for each step costs a hundred times what a remembered step does.  And a
 * file must live as long as anybody uses it, by a name, a descriptor, a mapping, or bytes that are
 * not on the disk yet.
 *
 *	  descriptor table (kernel)            area of a space (mm)
 *	        |                                   |
 *	        v                                   v
 *	   struct file ----------------------> mvm_object       pages, in mm's page cache
 *	        |                                   | while it is referenced
 *	        v                                   v
 *	  struct dentry --------------------> struct vnode      one a file, in the vnode cache
 *	     |  ^  a name, the tree                 |
 *	     v  | parent                            v
 *	  struct mount                      the file system's own inode
 *
 * Who holds whom (an arrow holds what it points to).  The whole of life and death follows from it:
 * close drops the file, that its entry and its object; the last munmap or the last dirty page
 * drops the object, that the vnode; a vnode that nobody holds is kept for the next open if it has
 * names, and evicted, with its blocks, if it has none.
 *
 * Invariants.
 *  1. What an entry stands for never changes.  So a walk needs no lock to use it, and unlink and
 *     create replace entries where others would edit them.
 *  2. A name is in the cache only as it is in the file system: both change under the inode lock of
 *     the directory.
 *  3. A directory has one entry, so a directory *is* its entry: working directories, roots and
 *     bases of openat are entries, and their paths are found by going up.
 *  4. One vnode an inode, one object a vnode.
 *  5. User memory is touched through struct mvm_copy only, under no lock of ours but a file's
 *     position and its inode lock; and a page fault never takes those.
 *
 * Locks, outermost first: mount table; file position; rename (one a mount); inodes, directories
 * before what is in them; then the file system's own; then the vnode cache; then spin locks: tree
 * of names, bucket.  A remembered step of a walk takes one bucket lock and nothing else.
 *
 * Life of an open("/a/b", O_CREAT).  Memory for the file first, so that nothing is left half done.
 * The walk takes "a" from its bucket (or locks the root directory and asks lookup()), checks that
 * it may be searched, and stops before "b".  If "b" is not remembered, its directory is locked and
 * asked; if it is not there, create() makes it and an entry for it is hashed; unlock.  The entry's
 * vnode gives the file its operations, and a regular file takes a reference on the object, from
 * where read() goes straight to mm.
 *
 * What was refused.  Locks on entries and walks that validate sequence numbers instead of counting
 * (fast on a hundred processors, and hard to read).  Negative entries that turn positive: see
 * invariant 1.  Bind mounts: then a path is a pair, everywhere.  A lock for reading an inode: data
 * and attributes are read word by word, as a snapshot.
 *
 * To read: this file, path.c, name.c, namespace.c, rights.c, vnode.c, file.c, mount.c; then
 * tmpfs.c, which is a whole file system in one file, and mapfs/.
 *
 * Below: the calls that do not change names: open, and what asks or sets attributes.  Each walks,
 * checks what the caller may do, and hands the legal rest to the vnode's operations.
 */
#include "private.h"
#include <errno.h>
#include <string.h>

int vfs_init(size_t cached_names, size_t cached_vnodes)
{
	mount_init();
	dentry_cache_init(cached_names);
	vnode_cache_init(cached_vnodes);
	file_lock_init();
	fs_register(&tmpfs_type);
	fs_register(&devfs_type);
	return chrdev_init();
}

void vfs_counts(struct vfs_counts *out)
{
	out->names = dentry_count(&out->name_looks);
	out->vnodes = vnode_count(&out->idle_vnodes);
	out->files = file_count();
}

void vfs_check(void)
{
	dentry_cache_check();
	vnode_cache_check();
	file_lock_check();
}

/* --- Open ------------------------------------------------------------------------------------ */

/* What an open with these flags wants to do with the file. */
static unsigned open_wants(unsigned flags)
{
	static const unsigned wants[] = {
		[FS_O_RDONLY] = FS_READ,
		[FS_O_WRONLY] = FS_WRITE,
		[FS_O_RDWR] = FS_READ | FS_WRITE,
		[FS_O_ACCMODE] = FS_READ | FS_WRITE,
	};

	return wants[flags & FS_O_ACCMODE] | (flags & FS_O_TRUNC ? FS_WRITE : 0);
}

static bool is_device(uint32_t type)
{
	return type == FS_IFCHR || type == FS_IFBLK;
}

/* What depends on the type alone, and is not asked of a plain file that is read. */
static int type_may_open(const struct vnode *v, uint32_t type, unsigned want)
{
	if (type == FS_IFLNK)
		return -ELOOP;
	if (type == FS_IFDIR && (want & FS_WRITE))
		return -EISDIR;
	if (is_device(type) && (v->mount->flags & MOUNT_NODEV))
		return -EACCES;
	return (want & FS_WRITE) && type == FS_IFREG && mount_readonly(v->mount) ? -EROFS : 0;
}

static int may_open(const struct vnode *v, const struct fs_cred *cred, unsigned flags)
{
	uint32_t type = fs_read(v->mode) & FS_IFMT;
	unsigned want = open_wants(flags);
	int err = 0;

	if (type != FS_IFREG || (want & FS_WRITE))
		err = type_may_open(v, type, want);
	if (err)
		return err;
	err = vnode_permission(v, cred, want);
	if (err)
		return err;
	return (flags & FS_O_NOATIME) && !vnode_is_owned(v, cred) ? -EPERM : 0;
}

static __attribute__((noinline)) int cut_to_nothing(struct vnode *v, const struct fs_cred *cred)
{
	struct fs_attr empty = {.size_bytes = 0};

	return vnode_is(v, FS_IFREG) ? vnode_setattr(v, cred, &empty, FS_SET_SIZE) : 0;
}

/* Takes over the reference on d, also when it fails. */
static int open_dentry(
	const struct fs_context *ctx, struct dentry *d, unsigned flags, struct file *f)
{
	int err = flags & FS_O_PATH ? 0 : may_open(d->vnode, ctx->cred, flags);

	if (!err && (flags & FS_O_TRUNC))
		err = cut_to_nothing(d->vnode, ctx->cred);
	if (!err)
		return file_begin(f, d);
	dentry_unref(d);
	return err;
}

static int open_existing(const struct fs_context *ctx, struct dentry *base, const char *path,
	unsigned flags, struct file *f)
{
	unsigned walk = (flags & FS_O_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & FS_O_DIRECTORY ? PATH_DIRECTORY : 0);
	struct dentry *d;
	int err = path_lookup(ctx, base, path, walk, &d);

	return err ? err : open_dentry(ctx, d, flags, f);
}

/* The name is free: make a regular file, *made.  Directory locked. */
static int create_locked(
	struct path_parent *parent, struct dentry *free_name, uint32_t mode, struct dentry **made)
{
	struct vnode_new what = {.mode = FS_IFREG | (mode & FS_PERM & ~parent->ctx->umask)};

	return make_file(parent, free_name, &what, made);
}

/* Look again under the directory's lock, and create what is still not there. */
static int find_or_create_locked(
	struct path_parent *parent, uint32_t mode, struct dentry **d, bool *created)
{
	struct dentry *found;
	int err = dentry_lookup_locked(parent->dir, &parent->last, &found);

	if (err)
		return err;
	*d = found;
	if (found->vnode)
		return 0;
	err = create_locked(parent, found, mode, d);
	*created = !err;
	dentry_unref(found);
	return err;
}

/* The last component: *d, referenced, has a vnode. */
static int find_or_create(
	struct path_parent *parent, uint32_t mode, struct dentry **d, bool *created)
{
	struct vnode *dir = parent->dir->vnode;
	int err = dentry_lookup(parent->dir, &parent->last, d);

	*created = false;
	if (err || (*d)->vnode)
		return err;
	dentry_unref(*d);
	fsh_mutex_lock(&dir->lock);
	err = find_or_create_locked(parent, mode, d, created);
	fsh_mutex_unlock(&dir->lock);
	return err;
}

/* The reference moves from a link to the file that it leads to without a path. */
static int jump(struct path_parent *parent, struct dentry **d)
{
	struct dentry *link = *d;
	int err;

	if (++parent->links > FS_SYMLINKS_MAX)
		return -ELOOP;
	err = link->vnode->ops->follow(link->vnode, d);
	if (err)
		*d = link;
	else
		dentry_unref(link);
	return err;
}

/*
 * From a link, or a covered directory, to where it leads: *d, whose reference
 * moves along.  1: see open_last().
 */
static int go_behind(struct path_parent *parent, unsigned flags, struct dentry **d)
{
	struct vnode *v = (*d)->vnode;
	int err;

	if (vnode_is(v, FS_IFLNK) && !(flags & FS_O_NOFOLLOW)) {
		if (v->ops->follow)
			return jump(parent, d);
		err = path_follow_last(parent, *d);
		return err ? err : 1;
	}
	*d = mount_cross_down(*d);
	return 0;
}

/* The last component is there; takes over the reference on it.  Result as open_last(). */
static int open_found(struct path_parent *parent, unsigned flags, struct dentry *d, struct file *f)
{
	int err = flags & FS_O_EXCL ? -EEXIST : go_behind(parent, flags, &d);

	if (!err && vnode_is(d->vnode, FS_IFDIR))
		err = -EISDIR;
	if (!err)
		return open_dentry(parent->ctx, d, flags, f);
	dentry_unref(d);
	return err;
}

/* 0: open; 1: a symbolic link was followed, and there is more to walk. */
static int open_last(struct path_parent *parent, unsigned flags, uint32_t mode, struct file *f)
{
	struct dentry *d;
	bool created;
	int err;

	if (parent->kind != PATH_LAST_NAME)
		return flags & FS_O_EXCL ? -EEXIST : -EISDIR;
	if (parent->slash)
		return -EISDIR;
	err = find_or_create(parent, mode, &d, &created);
	if (err)
		return err;
	/* A new file's mode does not bind who made it. */
	return created ? file_begin(f, d) : open_found(parent, flags, d, f);
}

static __attribute__((noinline)) int open_create(const struct fs_context *ctx, struct dentry *base,
	const char *path, unsigned flags, uint32_t mode, struct file *f)
{
	struct path_parent parent;
	int result = path_open_parent(ctx, base, path, &parent);

	if (result)
		return result;
	do {
		result = open_last(&parent, flags, mode, f);
	} while (result == 1);
	path_close(&parent);
	return result;
}

int vfs_open(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	uint32_t mode, struct file **out)
{
	struct file *f;
	int err;

	if (flags & FS_O_PATH)
		flags &= FS_O_PATH | FS_O_DIRECTORY | FS_O_NOFOLLOW;
	if ((flags & FS_O_CREAT) && (flags & FS_O_DIRECTORY))
		return -EINVAL;
	if (flags & FS_O_DIRECT)
		return -EINVAL; /* all data goes through the page cache */
	err = file_prepare(flags, ctx->cred, &f);
	if (err)
		return err;
	if (flags & FS_O_CREAT)
		err = open_create(ctx, base, path, flags, mode, f);
	else
		err = open_existing(ctx, base, path, flags, f);
	if (err)
		file_abandon(f);
	else
		*out = f;
	return err;
}

int vfs_open_entry(
	const struct fs_context *ctx, struct dentry *d, unsigned flags, struct file **out)
{
	struct file *f;
	int err = file_prepare(flags, ctx->cred, &f);

	if (err)
		return err;
	err = open_dentry(ctx, dentry_ref(d), flags, f);
	if (err)
		file_abandon(f);
	else
		*out = f;
	return err;
}

static int may_execute(const struct vnode *v, const struct fs_cred *cred)
{
	if (vnode_is(v, FS_IFLNK))
		return -ELOOP;
	if (!vnode_is(v, FS_IFREG) || (v->mount->flags & MOUNT_NOEXEC))
		return -EACCES;
	return vnode_permission(v, cred, FS_EXECUTE);
}

static int begin_program(struct file *f, struct dentry *d)
{
	int err = file_begin(f, d);

	if (!err)
		err = vnode_program_begin(d->vnode);
	f->state |= err ? 0 : FILE_PROGRAM;
	return err;
}

int vfs_open_program(const struct fs_context *ctx, struct dentry *base, const char *path,
	unsigned flags, struct file **out)
{
	struct dentry *d;
	struct file *f;
	int err = path_lookup(ctx, base, path, flags, &d);

	if (err)
		return err;
	err = may_execute(d->vnode, ctx->cred);
	if (!err)
		err = file_prepare(FS_O_RDONLY, ctx->cred, &f);
	if (!err) {
		err = begin_program(f, dentry_ref(d));
		if (err)
			file_abandon(f);
		else
			*out = f;
	}
	dentry_unref(d);
	return err;
}

/* --- Asking ---------------------------------------------------------------------------------- */

int vfs_stat(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	struct fs_attr *attr)
{
	struct dentry *d;
	int err = path_lookup(ctx, base, path, flags, &d);

	if (err)
		return err;
	err = vnode_getattr(d->vnode, attr);
	dentry_unref(d);
	return err;
}

/* Of special files only the node is on the mount: what is behind it can be written. */
static bool is_special(const struct vnode *v)
{
	uint32_t type = fs_read(v->mode) & FS_IFMT;

	return is_device(type) || type == FS_IFIFO || type == FS_IFSOCK;
}

static int may_access(const struct vnode *v, const struct fs_cred *cred, unsigned want)
{
	unsigned flags = fs_read(v->mount->flags);

	if ((want & FS_WRITE) && (flags & MOUNT_RDONLY) && !is_special(v))
		return -EROFS;
	if ((want & FS_EXECUTE) && (flags & MOUNT_NOEXEC) && vnode_is(v, FS_IFREG))
		return -EACCES;
	return vnode_permission(v, cred, want);
}

int vfs_access(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	unsigned want)
{
	struct dentry *d;
	int err = path_lookup(ctx, base, path, flags, &d);

	if (err)
		return err;
	err = may_access(d->vnode, ctx->cred, want);
	dentry_unref(d);
	return err;
}

int vfs_readlink(const struct fs_context *ctx, struct dentry *base, const char *path,
	unsigned flags, char *to, size_t bytes)
{
	struct dentry *d;
	int result = path_lookup(ctx, base, path, flags & PATH_EMPTY, &d);

	if (result)
		return result;
	if (vnode_is(d->vnode, FS_IFLNK))
		result = d->vnode->ops->readlink(d->vnode, to, bytes);
	else
		result = *path ? -EINVAL : -ENOENT;
	dentry_unref(d);
	return result;
}

int vfs_statfs(
	const struct fs_context *ctx, struct dentry *base, const char *path, struct fs_stat *out)
{
	struct dentry *d;
	int err = path_lookup(ctx, base, path, PATH_FOLLOW, &d);

	if (err)
		return err;
	err = mount_statfs(d->mount, out);
	dentry_unref(d);
	return err;
}

int vfs_chdir(
	const struct fs_context *ctx, struct dentry *base, const char *path, struct dentry **out)
{
	int err = path_lookup(ctx, base, path, PATH_FOLLOW | PATH_DIRECTORY, out);

	if (err)
		return err;
	err = vnode_permission((*out)->vnode, ctx->cred, FS_EXECUTE);
	if (err)
		dentry_unref(*out);
	return err;
}

/* --- Setting --------------------------------------------------------------------------------- */

int vfs_setattr(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	const struct fs_attr *attr, unsigned mask)
{
	struct dentry *d;
	int err = path_lookup(ctx, base, path, flags, &d);

	if (err)
		return err;
	err = vnode_setattr(d->vnode, ctx->cred, attr, mask);
	dentry_unref(d);
	return err;
}
