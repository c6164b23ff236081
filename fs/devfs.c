// SPDX-License-Identifier: MIT
/*
 * Character devices, the devices that need no hardware, and devfs.
 *
 * devfs is a tmpfs that comes with a node for each registered device, and gets a node for each
 * that is registered later; so it may have directories, links and mounts (shm, pts) besides.
 */
#include "private.h"
#include <fs/tmpfs.h>
#include <fs/blkdev.h>
#include <fs/chrdev.h>
#include <errno.h>
#include <string.h>

static struct {
	struct fsh_mutex lock;
	struct chrdev *first; /* [lock] to append; a list that only grows, read without */
	struct mount *mount;  /* [lock] the first devfs, if mounted */
} devices;

/* --- The registry ---------------------------------------------------------------------------- */

struct chrdev *chrdev_next(struct chrdev *prev)
{
	return __atomic_load_n(prev ? &prev->next : &devices.first, __ATOMIC_ACQUIRE);
}

static bool is_number_of(const struct chrdev *d, uint64_t dev)
{
	return d->all_minors ? FS_MAJOR(d->dev) == FS_MAJOR(dev) : d->dev == dev;
}

struct chrdev *chrdev_find(uint64_t dev)
{
	struct chrdev *d = chrdev_next(NULL);

	while (d && !is_number_of(d, dev))
		d = chrdev_next(d);
	return d;
}

static bool is_taken(const struct chrdev *device)
{
	for (struct chrdev *d = NULL; (d = chrdev_next(d));)
		if (is_number_of(d, device->dev) ||
			(d->name && device->name && strcmp(d->name, device->name) == 0))
			return true;
	return false;
}

static void append(struct chrdev *device)
{
	struct chrdev **last = &devices.first;

	while (*last)
		last = &(*last)->next;
	device->next = NULL;
	__atomic_store_n(last, device, __ATOMIC_RELEASE);
}

static int make_node(struct dentry *root, const struct chrdev *device)
{
	static const struct fs_cred nobody_to_ask = {.uid = 0};
	struct fs_context ctx = {.root = root, .cwd = root, .cred = &nobody_to_ask};

	return vfs_mknod(&ctx, NULL, device->name, FS_IFCHR | device->mode, device->dev);
}

int chrdev_register(struct chrdev *device)
{
	struct dentry *root = NULL;
	int err = 0;

	fsh_mutex_lock(&devices.lock);
	if (is_taken(device))
		err = -EEXIST;
	else
		append(device);
	if (!err && devices.mount && device->name)
		root = dentry_ref(devices.mount->root);
	fsh_mutex_unlock(&devices.lock);
	if (root) {
		err = make_node(root, device);
		dentry_unref(root);
	}
	return err;
}

/* --- devfs ----------------------------------------------------------------------------------- */

/* What is there besides devices: places to mount on, and names for a process's own files. */
static const struct {
	const char *name;
	struct vnode_new what;
} besides[] = {
	{"pts", {.mode = FS_IFDIR | 0755}},
	{"shm", {.mode = FS_IFDIR | 0755}},
	{"fd", {.mode = FS_IFLNK | 0777, .target = "/proc/self/fd"}},
	{"stdin", {.mode = FS_IFLNK | 0777, .target = "/proc/self/fd/0"}},
	{"stdout", {.mode = FS_IFLNK | 0777, .target = "/proc/self/fd/1"}},
	{"stderr", {.mode = FS_IFLNK | 0777, .target = "/proc/self/fd/2"}},
};

/*
 * All is made by operations of the vnode itself: the mount has no names yet.
 */
static int add(struct vnode *root, const char *text, const struct vnode_new *what)
{
	struct fs_name name = fs_name_of(text);
	struct vnode *v;
	int err;

	fsh_mutex_lock(&root->lock);
	err = root->ops->create(root, &name, what, &v);
	fsh_mutex_unlock(&root->lock);
	if (!err)
		vnode_unref(v);
	return err;
}

static int add_node(struct vnode *root, const struct chrdev *device)
{
	struct vnode_new what = {.mode = FS_IFCHR | device->mode, .rdev = device->dev};

	return device->name ? add(root, device->name, &what) : 0;
}

static int add_disk(struct vnode *root, const struct blkdev *disk)
{
	struct vnode_new what = {.mode = FS_IFBLK | 0660, .rdev = disk->dev};

	return add(root, disk->name, &what);
}

static int add_all(struct vnode *root)
{
	int err = 0;

	for (struct blkdev *disk = NULL; !err && (disk = blkdev_next(disk));)
		err = add_disk(root, disk);
	for (struct chrdev *d = NULL; !err && (d = chrdev_next(d));)
		err = add_node(root, d);
	for (size_t i = 0; !err && i < sizeof(besides) / sizeof(*besides); i++)
		err = add(root, besides[i].name, &besides[i].what);
	return err;
}

/* Nodes of devices that come later are for the first devfs. */
static void change_mount(struct mount *from, struct mount *to)
{
	fsh_mutex_lock(&devices.lock);
	if (devices.mount == from)
		devices.mount = to;
	fsh_mutex_unlock(&devices.lock);
}

static void devfs_unmount(struct mount *mount)
{
	change_mount(mount, NULL);
	tmpfs_unmount(mount);
}

static const struct mount_ops devfs_mount_ops = {
	.statfs = tmpfs_statfs,
	.unmount = devfs_unmount,
};

static int devfs_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	int err = tmpfs_mount(mount, source, options, root);

	if (err)
		return err;
	err = add_all(*root);
	mount->ops = &devfs_mount_ops;
	change_mount(NULL, mount);
	if (err) {
		vnode_unref(*root);
		vnode_mount_evict(mount);
		devfs_unmount(mount);
	}
	return err;
}

struct fs_type devfs_type = {.name = "devfs", .mount = devfs_mount};

/* --- null, zero, full, random ---------------------------------------------------------------- */

static int null_read(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	(void)f;
	(void)c;
	(void)n;
	(void)offset;
	*done = 0;
	return 0;
}

static int null_write(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	(void)f;
	(void)c;
	(void)offset;
	*done = n;
	return 0;
}

static int full_write(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	(void)f;
	(void)c;
	(void)offset;
	*done = 0;
	return n ? -ENOSPC : 0;
}

static int zero_read(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	static const char zeros[256];
	int err = 0;

	(void)f;
	(void)offset;
	*done = 0;
	while (!err && *done < n)
		err = file_copy(c, (void *)zeros,
			n - *done < sizeof(zeros) ? n - *done : sizeof(zeros), done);
	return err;
}

static int random_read(struct file *f, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char bytes[256];
	int err = 0;

	(void)f;
	(void)offset;
	*done = 0;
	while (!err && *done < n) {
		size_t some = n - *done < sizeof(bytes) ? n - *done : sizeof(bytes);

		fsh_random(bytes, some);
		err = file_copy(c, bytes, some, done);
	}
	return err;
}

/* A private mapping of zeros is anonymous memory; a shared one is memory that fork shares. */
static int zero_map(struct file *f, bool shared, struct mvm_object **out)
{
	(void)f;
	*out = NULL;
	/* The size of the mapping is not known here: as large as any. */
	return shared ? mvm_object_new_shared_anon(INT64_MAX & ~MVM_PAGE_MASK, out) : 0;
}

static const struct file_ops null_ops = {.read = null_read, .write = null_write};
static const struct file_ops zero_ops = {.read = zero_read, .write = null_write, .map = zero_map};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write};
static const struct file_ops random_ops = {.read = random_read, .write = null_write};

static struct chrdev builtin[] = {
	{.name = "null", .dev = FS_DEV(1, 3), .mode = 0666, .ops = &null_ops},
	{.name = "zero", .dev = FS_DEV(1, 5), .mode = 0666, .ops = &zero_ops},
	{.name = "full", .dev = FS_DEV(1, 7), .mode = 0666, .ops = &full_ops},
	{.name = "random", .dev = FS_DEV(1, 8), .mode = 0666, .ops = &random_ops},
	{.name = "urandom", .dev = FS_DEV(1, 9), .mode = 0666, .ops = &random_ops},
};

int chrdev_init(void)
{
	int err = 0;

	fsh_mutex_init(&devices.lock, "devices", FSH_RANK_LEAF);
	for (size_t i = 0; !err && i < sizeof(builtin) / sizeof(*builtin); i++)
		err = chrdev_register(&builtin[i]);
	return err;
}
