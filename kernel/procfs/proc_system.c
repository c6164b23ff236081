// SPDX-License-Identifier: MIT
/*
 * /proc: what the whole system says.
 */
#include "procfs.h"

#include <abi/limits.h>
#include <abi/stat.h>
#include <fs/blkdev.h>
#include <fs/lock.h>
#include <fs/mount.h>
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/time.h>
#include <kernel/release.h>
#include <mm/vm.h>

#include "machine.h"

static uint64_t kib(uint64_t pages)
{
	return pages * (PAGE_SIZE / 1024);
}

/* Available: what is free, and the cache that can be dropped as it is. */
static void show_meminfo(struct proc_text *t, struct process *p)
{
	struct mvm_stats s;
	uint64_t clean;

	(void)p;
	mvm_stats(&s);
	clean = s.cached_pages - s.kept_pages - s.dirty_pages - s.writeback_pages;
	if (clean > s.cached_pages)
		clean = 0; /* the counters were not read in one step */
	proc_printf(t, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\n", kib(s.total_frames),
		kib(s.free_frames));
	proc_printf(t, "MemAvailable:   %8lu kB\nBuffers:        %8lu kB\n",
		kib(s.free_frames + clean), 0UL);
	proc_printf(
		t, "Cached:         %8lu kB\nSwapCached:     %8lu kB\n", kib(s.cached_pages), 0UL);
	proc_printf(t, "SwapTotal:      %8lu kB\nSwapFree:       %8lu kB\n", 0UL, 0UL);
	proc_printf(t, "Dirty:          %8lu kB\nWriteback:      %8lu kB\n", kib(s.dirty_pages),
		kib(s.writeback_pages));
	proc_printf(t, "AnonPages:      %8lu kB\nShmem:          %8lu kB\n", kib(s.anon_pages),
		kib(s.kept_pages));
	proc_printf(t, "Slab:           %8lu kB\n", kib(s.meta_pages));
	proc_printf(
		t, "SReclaimable:   %8lu kB\nSUnreclaim:     %8lu kB\n", 0UL, kib(s.meta_pages));
	proc_printf(t, "KernelStack:    %8lu kB\nPageTables:     %8lu kB\n", kstack_bytes() / 1024,
		kib(frames_in_tables()));
}

static void show_disks(struct proc_text *t)
{
	struct blk_counts sum = {0};

	for (struct blkdev *dev = NULL; (dev = blkdev_next(dev)) != NULL;) {
		sum.reads += dev->counts.reads;
		sum.writes += dev->counts.writes;
		sum.flushes += dev->counts.flushes;
		sum.read_sectors += dev->counts.read_sectors;
		sum.written_sectors += dev->counts.written_sectors;
	}
	proc_printf(t, "pgpgin %lu\npgpgout %lu\n", sum.read_sectors / 2, sum.written_sectors / 2);
	proc_printf(t, "mapache_blk_reads %lu\nmapache_blk_writes %lu\nmapache_blk_flushes %lu\n",
		sum.reads, sum.writes, sum.flushes);
}

static void count_fences(uint64_t *flushes, uint64_t *remote)
{
	*flushes = *remote = 0;
	for (unsigned i = 0; i < cpu_count; i++) {
		*flushes += __atomic_load_n(&cpus[i].arch.tlb_flushes, __ATOMIC_RELAXED);
		*remote += __atomic_load_n(&cpus[i].arch.remote_fences, __ATOMIC_RELAXED);
	}
}

/* Linux's names where they mean the same; what only this kernel counts begins with mapache_. */
static void show_vmstat(struct proc_text *t, struct process *p)
{
	struct mvm_stats s;
	uint64_t flushes, remote;

	(void)p;
	mvm_stats(&s);
	count_fences(&flushes, &remote);
	const struct {
		const char *name;
		uint64_t value;
	} lines[] = {
		{"nr_free_pages", s.free_frames},
		{"nr_anon_pages", s.anon_pages},
		{"nr_file_pages", s.cached_pages},
		{"nr_shmem", s.kept_pages},
		{"nr_dirty", s.dirty_pages},
		{"nr_writeback", s.writeback_pages},
		{"mapache_nr_meta", s.meta_pages},
		{"pgfault", s.faults},
		{"pgmajfault", s.major_faults},
		{"mapache_cow_copies", s.cow_copies},
		{"mapache_cow_reuses", s.cow_reuses},
		{"mapache_zero_fills", s.zero_fills},
		{"mapache_fault_retries", s.fault_retries},
		{"mapache_fills", s.fills},
		{"mapache_filled_pages", s.filled_pages},
		{"mapache_writes", s.writes},
		{"nr_written", s.written_pages},
		{"mapache_reclaim_scanned", s.reclaim_scanned},
		{"mapache_reclaim_freed", s.reclaim_freed},
		{"mapache_reclaim_direct", s.reclaim_direct},
		{"mapache_throttled", s.throttled},
		{"mapache_shootdowns", s.shootdowns},
		{"mapache_tlb_flushes", flushes},
		{"mapache_remote_fences", remote},
		{"mapache_spaces", s.spaces},
		{"mapache_areas", s.areas},
		{"mapache_objects", s.objects},
	};

	for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
		proc_printf(t, "%s %lu\n", lines[i].name, lines[i].value);
	show_disks(t);
}

static void show_uptime(struct proc_text *t, struct process *p)
{
	uint64_t now = time_now_ns(), idle = 0;

	(void)p;
	for (unsigned i = 0; i < cpu_count; i++)
		idle += thread_run_ns(cpus[i].rq.idle);
	proc_printf(t, "%lu.%02lu %lu.%02lu\n", now / NS_PER_SEC, now % NS_PER_SEC / 10000000,
		idle / NS_PER_SEC, idle % NS_PER_SEC / 10000000);
}

static void show_cmdline(struct proc_text *t, struct process *p)
{
	const char *word;

	(void)p;
	for (unsigned i = 0; (word = boot_word(i)) != NULL; i++)
		proc_printf(t, "%s%s", i ? " " : "", word);
	proc_printf(t, "\n");
}

/* --- locks ------------------------------------------------------------------------------------ */

struct lock_list {
	struct proc_text *text;
	const struct vnode *of; /* whose locks are listed, */
	unsigned n, first;      /* how many so far, and where its own begin */
};

static const char *lock_class(const struct file_lock_request *r)
{
	return r->kind == FILE_LOCK_WHOLE ? "FLOCK " : r->by_process ? "POSIX " : "OFDLCK";
}

/*
 * Who waits is listed under the first lock of its file, as Linux does it under
 * the one in its way.
 */
static void show_lock(
	void *arg, const struct vnode *v, const struct file_lock_request *r, bool waits)
{
	struct lock_list *list = arg;
	struct proc_text *t = list->text;
	unsigned long dev = v->mount->dev;

	list->n += !waits;
	if (list->of != v) {
		list->of = v;
		list->first = list->n;
	}
	proc_printf(t, "%u: %s%s ADVISORY  %s %d ", waits ? list->first : list->n,
		waits ? "-> " : "", lock_class(r), r->mode == FILE_LOCK_SHARED ? "READ" : "WRITE",
		r->pid);
	proc_printf(t, "%02lx:%02lx:%lu %lu ", dev >> 8 & 0xfff,
		(dev & 0xff) | (dev >> 12 & 0xfff00), v->ino, r->start);
	if (r->end == FILE_LOCK_END)
		proc_printf(t, "EOF\n");
	else
		proc_printf(t, "%lu\n", r->end - 1);
}

static void show_locks(struct proc_text *t, struct process *p)
{
	struct lock_list list = {.text = t};

	(void)p;
	file_lock_for_each(NULL, show_lock, &list);
}

/* --- Kernel memory ---------------------------------------------------------------------------- */

/* Linux's format, version 2.1; nothing can be tuned. */
static void show_slabinfo(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "slabinfo - version: 2.1\n"
		       "# name            <active_objs> <num_objs> <objsize> <objperslab> "
		       "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
		       "<active_slabs> <num_slabs> <sharedavail>\n");
	for (struct kmem_cache *c = NULL; (c = kmem_cache_next(c)) != NULL;) {
		uint64_t slabs = __atomic_load_n(&c->slabs, __ATOMIC_RELAXED);

		proc_printf(t, "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u", c->name,
			kmem_cache_live(c), slabs * c->per_slab, c->size, c->per_slab, 1, 0, 0, 0);
		proc_printf(t, " : slabdata %6lu %6lu %6u\n", slabs, slabs, 0);
	}
}

/* --- The harts -------------------------------------------------------------------------------- */

/* Centiseconds, as the lines of stat have them. */
static uint64_t ticks(uint64_t ns)
{
	return ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC);
}

/* What is not idle counts as user time: per hart nobody tells the two apart. */
static void show_hart(struct proc_text *t, const char *name, uint64_t up, uint64_t idle)
{
	proc_printf(t, "%s %lu 0 0 %lu 0 0 0 0 0 0\n", name, ticks(up > idle ? up - idle : 0),
		ticks(idle));
}

static void show_harts(struct proc_text *t)
{
	uint64_t now = time_now_ns(), idle = 0;
	char name[8];

	for (unsigned i = 0; i < cpu_count; i++)
		idle += thread_run_ns(cpus[i].rq.idle);
	show_hart(t, "cpu ", now * cpu_count, idle);
	for (unsigned i = 0; i < cpu_count; i++) {
		ksnprintf(name, sizeof name, "cpu%u", i);
		show_hart(t, name, now, thread_run_ns(cpus[i].rq.idle));
	}
}

static void show_stat(struct proc_text *t, struct process *p)
{
	uint64_t interrupts = 0, switches = 0, now = time_now_ns();
	struct pid_counts pids;
	unsigned running = 0;

	(void)p;
	show_harts(t);
	for (unsigned i = 0; i < cpu_count; i++) {
		interrupts += __atomic_load_n(&cpus[i].interrupts, __ATOMIC_RELAXED);
		switches += __atomic_load_n(&cpus[i].switches, __ATOMIC_RELAXED);
		running += __atomic_load_n(&cpus[i].rq.queued, __ATOMIC_RELAXED) +
			   !__atomic_load_n(&cpus[i].rq.is_idle, __ATOMIC_RELAXED);
	}
	spin_lock(&tree_lock);
	pid_counts(&pids);
	spin_unlock(&tree_lock);
	proc_printf(t, "intr %lu\nctxt %lu\nbtime %lu\n", interrupts, switches,
		(time_realtime_ns() - now) / NS_PER_SEC);
	proc_printf(t, "processes %lu\nprocs_running %u\nprocs_blocked 0\n", pids.given, running);
}

static void show_cpuinfo(struct proc_text *t, struct process *p)
{
	(void)p;
	for (unsigned i = 0; i < cpu_count; i++)
		proc_printf(t, "processor\t: %u\nhart\t\t: %lu\nisa\t\t: %s\nmmu\t\t: sv39\n\n", i,
			cpus[i].arch.hart_id, machine_isa());
}

static void show_filesystems(struct proc_text *t, struct process *p)
{
	(void)p;
	for (struct fs_type *type = NULL; (type = fs_next(type)) != NULL;)
		proc_printf(t, "%s\t%s\n", type->on_device ? "" : "nodev", type->name);
}

/* --- Disks ------------------------------------------------------------------------------------ */

static void show_partitions(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "major minor  #blocks  name\n\n");
	for (struct blkdev *dev = NULL; (dev = blkdev_next(dev)) != NULL;)
		proc_printf(t, "%4u  %7u %10lu %s\n", ABI_MAJOR(dev->dev), ABI_MINOR(dev->dev),
			dev->n_sectors / 2, dev->name);
}

/* --- self ------------------------------------------------------------------------------------- */

static int link_self(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	char text[12];

	(void)p, (void)key;
	ksnprintf(text, sizeof text, "%d", process_current()->nr);
	return proc_link_text(to, bytes, text);
}

static int link_thread_self(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	char text[32];

	(void)p, (void)key;
	ksnprintf(text, sizeof text, "%d/task/%d", process_current()->nr, task_current()->pid->nr);
	return proc_link_text(to, bytes, text);
}

static int link_mounts(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	(void)p, (void)key;
	return proc_link_text(to, bytes, "self/mounts");
}

const struct proc_entry proc_system_entries[] = {
	{.name = "cmdline", .mode = FS_IFREG | 0444, .show = show_cmdline},
	{.name = "cpuinfo", .mode = FS_IFREG | 0444, .show = show_cpuinfo},
	{.name = "filesystems", .mode = FS_IFREG | 0444, .show = show_filesystems},
	{.name = "harts", .mode = FS_IFREG | 0444, .show = proc_show_harts},
	{.name = "loadavg", .mode = FS_IFREG | 0444, .show = proc_show_loadavg},
	{.name = "locks", .mode = FS_IFREG | 0444, .show = show_locks},
	{.name = "lockstat", .mode = FS_IFREG | 0444, .show = proc_show_lockstat},
	{.name = "meminfo", .mode = FS_IFREG | 0444, .show = show_meminfo},
	{.name = "mounts", .mode = FS_IFLNK | 0777, .link = link_mounts},
	{.name = "partitions", .mode = FS_IFREG | 0444, .show = show_partitions},
	{.name = "self", .mode = FS_IFLNK | 0777, .link = link_self},
	{.name = "slabinfo", .mode = FS_IFREG | 0400, .show = show_slabinfo},
	{.name = "stat", .mode = FS_IFREG | 0444, .show = show_stat},
#ifndef MAPACHE_CORE
	{.name = "strace", .mode = FS_IFREG | 0666, .ops = &proc_strace_ops},
#endif
	{.name = "swaps",
		.mode = FS_IFREG | 0444,
		.text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"},
	{.name = "sys", .mode = FS_IFDIR | 0555, .entries = proc_sys_entries},
	{.name = "thread-self", .mode = FS_IFLNK | 0777, .link = link_thread_self},
	{.name = "trace", .mode = FS_IFREG | 0600, .ops = &proc_trace_ops},
	{.name = "uptime", .mode = FS_IFREG | 0444, .show = show_uptime},
	{.name = "version",
		.mode = FS_IFREG | 0444,
		.text = "Linux version " KERNEL_RELEASE " (" KERNEL_VERSION ")"},
	{.name = "vmstat", .mode = FS_IFREG | 0444, .show = show_vmstat},
	{0},
};
