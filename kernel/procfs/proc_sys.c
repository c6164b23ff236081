// SPDX-License-Identifier: MIT
/*
 * /proc/sys: switches.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <kernel/kmem.h>
#include <mm/vm.h>

#define RECLAIM_BATCH 1024 /* frames at a time */

/* Clean pages; dirty ones stay, as do those in use. */
static void drop_pages(void)
{
	while (mvm_reclaim(RECLAIM_BATCH))
		;
}

/* Names, inodes and metadata that nobody uses, and the memory that held them. */
static void drop_objects(void)
{
	dentry_shrink(0);
	vnode_shrink(0);
	mount_shrink_all(0);
	kmem_trim();
}

/* 1: pages, 2: names, inodes and the kernel's free objects, 3: both. */
static int drop_caches_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char line[4];
	int err = proc_command(c, n, line, sizeof line);

	(void)file, (void)offset;
	*done = 0;
	if (err)
		return err;
	if (line[0] < '1' || line[0] > '3' || line[1])
		return -EINVAL;
	if ((line[0] - '0') & 2)
		drop_objects();
	if ((line[0] - '0') & 1)
		drop_pages();
	*done = n;
	return 0;
}

static const struct file_ops drop_caches_ops = {.write = drop_caches_write};

static const struct proc_entry vm_entries[] = {
	{.name = "drop_caches", .mode = FS_IFREG | 0200, .ops = &drop_caches_ops},
	{0},
};

const struct proc_entry proc_sys_entries[] = {
	{.name = "vm", .mode = FS_IFDIR | 0555, .entries = vm_entries},
	{0},
};
