// SPDX-License-Identifier: MIT
/*
 * The calls that change names: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * All have one shape: walk to the directory, lock it, look the name up under the lock, check, let
 * the file system do it, tell the name cache, unlock, drop references (which may evict what lost
 * its last name).
 *
 * Inode locks are taken in this order, so that no two callers wait for each other:
 *
 *	1. the directories that names are in: an ancestor before its descendant, else by address
 *	   (with the mount's rename lock held, so that the tree stands still);
 *	2. directories that are removed, replaced or moved, by address;
 *	3. other files, by address.
 *
 * Whoever holds locks of step 2 has their parents' as well, and step 2 never holds an ancestor and
 * its descendant: rename refuses those pairs first.
 */
#include "private.h"
#include <errno.h>
#include <string.h>

/* --- Who may --------------------------------------------------------------------------------- */

static int may_create(const struct vnode *dir, const struct fs_cred *cred)
{
	if (dir->nlink == 0)
		return -ENOENT;
	if (mount_readonly(dir->mount))
		return -EROFS;
	return vnode_permission(dir, cred, FS_WRITE | FS_EXECUTE);
}

static int may_remove(const struct vnode *dir, const struct dentry *d, const struct fs_cred *cred)
{
	int err = may_create(dir, cred);

	if (err)
		return err;
	if (rights_sticky_forbid(dir, d->vnode, cred))
		return -EPERM;
	return d->covered_by ? -EBUSY : 0;
}

/* --- Making ---------------------------------------------------------------------------------- */

int make_file(struct path_parent *parent, struct dentry *free_name, struct vnode_new *what,
	struct dentry **made)
{
	const struct fs_context *ctx = parent->ctx;
	struct vnode *dir = parent->dir->vnode, *v;
	int err = may_create(dir, ctx->cred);

	if (err)
		return err;
	rights_of_new(what, dir, ctx->owner ? ctx->owner : ctx->cred);
	err = dentry_prepare(free_name, made);
	if (err)
		return err;
	err = dir->ops->create ? dir->ops->create(dir, &parent->last, what, &v) : -EPERM;
	if (err)
		dentry_unref(*made);
	else
		dentry_created(free_name, *made, v);
	return err;
}

/* Directory locked. */
static int make_locked(struct path_parent *parent, struct vnode_new *what)
{
	struct dentry *d, *made;
	int err = dentry_lookup_locked(parent->dir, &parent->last, &d);

	if (err)
		return err;
	if (d->vnode)
		err = -EEXIST;
	else if (parent->slash && (what->mode & FS_IFMT) != FS_IFDIR)
		err = -ENOENT;
	else
		err = make_file(parent, d, what, &made);
	if (!err)
		dentry_unref(made);
	dentry_unref(d);
	return err;
}

static int make(
	const struct fs_context *ctx, struct dentry *base, const char *path, struct vnode_new *what)
{
	struct path_parent parent;
	int err = path_open_parent(ctx, base, path, &parent);

	if (err)
		return err;
	if (parent.kind != PATH_LAST_NAME) {
		path_close(&parent);
		return -EEXIST;
	}
	fsh_mutex_lock(&parent.dir->vnode->lock);
	err = make_locked(&parent, what);
	fsh_mutex_unlock(&parent.dir->vnode->lock);
	path_close(&parent);
	return err;
}

int vfs_mkdir(const struct fs_context *ctx, struct dentry *base, const char *path, uint32_t mode)
{
	struct vnode_new what = {.mode = FS_IFDIR | (mode & 01777 & ~ctx->umask)};

	return make(ctx, base, path, &what);
}

int vfs_mknod(const struct fs_context *ctx, struct dentry *base, const char *path, uint32_t mode,
	uint64_t rdev)
{
	struct vnode_new what = {.mode = (mode & FS_IFMT) | (mode & FS_PERM & ~ctx->umask)};

	switch (mode & FS_IFMT) {
	case 0:
		what.mode |= FS_IFREG;
		break;
	case FS_IFREG:
	case FS_IFIFO:
	case FS_IFSOCK:
		break;
	case FS_IFCHR:
	case FS_IFBLK:
		if (ctx->cred->uid)
			return -EPERM;
		what.rdev = rdev;
		break;
	case FS_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make(ctx, base, path, &what);
}

int vfs_symlink(
	const struct fs_context *ctx, const char *target, struct dentry *base, const char *path)
{
	struct vnode_new what = {.mode = FS_IFLNK | 0777, .target = target};

	return *target ? make(ctx, base, path, &what) : -ENOENT;
}

/* --- Link ------------------------------------------------------------------------------------ */

static int may_link(const struct vnode *v)
{
	if (vnode_is(v, FS_IFDIR))
		return -EPERM;
	if (v->nlink == 0)
		return -ENOENT;
	return v->nlink >= FS_LINK_MAX ? -EMLINK : 0;
}

static int link_prepared(struct path_parent *parent, struct vnode *v)
{
	struct vnode *dir = parent->dir->vnode;
	int err;

	fsh_mutex_lock_nested(&v->lock);
	err = may_link(v);
	if (!err)
		err = dir->ops->link ? dir->ops->link(dir, &parent->last, v) : -EPERM;
	fsh_mutex_unlock(&v->lock);
	return err;
}

/* Directory locked, free_name is in it. */
static int link_free(struct path_parent *parent, struct dentry *free_name, struct vnode *v)
{
	struct vnode *dir = parent->dir->vnode;
	struct dentry *made;
	int err = may_create(dir, parent->ctx->cred);

	if (!err && dir->mount != v->mount)
		err = -EXDEV;
	if (!err)
		err = dentry_prepare(free_name, &made);
	if (err)
		return err;
	err = link_prepared(parent, v);
	if (!err)
		dentry_created(free_name, made, vnode_ref(v));
	dentry_unref(made);
	return err;
}

/* Directory locked. */
static int link_locked(struct path_parent *parent, struct vnode *v)
{
	struct dentry *d;
	int err = dentry_lookup_locked(parent->dir, &parent->last, &d);

	if (err)
		return err;
	if (d->vnode)
		err = -EEXIST;
	else
		err = parent->slash ? -ENOENT : link_free(parent, d, v);
	dentry_unref(d);
	return err;
}

static int link_at(
	const struct fs_context *ctx, struct vnode *v, struct dentry *base, const char *path)
{
	struct path_parent parent;
	int err = path_open_parent(ctx, base, path, &parent);

	if (err)
		return err;
	if (parent.kind != PATH_LAST_NAME || vnode_is(v, FS_IFDIR)) {
		path_close(&parent);
		return vnode_is(v, FS_IFDIR) ? -EPERM : -EEXIST;
	}
	fsh_mutex_lock(&parent.dir->vnode->lock);
	err = link_locked(&parent, v);
	fsh_mutex_unlock(&parent.dir->vnode->lock);
	path_close(&parent);
	return err;
}

int vfs_link(const struct fs_context *ctx, struct dentry *old_base, const char *old_path,
	unsigned flags, struct dentry *new_base, const char *new_path)
{
	struct dentry *old;
	int err;

	/* Not everybody who was given a descriptor may give the file a name again. */
	if ((flags & PATH_EMPTY) && ctx->cred->uid)
		return -ENOENT;
	err = path_lookup(ctx, old_base, old_path, flags, &old);
	if (err)
		return err;
	err = link_at(ctx, old->vnode, new_base, new_path);
	dentry_unref(old);
	return err;
}

/* --- Removing -------------------------------------------------------------------------------- */

/* Directory and d's vnode locked. */
static int remove_locked(struct path_parent *parent, struct dentry *d, bool directory)
{
	struct vnode *dir = parent->dir->vnode;
	const struct vnode_ops *ops = dir->ops;
	int err = may_remove(dir, d, parent->ctx->cred);

	if (err)
		return err;
	if (directory != vnode_is(d->vnode, FS_IFDIR))
		return directory ? -ENOTDIR : -EISDIR;
	if (directory)
		err = ops->rmdir ? ops->rmdir(dir, &parent->last, d->vnode) : -EPERM;
	else
		err = ops->unlink ? ops->unlink(dir, &parent->last, d->vnode) : -EPERM;
	if (!err)
		dentry_removed(d);
	return err;
}

static int remove_last(struct path_parent *parent, bool directory)
{
	struct vnode *dir = parent->dir->vnode;
	struct dentry *d = NULL;
	int err;

	if (mount_readonly(dir->mount))
		return -EROFS;
	fsh_mutex_lock(&dir->lock);
	err = dentry_lookup_locked(parent->dir, &parent->last, &d);
	if (!err && !d->vnode)
		err = -ENOENT;
	if (!err && parent->slash && !directory)
		err = vnode_is(d->vnode, FS_IFDIR) ? -EISDIR : -ENOTDIR;
	if (!err) {
		fsh_mutex_lock_nested(&d->vnode->lock);
		err = remove_locked(parent, d, directory);
		fsh_mutex_unlock(&d->vnode->lock);
	}
	fsh_mutex_unlock(&dir->lock);
	dentry_unref(d);
	return err;
}

int vfs_unlink(const struct fs_context *ctx, struct dentry *base, const char *path)
{
	struct path_parent parent;
	int err = path_open_parent(ctx, base, path, &parent);

	if (err)
		return err;
	err = parent.kind == PATH_LAST_NAME ? remove_last(&parent, false) : -EISDIR;
	path_close(&parent);
	return err;
}

int vfs_rmdir(const struct fs_context *ctx, struct dentry *base, const char *path)
{
	static const int errors[] = {
		[PATH_LAST_DOT] = -EINVAL,
		[PATH_LAST_DOTDOT] = -ENOTEMPTY,
		[PATH_LAST_ROOT] = -EBUSY,
	};
	struct path_parent parent;
	int err = path_open_parent(ctx, base, path, &parent);

	if (err)
		return err;
	err = parent.kind == PATH_LAST_NAME ? remove_last(&parent, true) : errors[parent.kind];
	path_close(&parent);
	return err;
}

/* --- Rename ---------------------------------------------------------------------------------- */

/* One rename under way. */
struct renaming {
	struct path_parent old, new;
	struct dentry *from, *to; /* to->vnode is NULL when the new name is free */
	unsigned flags;
};

static bool crosses(const struct renaming *r)
{
	return r->old.dir != r->new.dir;
}

/* Step 1 of the order above. */
static void lock_directories(struct renaming *r)
{
	struct vnode *a = r->old.dir->vnode, *b = r->new.dir->vnode;

	if (!crosses(r)) {
		fsh_mutex_lock(&a->lock);
		return;
	}
	fsh_mutex_lock(&a->mount->rename_lock);
	if (dentry_is_below(r->old.dir, r->new.dir) ||
		(!dentry_is_below(r->new.dir, r->old.dir) && b < a)) {
		struct vnode *swap = a;

		a = b;
		b = swap;
	}
	fsh_mutex_lock(&a->lock);
	fsh_mutex_lock_nested(&b->lock);
}

static void unlock_directories(struct renaming *r)
{
	fsh_mutex_unlock(&r->old.dir->vnode->lock);
	if (!crosses(r))
		return;
	fsh_mutex_unlock(&r->new.dir->vnode->lock);
	fsh_mutex_unlock(&r->old.dir->mount->rename_lock);
}

/* Is a locked before b?  Directories first, then by address. */
static bool goes_first(const struct vnode *a, const struct vnode *b)
{
	bool a_dir = vnode_is(a, FS_IFDIR), b_dir = vnode_is(b, FS_IFDIR);

	return a_dir != b_dir ? a_dir : a < b;
}

/* Steps 2 and 3. */
static void lock_victims(struct renaming *r)
{
	struct vnode *a = r->from->vnode, *b = r->to->vnode;

	if (b && goes_first(b, a)) {
		fsh_mutex_lock_nested(&b->lock);
		b = NULL;
	}
	fsh_mutex_lock_nested(&a->lock);
	if (b)
		fsh_mutex_lock_nested(&b->lock);
}

static void unlock_victims(struct renaming *r)
{
	fsh_mutex_unlock(&r->from->vnode->lock);
	if (r->to->vnode)
		fsh_mutex_unlock(&r->to->vnode->lock);
}

static int look_up_both(struct renaming *r)
{
	int err = dentry_lookup_locked(r->old.dir, &r->old.last, &r->from);

	if (!err)
		err = dentry_lookup_locked(r->new.dir, &r->new.last, &r->to);
	if (!err && !r->from->vnode)
		err = -ENOENT;
	return err;
}

/* Do the kinds of the two files, and their places in the tree, allow it? */
static int check_shape(const struct renaming *r)
{
	bool exchange = r->flags & FS_RENAME_EXCHANGE, from_dir, to_dir;

	if (!r->to->vnode && exchange)
		return -ENOENT;
	if (r->to->vnode && (r->flags & FS_RENAME_NOREPLACE))
		return -EEXIST;
	from_dir = vnode_is(r->from->vnode, FS_IFDIR);
	to_dir = r->to->vnode && vnode_is(r->to->vnode, FS_IFDIR);
	if (!from_dir && (r->old.slash || (r->new.slash && !exchange)))
		return -ENOTDIR;
	if (exchange && r->new.slash && !to_dir)
		return -ENOTDIR;
	if (from_dir && dentry_is_below(r->new.dir, r->from))
		return -EINVAL;
	if (to_dir && dentry_is_below(r->old.dir, r->to))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (!r->to->vnode || exchange || from_dir == to_dir)
		return 0;
	return from_dir ? -ENOTDIR : -EISDIR;
}

/* A directory that gets another parent is written to: its "..". */
static int may_move(const struct renaming *r, const struct dentry *d, const struct fs_cred *cred)
{
	if (!d->vnode || !vnode_is(d->vnode, FS_IFDIR) || !crosses(r))
		return 0;
	return vnode_permission(d->vnode, cred, FS_WRITE);
}

static int check_rights(const struct renaming *r)
{
	const struct fs_cred *cred = r->old.ctx->cred;
	int err = may_remove(r->old.dir->vnode, r->from, cred);

	if (!err)
		err = r->to->vnode ? may_remove(r->new.dir->vnode, r->to, cred)
				   : may_create(r->new.dir->vnode, cred);
	if (!err)
		err = may_move(r, r->from, cred);
	if (!err && (r->flags & FS_RENAME_EXCHANGE))
		err = may_move(r, r->to, cred);
	return err;
}

static int rename_checked(struct renaming *r)
{
	struct vnode *dir = r->old.dir->vnode;
	struct vnode_rename args = {
		.from_dir = dir,
		.from = r->from->vnode,
		.from_name = &r->old.last,
		.to_dir = r->new.dir->vnode,
		.to = r->to->vnode,
		.to_name = &r->new.last,
		.flags = r->flags &FS_RENAME_EXCHANGE,
	};
	struct dentry_names room;
	int err = dentry_names_prepare(r->from, r->to, &room);

	if (err)
		return err;
	lock_victims(r);
	err = dir->ops->rename ? dir->ops->rename(&args) : -EPERM;
	if (!err)
		dentry_renamed(r->from, r->to, args.flags, &room);
	unlock_victims(r);
	dentry_names_free(&room);
	return err;
}

static int rename_locked(struct renaming *r)
{
	int err = look_up_both(r);

	if (!err)
		err = check_shape(r);
	/* Two names of one file: nothing to do, as POSIX has it. */
	if (err || r->from->vnode == r->to->vnode)
		return err;
	err = check_rights(r);
	return err ? err : rename_checked(r);
}

static int rename_between(struct renaming *r)
{
	int err;

	if (r->old.dir->mount != r->new.dir->mount)
		return -EXDEV;
	if (r->old.kind != PATH_LAST_NAME)
		return -EBUSY;
	if (r->new.kind != PATH_LAST_NAME)
		return r->flags & FS_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (mount_readonly(r->old.dir->mount))
		return -EROFS;
	lock_directories(r);
	err = rename_locked(r);
	unlock_directories(r);
	dentry_unref(r->from);
	dentry_unref(r->to);
	return err;
}

int vfs_rename(const struct fs_context *ctx, struct dentry *old_base, const char *old_path,
	struct dentry *new_base, const char *new_path, unsigned flags)
{
	struct renaming r = {.flags = flags};
	int err;

	if (flags & ~(FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE) ||
		flags == (FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE))
		return -EINVAL;
	err = path_open_parent(ctx, old_base, old_path, &r.old);
	if (err)
		return err;
	err = path_open_parent(ctx, new_base, new_path, &r.new);
	if (!err) {
		err = rename_between(&r);
		path_close(&r.new);
	}
	path_close(&r.old);
	return err;
}
