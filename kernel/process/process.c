// SPDX-License-Identifier: MIT
/*
 * Processes and their threads as structures: making them, their place in the tree, and what exec
 * changes.
 *
 * The order to read: process.h, process.c, clone.c, exit.c, wait.c, group.c, exec.c, signal.c.
 */
#include <abi/errno.h>
#include <arch/trap.h>
#include <kernel/files.h>
#include <kernel/futex.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/procfs.h>
#include <kernel/pipe.h>
#include <kernel/printk.h>
#include <kernel/pty.h>
#include <kernel/strace.h>
#include <kernel/tty.h>
#include <kernel/trace.h>
#include <kernel/uaccess.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>

struct process *init_process;

static struct kmem_cache process_cache, task_cache;

void process_init(void)
{
	kmem_cache_init(&process_cache, "process", sizeof(struct process));
	kmem_cache_init(&task_cache, "task", sizeof(struct task));
	work_init();
	tty_init();
#ifndef MAPACHE_CORE
	pty_init();
	fifos_init();
	kmsg_init();
#endif
	procfs_init();
	vmspace_init();
	futex_init();
}

/* --- struct process ------------------------------------------------------------------------- */

struct process *process_alloc(void)
{
	struct process *p = kmem_cache_zalloc(&process_cache);

	if (!p)
		return NULL;
	p->refs = 1;
	spin_init(&p->lock, "process", RANK_PROCESS);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->group_link);
	list_init(&p->session_link);
	list_init(&p->threads);
	waitq_init(&p->child_wait);
	waitq_init(&p->stop_wait);
	waitq_init(&p->alone_wait);
	signal_queue_init(&p->signals);
	alarm_init(p);
	p->start_ns = time_now_ns();
	return p;
}

void process_ref(struct process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}

/* What belongs to a living process is gone already, or was never given to it. */
void process_unref(struct process *p)
{
	if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	strace_leave(p, -1);
	if (p->n_counted)
		process_uncount_thread(p); /* it never entered the tree */
	signal_queue_flush(&p->signals, ~0UL);
	signal_actions_put(p->actions);
	user_put(p->user);
	process_free_groups(p);
	vmspace_put(p->vm);
	files_put(p->files);
	fs_state_put(p->fs);
	kmem_cache_free(&process_cache, p);
}

struct vmspace *process_vm_get(struct process *p)
{
	spin_assert_held(&p->lock);
	return p->vm ? vmspace_get(p->vm) : NULL;
}

void process_limit_vm(struct process *p, struct vmspace *vm)
{
	spin_lock(&p->lock);
	vmspace_set_limits(vm, p);
	spin_unlock(&p->lock);
}

/* RLIMIT_NPROC is the caller's, and does not hold for the privileged. */
static uint64_t most_threads(void)
{
	struct process *self = process_current();

	if (self->cred.uid == 0 || process_is_privileged(self))
		return RLIM_INFINITY;
	return process_limit(self, RLIMIT_NPROC);
}

int process_count_thread(struct process *p)
{
	uint64_t most = most_threads();
	int err;

	spin_lock(&p->lock);
	err = user_add_thread(p->user, most, p->n_counted == 0);
	p->n_counted += !err;
	spin_unlock(&p->lock);
	return err;
}

void process_uncount_thread(struct process *p)
{
	p->n_counted--;
	user_drop_thread(p->user, p->n_counted == 0);
}

/* --- struct task --------------------------------------------------------------------- */

int task_new(struct process *p, void (*entry)(void *), struct task **out)
{
	struct task *t = kmem_cache_zalloc(&task_cache);
	struct pid *pid = pid_alloc();

	if (!t || !pid || thread_create(p->name, entry, t, &t->thread))
		goto out_free;
	t->thread->arch.fpu = &t->thread->fpu;
	t->thread->task = t;
	t->process = p;
	t->pid = pid;
	list_init(&t->link);
	signal_queue_init(&t->signals);
	*out = t;
	return 0;

out_free:
	if (pid) {
		spin_lock(&tree_lock);
		pid_unref(pid);
		spin_unlock(&tree_lock);
	}
	kmem_cache_free(&task_cache, t);
	return -ENOMEM;
}

/* The thread never ran, or is the running one on its way out; it is in no list. */
void task_free(struct task *t)
{
	struct thread *thread = t->thread;

	thread->task = NULL;
	spin_lock(&tree_lock);
	if (t->pid->thread == t)
		t->pid->thread = NULL;
	pid_unref(t->pid);
	spin_unlock(&tree_lock);
	signal_queue_flush(&t->signals, ~0UL); /* nobody finds it by its tid any more */
	kmem_cache_free(&task_cache, t);
	thread_unref(thread);
}

/* --- Entering the tree ---------------------------------------------------------------------- */

void process_add_thread(struct process *p, struct task *t)
{
	spin_assert_held(&tree_lock);
	spin_assert_held(&p->lock);
	t->pid->thread = t;
	if (p->strace)
		t->thread->arch.work |= ARCH_WORK_TRACE; /* it has not run yet */
	list_push_back(&p->threads, &t->link);
	p->n_threads++;
}

void process_enter_tree(struct process *p, struct process *parent, struct task *first)
{
	spin_assert_held(&tree_lock);
	p->pid = first->pid;
	p->nr = p->pid->nr;
	pid_ref(p->pid);
	p->pid->process = p;
	p->parent = parent;
	p->parent_nr = parent ? parent->nr : 0;
	p->parent_execs = parent ? parent->execs : 0;
	p->group = parent ? parent->group : p->pid;
	p->session = parent ? parent->session : p->pid;
	pid_ref(p->group);
	pid_ref(p->session);
	list_push_back(&p->group->group, &p->group_link);
	list_push_back(&p->session->session, &p->session_link);
	if (parent)
		list_push_back(&parent->children, &p->sibling);
	spin_lock(&p->lock);
	process_add_thread(p, first);
	spin_unlock(&p->lock);
}

/* --- exec ----------------------------------------------------------------------------------- */

void process_parts_put(struct process_parts *parts)
{
	vmspace_put(parts->vm);
	files_put(parts->files);
	signal_actions_put(parts->actions);
	*parts = (struct process_parts){NULL, NULL, NULL};
}

/* With the process's lock held: what it had is in *parts then. */
static void exchange_parts(struct process *p, struct process_parts *parts)
{
	struct process_parts old = {p->vm, NULL, NULL};

	p->vm = parts->vm;
	if (parts->files) {
		old.files = p->files;
		p->files = parts->files;
	}
	if (parts->actions) {
		old.actions = p->actions;
		p->actions = parts->actions;
	}
	*parts = old;
}

static void set_name(struct process *p, const char *path)
{
	const char *name = path;
	size_t n;

	for (const char *s = path; *s; s++)
		if (*s == '/' && s[1])
			name = s + 1;
	for (n = 0; n < sizeof p->name - 1 && name[n]; n++)
		p->name[n] = name[n];
	p->name[n] = 0;
	__builtin_memcpy(thread_current()->name, p->name, sizeof p->name);
}

void process_execed(struct process *p, struct process_parts *parts, const char *name)
{
	struct task *t = task_current();

	task_leave_memory(t);
	spin_lock(&p->lock);
	vmspace_count_faults(p->vm, p, &p->dead_threads);
	exchange_parts(p, parts);
	vmspace_set_limits(p->vm, p); /* they may have changed since it was made */
	signal_actions_exec(p->actions);
	spin_unlock(&p->lock);
	thread_set_pmap(vmspace_pmap(p->vm));
	t->altstack = (stack_t){0};
	vmspace_disown(parts->vm, p);
	process_parts_put(parts);

	files_close_on_exec(p->files);
	arch_fpu_reset(&t->thread->arch);
	set_name(p, name);
}
