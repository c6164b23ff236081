// SPDX-License-Identifier: MIT
/*
 * /proc/PID and /proc/PID/task/TID: what processes and threads say of themselves, in Linux's
 * formats.
 *
 * Both directories show the same files.  In a process's, stat and status are about all its threads
 * together, with the mask and the state of the first: a zombie, if it ended before the others.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/limits.h>
#include <abi/stat.h>
#include <kernel/cpu.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/tty.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>

/* --- stat, status ----------------------------------------------------------------------------- */

/* What both show, taken in one step. */
struct snapshot {
	pid_t pid, parent, group, session, foreground;
	uint64_t tty;
	int exit_status, nice;
	unsigned threads, hart, policy;
	char state, name[16];
	uint64_t pending, pending_all, blocked, ignored, caught;
	uint64_t harts;
	struct cpu_times times, children;
	struct mvm_space_stats memory;
	struct mvm_residency resident;
	vaddr_t code_start, code_end, data_start, data_end;
	vaddr_t stack_start, brk_start, args_start, args_end, env_end;
};

/* --- Taking it: p->lock held */

static char state_of(struct process *p, struct task *t)
{
	if (p->state != PROCESS_ALIVE || !t)
		return 'Z';
	if (p->stopped)
		return 'T';
	if (__atomic_load_n(&t->thread->state, __ATOMIC_RELAXED) == THREAD_RUNNABLE)
		return 'R';
	return __atomic_load_n(&t->thread->sleep, __ATOMIC_RELAXED) == SLEEP_INTERRUPTIBLE ? 'S'
											   : 'D';
}

/* The thread that a file is about, the first of a process's own; NULL: it has ended. */
static struct task *task_of(struct process *p, const struct proc_key *key)
{
	pid_t tid = key->tid ? key->tid : p->nr;

	list_for_each (node, &p->threads)
		if (list_entry(node, struct task, link)->pid->nr == tid)
			return list_entry(node, struct task, link);
	return NULL;
}

static void snapshot_signals(struct process *p, struct task *t, struct snapshot *s)
{
	s->pending_all = p->signals.set;
	s->pending = t ? t->signals.set : 0;
	s->blocked = t ? t->mask : 0;
	if (!p->actions)
		return;
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction a = signal_action(p->actions, sig);
		if (a.sa_handler == SIG_IGN)
			s->ignored |= SIGNAL_BIT(sig);
		else if (a.sa_handler != SIG_DFL)
			s->caught |= SIGNAL_BIT(sig);
	}
}

static void snapshot_threads(struct process *p, const struct proc_key *key, struct snapshot *s)
{
	struct task *t = task_of(p, key);

	__builtin_memcpy(s->name, t && key->tid ? t->thread->name : p->name, sizeof s->name);
	s->threads = p->n_threads;
	s->state = state_of(p, t);
	snapshot_signals(p, t, s);
	if (t) {
		s->nice = t->thread->nice;
		s->policy = t->thread->policy;
		s->hart = t->thread->cpu->arch.index;
		s->harts = t->thread->affinity & cpu_online_mask;
	}
}

/* tree_lock held: it keeps the thread, if that is still there. */
static void snapshot_thread_times(struct process *p, pid_t tid, struct snapshot *s)
{
	struct pid *pid = pid_find(tid);

	if (pid && pid->thread && pid->thread->process == p)
		task_times(pid->thread, &s->times);
}

/* --- No lock held */

static void snapshot_memory(struct process *p, struct snapshot *s)
{
	struct vmspace *vm = proc_memory_of(p);

	if (!vm)
		return;
	mvm_space_stats(vm->space, &s->memory);
	mvm_residency(vm->space, USER_BASE, USER_END, &s->resident);
	s->code_start = vm->code_start;
	s->code_end = vm->code_end;
	s->data_start = vm->data_start;
	s->data_end = vm->data_end;
	s->stack_start = vm->stack_start;
	s->brk_start = vm->brk_start;
	s->args_start = vm->args_start;
	s->args_end = vm->args_end;
	s->env_end = vm->env_end;
	vmspace_put(vm);
}

static void take_snapshot(struct process *p, const struct proc_key *key, struct snapshot *s)
{
	*s = (struct snapshot){.foreground = -1};
	spin_lock(&tree_lock);
	if (p->state != PROCESS_REAPED) {
		s->pid = key->tid ? key->tid : p->nr;
		s->group = p->group->nr;
		s->session = p->session->nr;
		s->tty = tty_of_process(p, &s->foreground);
	}
	s->parent = p->parent_nr;
	s->exit_status = p->exit_status;
	s->children = p->dead_children;
	spin_lock(&p->lock);
	snapshot_threads(p, key, s);
	spin_unlock(&p->lock);
	if (key->tid)
		snapshot_thread_times(p, key->tid, s);
	spin_unlock(&tree_lock);
	if (!key->tid)
		process_times(p, &s->times);
	snapshot_memory(p, s);
}

static uint64_t ticks(uint64_t ns)
{
	return ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC);
}

/* Those below 32: how many there were when the format was made. */
static uint64_t classic(uint64_t set)
{
	return set & 0x7fffffff;
}

/* Addresses that others may not see are 0, or 1, as Linux has them. */
static void hide_places(struct snapshot *s)
{
	s->code_start = s->code_end = s->code_end ? 1 : 0;
	s->data_start = s->data_end = s->stack_start = s->brk_start = 0;
	s->args_start = s->args_end = s->env_end = 0;
}

/* Fields that nothing here knows are 0, as proc(5) has it. */
static void show_stat(struct proc_text *t, struct process *p)
{
	bool looks = proc_may_look(p);
	struct snapshot s;

	take_snapshot(p, &t->key, &s);
	if (!looks)
		hide_places(&s);
	proc_printf(t, "%d (%s) %c %d %d %d %lu %d 0 ", s.pid, s.name, s.state, s.parent, s.group,
		s.session, s.tty, s.foreground);
	proc_printf(t, "%lu %lu %lu %lu ", s.times.minor_faults, s.children.minor_faults,
		s.times.major_faults, s.children.major_faults);
	proc_printf(t, "%lu %lu %lu %lu %d %d %u 0 %lu ", ticks(s.times.user_ns),
		ticks(s.times.system_ns), ticks(s.children.user_ns), ticks(s.children.system_ns),
		20 + s.nice, s.nice, s.threads, ticks(p->start_ns));
	proc_printf(t, "%lu %lu %lu ", s.memory.mapped_pages * PAGE_SIZE, s.resident.resident,
		process_limit(p, RLIMIT_RSS));
	proc_printf(t, "%lu %lu %lu 0 0 ", s.code_start, s.code_end, s.stack_start);
	proc_printf(t, "%lu %lu %lu %lu 0 0 0 %d %u 0 %u 0 0 0 ",
		classic(s.pending | s.pending_all), classic(s.blocked), classic(s.ignored),
		classic(s.caught), p->exit_signal, s.hart, s.policy);
	proc_printf(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", s.data_start, s.data_end, s.brk_start,
		s.args_start, s.args_end, s.args_end, s.env_end, looks ? s.exit_status : 0);
}

static const char *state_name(char state)
{
	return state == 'R'   ? "running"
	       : state == 'S' ? "sleeping"
	       : state == 'D' ? "disk sleep"
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

	proc_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\n",
		kib(m->peak_mapped_pages), kib(m->mapped_pages), kib(m->locked_pages), 0UL);
	proc_printf(t, "VmRSS:\t%8lu kB\nRssAnon:\t%8lu kB\nRssFile:\t%8lu kB\n",
		kib(s->resident.resident), kib(s->resident.anon),
		kib(s->resident.resident - s->resident.anon));
	proc_printf(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n", kib(m->data_pages),
		kib(m->stack_pages),
		(page_align_up(s->code_end) - page_align_down(s->code_start)) / 1024);
	proc_printf(t,
		"VmSwap:\t%8lu kB\nHugetlbPages:\t%8lu kB\nCoreDumping:\t0\nTHP_enabled:\t0\n", 0UL,
		0UL);
}

static void show_groups(struct proc_text *t, struct process *p)
{
	const struct group_list *list = __atomic_load_n(&p->groups, __ATOMIC_ACQUIRE);

	proc_printf(t, "Groups:\t");
	for (unsigned i = 0; list && i < list->n; i++)
		proc_printf(t, "%s%u", i ? " " : "", list->ids[i]);
	proc_printf(t, " \n");
}

static void show_ids(struct proc_text *t, struct process *p, const struct snapshot *s)
{
	const struct credentials *c = &p->cred;
	unsigned slots = 0, umask = 0;

	spin_lock(&p->lock);
	if (p->files)
		slots = p->files->capacity;
	if (p->fs)
		umask = __atomic_load_n(&p->fs->umask, __ATOMIC_RELAXED);
	spin_unlock(&p->lock);
	proc_printf(t, "Name:\t%s\nUmask:\t0%03o\nState:\t%c (%s)\n", s->name, umask, s->state,
		state_name(s->state));
	proc_printf(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", p->nr, s->pid,
		s->parent);
	proc_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	proc_printf(t, "FDSize:\t%u\n", slots);
	show_groups(t, p);
	proc_printf(t, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->nr, s->pid,
		s->group, s->session);
}

static unsigned queued_signals(struct process *p)
{
	spin_lock(&p->lock);
	unsigned n = p->user ? __atomic_load_n(&p->user->n_signals, __ATOMIC_RELAXED) : 0;
	spin_unlock(&p->lock);
	return n;
}

static void show_signals(struct proc_text *t, struct process *p, const struct snapshot *s)
{
	proc_printf(t, "SigQ:\t%u/%lu\n", queued_signals(p), process_limit(p, RLIMIT_SIGPENDING));
	proc_printf(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s->pending,
		s->pending_all, s->blocked);
	proc_printf(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", s->ignored, s->caught);
}

#define ALL_CAPABILITIES 0x1ffffffffffUL /* Linux 6.1's */

/* uid 0 is all the privilege that there is. */
static void show_rights(struct proc_text *t, struct process *p)
{
	uint64_t all = p->cred.euid == 0 ? ALL_CAPABILITIES : 0;

	proc_printf(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n", 0UL, all, all);
	proc_printf(t, "CapBnd:\t%016lx\nCapAmb:\t%016lx\nNoNewPrivs:\t%d\nSeccomp:\t0\n",
		ALL_CAPABILITIES, 0UL, p->no_new_privs);
	proc_printf(t, "Seccomp_filters:\t0\nSpeculation_Store_Bypass:\tunknown\n"
		       "SpeculationIndirectBranch:\tunsupported\n");
}

/* A set of harts as "0-2,5". */
static void show_list(struct proc_text *t, uint64_t harts)
{
	const char *comma = "";

	for (unsigned first = 0; first < 64; first++) {
		unsigned last = first;
		if (!(harts >> first & 1))
			continue;
		while (last < 63 && harts >> (last + 1) & 1)
			last++;
		proc_printf(t, last > first ? "%s%u-%u" : "%s%u", comma, first, last);
		comma = ",";
		first = last;
	}
}

static void show_status(struct proc_text *t, struct process *p)
{
	struct snapshot s;

	take_snapshot(p, &t->key, &s);
	show_ids(t, p, &s);
	if (s.memory.mapped_pages)
		show_memory(t, &s);
	proc_printf(t, "Threads:\t%u\n", s.threads);
	show_signals(t, p, &s);
	show_rights(t, p);
	proc_printf(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", s.harts);
	show_list(t, s.harts);
	proc_printf(t, "\nMems_allowed:\t1\nMems_allowed_list:\t0");
	proc_printf(t, "\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		s.times.switches[0], s.times.switches[1]);
}

/* --- The others ------------------------------------------------------------------------------- */

#define NAME_LETTERS 15 /* of a thread's name, as Linux has it */

static void show_comm(struct proc_text *t, struct process *p)
{
	char name[sizeof p->name];

	spin_lock(&p->lock);
	struct task *task = task_of(p, &t->key);
	__builtin_memcpy(name, task && t->key.tid ? task->thread->name : p->name, sizeof name);
	spin_unlock(&p->lock);
	proc_printf(t, "%s\n", name);
}

#define CHUNK_BYTES 128

/* Memory of the process as it is now, NULs included. */
static void show_strings(struct proc_text *t, struct vmspace *vm, vaddr_t at, vaddr_t end)
{
	char chunk[CHUNK_BYTES];

	while (at < end) {
		size_t n = end - at < sizeof chunk ? end - at : sizeof chunk;
		if (mvm_space_read(vm->space, at, chunk, n))
			break;
		for (size_t i = 0; i < n; i++)
			proc_printf(t, "%c", chunk[i]);
		at += n;
	}
}

static void show_cmdline(struct proc_text *t, struct process *p)
{
	struct vmspace *vm = proc_memory_of(p);

	if (vm)
		show_strings(t, vm, vm->args_start, vm->args_end);
	vmspace_put(vm);
}

static void show_environ(struct proc_text *t, struct process *p)
{
	struct vmspace *vm = proc_memory_to_see(p);

	if (vm)
		show_strings(t, vm, vm->args_end, vm->env_end);
	vmspace_put(vm);
}

/* A thread has a name of its own; that of the first is its process's, too. */
static int store_comm(struct process *p, const struct proc_key *key, const char *name)
{
	struct task *t;

	if (p != process_current())
		return -EINVAL;
	spin_lock(&p->lock);
	t = task_of(p, key);
	if (t)
		__builtin_strcpy(t->thread->name, name);
	if (t && t->pid == p->pid)
		__builtin_strcpy(p->name, name);
	spin_unlock(&p->lock);
	return t ? 0 : -ESRCH;
}

/* Where it sleeps is not told. */
static void show_wchan(struct proc_text *t, struct process *p)
{
	(void)p;
	proc_printf(t, "0");
}

/* clang-format off */
#define OF_BOTH \
	{.name = "cmdline", .mode = FS_IFREG | 0444, .show = show_cmdline}, \
	{.name = "comm", .mode = FS_IFREG | 0644, .show = show_comm, .store = store_comm, .counts = NAME_LETTERS}, \
	{.name = "cwd", .mode = FS_IFLNK | 0777, .guarded = true, .link = proc_link_cwd, .follow = proc_follow_cwd}, \
	{.name = "environ", .mode = FS_IFREG | 0400, .guarded = true, .show = show_environ}, \
	{.name = "exe", .mode = FS_IFLNK | 0777, .guarded = true, .link = proc_link_exe, .follow = proc_follow_exe}, \
	{.name = "fd", .mode = FS_IFDIR | 0500, .numbers = &proc_files}, \
	{.name = "fdinfo", .mode = FS_IFDIR | 0555, .guarded = true, .numbers = &proc_file_infos}, \
	{.name = "limits", .mode = FS_IFREG | 0444, .show = proc_show_limits}, \
	{.name = "maps", .mode = FS_IFREG | 0444, .guarded = true, .show = proc_show_maps}, \
	{.name = "mountinfo", .mode = FS_IFREG | 0444, .show = proc_show_mountinfo}, \
	{.name = "mounts", .mode = FS_IFREG | 0444, .show = proc_show_mounts}, \
	{.name = "oom_score", .mode = FS_IFREG | 0444, .show = proc_show_oom_score}, \
	{.name = "oom_score_adj", .mode = FS_IFREG | 0644, .show = proc_show_oom_score_adj, .store = proc_store_oom_score_adj}, \
	{.name = "root", .mode = FS_IFLNK | 0777, .guarded = true, .link = proc_link_root, .follow = proc_follow_root}, \
	{.name = "smaps", .mode = FS_IFREG | 0444, .guarded = true, .show = proc_show_smaps}, \
	{.name = "smaps_rollup", .mode = FS_IFREG | 0444, .guarded = true, .show = proc_show_smaps_rollup}, \
	{.name = "stat", .mode = FS_IFREG | 0444, .show = show_stat}, \
	{.name = "statm", .mode = FS_IFREG | 0444, .show = proc_show_statm}, \
	{.name = "status", .mode = FS_IFREG | 0444, .show = show_status}, \
	{.name = "wchan", .mode = FS_IFREG | 0444, .show = show_wchan}

const struct proc_entry proc_thread_entries[] = {OF_BOTH, {0}};

const struct proc_entry proc_process_entries[] = {
	OF_BOTH,
	{.name = "task", .mode = FS_IFDIR | 0555, .numbers = &proc_threads},
	{0},
};
/* clang-format on */
