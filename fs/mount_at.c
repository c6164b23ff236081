// SPDX-License-Identifier: MIT
/*
 * Mounting by path: what a user may ask of the mount table (fs/mount.h), which is little: only uid
 * 0 changes the tree.
 */
#include "private.h"
#include <fs/blkdev.h>
#include <errno.h>

static int may_mount(const struct fs_context *ctx)
{
	return ctx->cred->uid ? -EPERM : 0;
}

/* The name of the device that a path leads to; devices stay for ever. */
static int device_name(const struct fs_context *ctx, const char *source, const char **name)
{
	struct blkdev *device = NULL;
	struct dentry *d;
	int err = path_lookup(ctx, NULL, source, PATH_FOLLOW, &d);

	if (err)
		return err;
	if (!vnode_is(d->vnode, FS_IFBLK))
		err = -ENOTBLK;
	else if (fs_read(d->mount->flags) & MOUNT_NODEV)
		err = -EACCES;
	else if (!(device = blkdev_of(d->vnode->rdev)))
		err = -ENXIO;
	dentry_unref(d);
	if (!err)
		*name = device->name;
	return err;
}

static int mount_there(const struct fs_context *ctx, struct dentry *where, const char *type_name,
	const char *source, unsigned flags, const char *options)
{
	struct fs_type *type = fs_find(type_name);
	const char *name = source;
	int err = may_mount(ctx);

	if (!err && !type)
		err = -ENODEV;
	if (!err && type->on_device)
		err = device_name(ctx, source, &name);
	return err ? err : mount_on(where, type_name, name, source, flags, options);
}

int vfs_mount(const struct fs_context *ctx, const char *path, const char *type, const char *source,
	unsigned flags, const char *options)
{
	struct dentry *where;
	int err = path_lookup(ctx, NULL, path, PATH_FOLLOW, &where);

	if (err)
		return err;
	err = mount_there(ctx, where, type, source, flags, options);
	dentry_unref(where);
	return err;
}

int vfs_remount(const struct fs_context *ctx, const char *path, unsigned flags)
{
	struct dentry *root;
	int err = path_lookup(ctx, NULL, path, PATH_FOLLOW, &root);

	if (err)
		return err;
	err = may_mount(ctx);
	if (!err)
		err = mount_remount(root, flags);
	dentry_unref(root);
	return err;
}

int vfs_umount(const struct fs_context *ctx, const char *path, unsigned walk, bool detach)
{
	struct dentry *root;
	int err = path_lookup(ctx, NULL, path, walk, &root);

	if (err)
		return err;
	err = may_mount(ctx);
	if (!err)
		err = detach ? mount_detach(root) : mount_take(root);
	if (err)
		dentry_unref(root);
	return err;
}
