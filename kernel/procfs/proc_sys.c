// SPDX-License-Identifier: MIT
/*
 * /proc/sys: switches, and what programs ask for by name.  Few can be changed; the others say how
 * this kernel is.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <arch/pmap.h>
#include <kernel/boot.h>
#include <kernel/kmem.h>
#include <kernel/random.h>
#include <kernel/release.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>
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
	kstack_shrink();
	pmap_shrink();
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

/* --- kernel ----------------------------------------------------------------------------------- */

/* 0: everything has its place; 2: stack, mappings and heap are at random places. */
static void show_randomize(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "%d\n", boot_has("norandmaps") ? 0 : 2);
}

#define UUID_BYTES 16

/* A random one, as RFC 4122 marks it: version 4, variant 1. */
static void make_uuid(uint8_t uuid[UUID_BYTES])
{
	random_bytes(uuid, UUID_BYTES);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void print_uuid(struct proc_text *t, const uint8_t uuid[UUID_BYTES])
{
	for (unsigned i = 0; i < UUID_BYTES; i++)
		proc_printf(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
	proc_printf(t, "\n");
}

static void show_uuid(struct proc_text *t, struct process *p)
{
	uint8_t uuid[UUID_BYTES];

	(void)p;
	make_uuid(uuid);
	print_uuid(t, uuid);
}

/* One for this run of the machine. */
static void show_boot_id(struct proc_text *t, struct process *p)
{
	static struct mutex lock = MUTEX_INIT("boot id", RANK_FS_LEAF);
	static uint8_t uuid[UUID_BYTES];

	(void)p;
	mutex_lock(&lock);
	if (!uuid[6])
		make_uuid(uuid);
	mutex_unlock(&lock);
	print_uuid(t, uuid);
}

static void show_threads_max(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "%u\n", threads_max());
}

/* clang-format off */
#define CONSTANT(name_, text_) {.name = name_, .mode = FS_IFREG | 0444, .text = text_}

static const struct proc_entry random_entries[] = {
	{.name = "boot_id", .mode = FS_IFREG | 0444, .show = show_boot_id},
	CONSTANT("entropy_avail", "256"),
	CONSTANT("poolsize", "256"),
	{.name = "uuid", .mode = FS_IFREG | 0444, .show = show_uuid},
	{0},
};

static const struct proc_entry kernel_entries[] = {
	CONSTANT("cap_last_cap", "40"),
	CONSTANT("domainname", KERNEL_DOMAIN),
	CONSTANT("hostname", KERNEL_NODE),
	CONSTANT("ngroups_max", "65536"),
	CONSTANT("osrelease", KERNEL_RELEASE),
	CONSTANT("ostype", KERNEL_SYSNAME),
	CONSTANT("overflowgid", "65534"),
	CONSTANT("overflowuid", "65534"),
	CONSTANT("pid_max", "4194304"),
	{.name = "random", .mode = FS_IFDIR | 0555, .entries = random_entries},
	{.name = "randomize_va_space", .mode = FS_IFREG | 0444, .show = show_randomize},
	{.name = "threads-max", .mode = FS_IFREG | 0444, .show = show_threads_max},
	CONSTANT("version", KERNEL_VERSION),
	{0},
};

/* --- vm --------------------------------------------------------------------------------------- */

static void show_max_map_count(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "%lu\n", vmspace_max_areas());
}

/* At once for the process that says so, for others when they execute a program. */
static int store_max_map_count(struct process *none, const struct proc_key *key, const char *line)
{
	struct process *p = process_current();
	size_t areas = 0;

	(void)none, (void)key;
	for (; *line >= '0' && *line <= '9' && areas <= INT32_MAX; line++)
		areas = areas * 10 + (size_t)(*line - '0');
	if (*line || areas > INT32_MAX)
		return -EINVAL;
	vmspace_set_max_areas(areas);
	spin_lock(&p->lock);
	vmspace_set_limits(p->vm, p);
	spin_unlock(&p->lock);
	return 0;
}

/* No mapping is refused for the memory that it might come to need: that is 1. */
static const struct proc_entry vm_entries[] = {
	{.name = "drop_caches", .mode = FS_IFREG | 0200, .ops = &drop_caches_ops},
	{.name = "max_map_count", .mode = FS_IFREG | 0644, .show = show_max_map_count, .store = store_max_map_count},
	CONSTANT("mmap_min_addr", "4096"),
	CONSTANT("overcommit_memory", "1"),
	CONSTANT("overcommit_ratio", "50"),
	{0},
};

const struct proc_entry proc_sys_entries[] = {
	{.name = "kernel", .mode = FS_IFDIR | 0555, .entries = kernel_entries},
	{.name = "vm", .mode = FS_IFDIR | 0555, .entries = vm_entries},
	{0},
};
/* clang-format on */
