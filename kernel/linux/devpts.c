// SPDX-License-Identifier: MIT
/*
 * devpts: the numbers of pseudo-terminals, and a file system that shows them.
 *
 * The file system is a tmpfs in which nodes come with a pair and go with its master; like any
 * device's node, one says with its number which pair it opens, and may be given another owner and
 * other permissions.  There is one instance of it.
 *
 * Numbers are places in a table that grows, the lowest free one first.
 */
#include "pty.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <abi/stat.h>
#include <fs/chrdev.h>
#include <fs/tmpfs.h>
#include <fs/vfs.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/process.h>

#define FIRST_CAPACITY 16

static struct {
	struct mutex lock;  /* RANK_FS_LEAF, guards all below */
	struct pty **table; /* `capacity` places, NULL: free */
	unsigned capacity;
	struct mount *mount; /* or NULL */
} devpts = {.lock = MUTEX_INIT("devpts", RANK_FS_LEAF)};

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Lock held. */
static int grow(void)
{
	unsigned capacity = devpts.capacity ? 2 * devpts.capacity : FIRST_CAPACITY;
	struct pty **table = kcalloc(capacity, sizeof *table);

	if (!table)
		return -ENOMEM;
	if (devpts.table)
		__builtin_memcpy(table, devpts.table, devpts.capacity * sizeof *table);
	kfree(devpts.table);
	devpts.table = table;
	devpts.capacity = capacity;
	return 0;
}

static int take_number(struct pty *pty)
{
	unsigned nr = 0;
	int err = 0;

	mutex_lock(&devpts.lock);
	while (nr < devpts.capacity && devpts.table[nr])
		nr++;
	if (nr == devpts.capacity)
		err = grow();
	if (!err) {
		devpts.table[nr] = pty;
		pty->nr = nr;
		pty->tty.dev = FS_DEV(PTY_MAJOR, nr);
	}
	mutex_unlock(&devpts.lock);
	return err;
}

static void give_number_back(const struct pty *pty)
{
	mutex_lock(&devpts.lock);
	devpts.table[pty->nr] = NULL;
	mutex_unlock(&devpts.lock);
}

/* Referenced, or NULL. */
static struct pty *pty_find(unsigned nr)
{
	struct pty *pty;

	mutex_lock(&devpts.lock);
	pty = nr < devpts.capacity ? devpts.table[nr] : NULL;
	if (pty)
		__atomic_fetch_add(&pty->refs, 1, __ATOMIC_RELAXED);
	mutex_unlock(&devpts.lock);
	return pty;
}

/* --- Nodes ------------------------------------------------------------------------------------ */

struct dentry *devpts_root(void)
{
	struct dentry *root = NULL;

	mutex_lock(&devpts.lock);
	if (devpts.mount && devpts.mount->root)
		root = dentry_ref(devpts.mount->root);
	mutex_unlock(&devpts.lock);
	return root;
}

void devpts_name(const struct pty *pty, char name[static PTY_NAME_BYTES])
{
	ksnprintf(name, PTY_NAME_BYTES, "%u", pty->nr);
}

static const struct fs_cred privileged = {.uid = 0};

static int make_node(struct dentry *root, const struct pty *pty)
{
	struct fs_cred owner = process_fs_cred(process_current());
	struct fs_context ctx = {.root = root, .cwd = root, .cred = &privileged};
	struct fs_attr attr = {.uid = owner.uid, .gid = owner.gid};
	char name[PTY_NAME_BYTES];
	int err;

	devpts_name(pty, name);
	err = vfs_mknod(&ctx, NULL, name, FS_IFCHR | 0600, pty->tty.dev);
	if (!err)
		err = vfs_setattr(&ctx, NULL, name, 0, &attr, FS_SET_UID | FS_SET_GID);
	return err;
}

int devpts_add(struct pty *pty)
{
	struct dentry *root = devpts_root();
	int err;

	if (!root)
		return -ENODEV;
	err = take_number(pty);
	if (!err) {
		err = make_node(root, pty);
		if (err)
			give_number_back(pty);
	}
	dentry_unref(root);
	return err;
}

/* The node goes first: the next pair with this number makes one of its own. */
void devpts_remove(struct pty *pty)
{
	struct dentry *root = devpts_root();
	struct fs_context ctx = {.root = root, .cwd = root, .cred = &privileged};
	char name[PTY_NAME_BYTES];

	devpts_name(pty, name);
	if (root) {
		(void)vfs_unlink(&ctx, NULL, name); /* root may have been faster */
		dentry_unref(root);
	}
	give_number_back(pty);
}

/* --- The file system -------------------------------------------------------------------------- */

static int devpts_statfs(struct mount *mount, struct fs_stat *out)
{
	int err = tmpfs_statfs(mount, out);

	out->magic = DEVPTS_SUPER_MAGIC;
	return err;
}

static void set_mount(struct mount *mount)
{
	mutex_lock(&devpts.lock);
	devpts.mount = mount;
	mutex_unlock(&devpts.lock);
}

static void devpts_unmount(struct mount *mount)
{
	set_mount(NULL);
	tmpfs_unmount(mount);
}

static const struct mount_ops devpts_mount_ops = {
	.statfs = devpts_statfs,
	.unmount = devpts_unmount,
};

static int devpts_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	struct dentry *other = devpts_root();
	int err;

	if (other) {
		dentry_unref(other);
		return -EBUSY;
	}
	err = tmpfs_mount(mount, source, options, root);
	if (err)
		return err;
	mount->ops = &devpts_mount_ops;
	set_mount(mount);
	return 0;
}

/* --- The devices ------------------------------------------------------------------------------ */

static int open_slave(struct chrdev *device, struct file *file)
{
	struct pty *pty = pty_find(ABI_MINOR(file->vnode->rdev));
	int err;

	(void)device;
	if (!pty)
		return -EIO;
	err = pty_open_slave(pty, file);
	pty_unref(pty);
	return err;
}

int devpts_init(int (*open_master)(struct chrdev *device, struct file *file))
{
	static struct fs_type type = {.name = "devpts", .mount = devpts_mount};
	static struct chrdev master = {
		.name = "ptmx",
		.dev = FS_DEV(5, 2),
		.mode = 0666,
		.state = FILE_STREAM,
	};
	static struct chrdev slaves = {
		.dev = FS_DEV(PTY_MAJOR, 0),
		.all_minors = true,
		.state = FILE_STREAM,
		.open = open_slave,
	};
	int err;

	fs_register(&type);
	master.open = open_master;
	err = chrdev_register(&master);
	return err ? err : chrdev_register(&slaves);
}
