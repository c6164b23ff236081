// SPDX-License-Identifier: MIT
/*
 * /proc/PID: what processes say of themselves, in Linux's formats.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/limits.h>
#include <abi/stat.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/tty.h>
#include <kernel/vmspace.h>

/* --- stat, status
 * ---------------------------------------------------------------------------------- */

/* What both show, taken in one step. */
struct snapshot {
	pid_t pid, parent, group, session, foreground;
	int exit_status;
	unsigned threads;
	char state;
	struct cpu_times times, children;
	struct mvm_space_stats memory;
	struct mvm_residency resident;
};

static char state_of(struct process *p)
{
	if (p->state != PROCESS_ALIVE)
		return 'Z';
	if (p->stopped)
		return 'T';
	list_for_each (node, &p->threads)
		if (list_entry(node, struct task, link)->thread->state == THREAD_RUNNABLE)
			return 'R';
	return 'S';
}

static void take_snapshot(struct process *p, struct snapshot *s)
{
	*s = (struct snapshot){.foreground = -1};
	spin_lock(&tree_lock);
	if (p->state != PROCESS_REAPED) {
		s->pid = p->nr;
		s->group = p->group->nr;
		s->session = p->session->nr;
	}
	s->parent = p->parent_nr;
	s->exit_status = p->exit_status;
	s->children = p->dead_children;
	spin_lock(&p->lock);
	s->threads = p->n_threads;
	s->state = state_of(p);
	spin_unlock(&p->lock);
	spin_unlock(&tree_lock);
	process_times(p, &s->times);
	struct vmspace *vm = proc_memory_of(p);
	if (vm) {
		mvm_space_stats(vm->space, &s->memory);
		mvm_residency(vm->space, USER_BASE, USER_END, &s->resident);
	}
	vmspace_put(vm);
}

static uint64_t ticks(uint64_t ns)
{
	return ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC);
}

/* Fields that nothing here knows are 0, as proc(5) has it. */
static void show_stat(struct proc_text *t, struct process *p)
{
	struct snapshot s;

	take_snapshot(p, &s);
	proc_printf(t, "%d (%s) %c %d %d %d 0 %d 0 %lu 0 %lu 0 ", s.pid, p->name, s.state, s.parent,
		s.group, s.session, s.foreground, s.times.minor_faults, s.times.major_faults);
	proc_printf(t, "%lu %lu %lu %lu 20 0 %u 0 %lu ", ticks(s.times.user_ns),
		ticks(s.times.system_ns), ticks(s.children.user_ns),
		ticks(s.children.system_ns), s.threads, ticks(p->start_ns));
	proc_printf(t, "%lu %lu %lu 0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0 0 0 0 0 0 0 %d\n",
		s.memory.mapped_pages * PAGE_SIZE, s.resident.resident,
		process_limit(p, RLIMIT_RSS), p->exit_signal, s.exit_status);
}

static const char *state_name(char state)
{
	return state == 'R'   ? "running"
	       : state == 'S' ? "sleeping"
	       : state == 'T' ? "stopped"
			      : "zombie";
}

static uint64_t kib(uint64_t pages)
{
	return pages * (PAGE_SIZE / 1024);
}

static void show_memory(struct proc_text *t, const struct snapshot *s)
{
	const struct mvm_space_stats *m = &s->memory;

	proc_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\n",
		kib(m->peak_mapped_pages), kib(m->mapped_pages), kib(m->locked_pages));
	proc_printf(t, "VmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n",
		kib(s->resident.resident), kib(s->resident.anon),
		kib(s->resident.resident - s->resident.anon));
	proc_printf(
		t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\n", kib(m->data_pages), kib(m->stack_pages));
}

static void show_status(struct proc_text *t, struct process *p)
{
	const struct credentials *c = &p->cred;
	struct snapshot s;

	take_snapshot(p, &s);
	proc_printf(t, "Name:\t%s\nState:\t%c (%s)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", p->name,
		s.state, state_name(s.state), s.pid, s.pid, s.parent);
	proc_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	if (s.memory.mapped_pages)
		show_memory(t, &s);
	proc_printf(t, "Threads:\t%u\n", s.threads);
}

/* --- The others ----------------------------------------------------------------------------------
 */

static void show_comm(struct proc_text *t, struct process *p)
{
	proc_printf(t, "%s\n", p->name);
}

#define CMDLINE_CHUNK 128

/* The strings as the program has them now, their NULs included. */
static void show_cmdline(struct proc_text *t, struct process *p)
{
	struct vmspace *vm = proc_memory_of(p);
	char chunk[CMDLINE_CHUNK];

	for (vaddr_t at = vm ? vm->args_start : 0; vm && at < vm->args_end;) {
		size_t n = vm->args_end - at < sizeof chunk ? vm->args_end - at : sizeof chunk;
		if (mvm_space_read(vm->space, at, chunk, n))
			break;
		for (size_t i = 0; i < n; i++)
			proc_printf(t, "%c", chunk[i]);
		at += n;
	}
	vmspace_put(vm);
}

static int copy_path(struct dentry *d, char *to, size_t bytes)
{
	char *buffer = kmalloc(PATH_MAX), *path;
	struct dentry *root = process_root(process_current());
	int n = buffer ? dentry_path(d, root, buffer, PATH_MAX, &path) : -ENOMEM;

	dentry_unref(root);
	if (!n) {
		size_t length = __builtin_strlen(path);
		n = (int)(length < bytes ? length : bytes);
		__builtin_memcpy(to, path, (size_t)n);
	}
	kfree(buffer);
	return n;
}

static int link_exe(struct process *p, char *to, size_t bytes)
{
	struct vmspace *vm = proc_memory_of(p);
	int n = vm && vm->exe ? copy_path(vm->exe->dentry, to, bytes) : -ENOENT;

	vmspace_put(vm);
	return n;
}

static int link_cwd(struct process *p, char *to, size_t bytes)
{
	struct dentry *cwd = NULL;

	spin_lock(&p->lock);
	if (p->fs) {
		spin_lock(&p->fs->lock);
		cwd = dentry_ref(p->fs->cwd);
		spin_unlock(&p->fs->lock);
	}
	spin_unlock(&p->lock);
	int n = cwd ? copy_path(cwd, to, bytes) : -ENOENT;
	dentry_unref(cwd);
	return n;
}

const struct proc_entry proc_process_entries[] = {
	{.name = "maps", .mode = FS_IFREG | 0444, .show = proc_show_maps},
	{.name = "smaps", .mode = FS_IFREG | 0444, .show = proc_show_smaps},
	{.name = "smaps_rollup", .mode = FS_IFREG | 0444, .show = proc_show_smaps_rollup},
	{.name = "statm", .mode = FS_IFREG | 0444, .show = proc_show_statm},
	{.name = "stat", .mode = FS_IFREG | 0444, .show = show_stat},
	{.name = "status", .mode = FS_IFREG | 0444, .show = show_status},
	{.name = "mounts", .mode = FS_IFREG | 0444, .show = proc_show_mounts},
	{.name = "mountinfo", .mode = FS_IFREG | 0444, .show = proc_show_mountinfo},
	{.name = "comm", .mode = FS_IFREG | 0444, .show = show_comm},
	{.name = "cmdline", .mode = FS_IFREG | 0444, .show = show_cmdline},
	{.name = "exe", .mode = FS_IFLNK | 0777, .link = link_exe},
	{.name = "cwd", .mode = FS_IFLNK | 0777, .link = link_cwd},
	{0},
};
