// SPDX-License-Identifier: MIT
/*
 * Making processes: allocation, clone, and the changes of exec.
 *
 * process_clone() builds the child completely before anybody can see it: first what clone shares
 * or copies, then its thread with the parent's registers, then, in one step under tree_lock, its
 * place in the tree and its group.  A signal that was sent to the parent's group meanwhile must
 * not miss the child: if the parent has one pending at that step, the call gives up and is made
 * again after the signal was taken.
 *
 * The order to read: process.h, process.c, exit.c, wait.c, group.c, exec.c, signal.c.
 */
#include <abi/errno.h>
#include <abi/sched.h>
#include <abi/wait.h>
#include <arch/trap.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/procfs.h>
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
	procfs_init();
	vmspace_init();
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
	signal_queue_flush(&p->signals, ~0UL);
	signal_actions_put(p->actions);
	user_put(p->user);
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

uint64_t process_limit(struct process *p, unsigned which)
{
	return __atomic_load_n(&p->limits[which].rlim_cur, __ATOMIC_RELAXED);
}

/* --- struct task --------------------------------------------------------------------- */

static void task_begin(void *arg)
{
	struct task *t = arg;
	pid_t tid = t->pid->nr;

	/* The ABI has no way to tell that this failed. */
	if (t->set_child_tid && put_user(uaddr(t->set_child_tid), &tid))
		t->set_child_tid = 0;
	arch_enter_user();
}

int task_new(struct process *p, void (*entry)(void *), struct task **out)
{
	struct task *t = kmem_cache_zalloc(&task_cache);
	struct arch_fpu *fpu = kzalloc(sizeof *fpu);
	struct pid *pid = pid_alloc();

	if (!t || !fpu || !pid || thread_create(p->name, entry, t, &t->thread))
		goto out_free;
	t->thread->arch.fpu = fpu; /* the thread's from here on */
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
	kfree(fpu);
	kmem_cache_free(&task_cache, t);
	return -ENOMEM;
}

/* The thread never ran, or is the running one on its way out; it is in no list. */
void task_free(struct task *t)
{
	struct thread *thread = t->thread;

	thread->task = NULL;
	signal_queue_flush(&t->signals, ~0UL);
	spin_lock(&tree_lock);
	if (t->pid->thread == t)
		t->pid->thread = NULL;
	pid_unref(t->pid);
	spin_unlock(&tree_lock);
	kmem_cache_free(&task_cache, t);
	thread_unref(thread);
}

/* --- Entering the tree ---------------------------------------------------------------------- */

void process_enter_tree(struct process *p, struct process *parent, struct task *first)
{
	spin_assert_held(&tree_lock);
	p->pid = first->pid;
	p->nr = p->pid->nr;
	pid_ref(p->pid);
	p->pid->process = p;
	p->pid->thread = first;
	p->parent = parent;
	p->parent_nr = parent ? parent->nr : 0;
	p->group = parent ? parent->group : p->pid;
	p->session = parent ? parent->session : p->pid;
	pid_ref(p->group);
	pid_ref(p->session);
	list_push_back(&p->group->group, &p->group_link);
	list_push_back(&p->session->session, &p->session_link);
	if (parent)
		list_push_back(&parent->children, &p->sibling);
	spin_lock(&p->lock);
	list_push_back(&p->threads, &first->link);
	p->n_threads = 1;
	spin_unlock(&p->lock);
}

/* --- clone ---------------------------------------------------------------------------------- */

/* What the child shares or copies.  After a failure process_unref() frees what is there. */
static int inherit(struct process *p, struct process *parent, uint64_t flags)
{
	__builtin_memcpy(p->name, parent->name, sizeof p->name);
	p->cred = parent->cred;
	p->traced = parent->traced;
	spin_lock(&parent->lock);
	__builtin_memcpy(p->limits, parent->limits, sizeof p->limits);
	p->user = user_ref(parent->user);
	spin_unlock(&parent->lock);

	if (flags & CLONE_SIGHAND)
		__atomic_fetch_add(&(p->actions = parent->actions)->refs, 1, __ATOMIC_RELAXED);
	else
		p->actions = signal_actions_new(parent->actions);
	if (flags & CLONE_FILES)
		__atomic_fetch_add(&(p->files = parent->files)->refs, 1, __ATOMIC_RELAXED);
	else
		p->files = files_new(parent->files);
	if (flags & CLONE_FS)
		__atomic_fetch_add(&(p->fs = parent->fs)->refs, 1, __ATOMIC_RELAXED);
	else
		p->fs = fs_state_copy(parent->fs);
	if (!p->actions || !p->files || !p->fs)
		return -ENOMEM;
	if (flags & CLONE_VM)
		p->vm = vmspace_get(parent->vm);
	return p->vm ? 0 : vmspace_fork(parent->vm, p, &p->vm);
}

/* The child's thread is a copy of the running one, but for what clone() sets. */
static void inherit_thread(struct task *t, const struct clone_request *req)
{
	struct task *self = task_current();
	struct trapframe *tf = arch_thread_frame(&t->thread->arch);

	*tf = *user_frame();
	trapframe_set_result(tf, 0);
	if (req->stack)
		trapframe_set_sp(tf, req->stack);
	if (req->flags & CLONE_SETTLS)
		trapframe_set_tls(tf, req->tls);
	arch_fpu_copy(&t->thread->arch, &self->thread->arch);
	t->mask = self->mask;
	if (!(req->flags & CLONE_VM) || req->flags & CLONE_VFORK)
		t->altstack = self->altstack; /* two cannot handle signals on one at a time */
	if (req->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = req->child_tid;
	if (req->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = req->child_tid;
	t->thread->pmap = vmspace_pmap(t->process->vm);
}

/* A parent that waits for its child's exec or exit; freed by whoever comes last. */
struct vfork {
	uint32_t refs; /* [a] */
	bool done;     /* [a] */
	struct waitq wait;
};

static struct vfork *vfork_new(void)
{
	struct vfork *v = kzalloc(sizeof *v);

	if (v) {
		v->refs = 2;
		waitq_init(&v->wait);
	}
	return v;
}

static void vfork_put(struct vfork *v)
{
	if (v && __atomic_fetch_sub(&v->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(v);
}

void vfork_done(struct task *t)
{
	struct vfork *v = t->vfork;

	if (!v)
		return;
	t->vfork = NULL;
	__atomic_store_n(&v->done, true, __ATOMIC_RELEASE);
	waitq_wake_all(&v->wait);
	vfork_put(v);
}

static int publish(struct process *p, struct task *t)
{
	bool again;

	spin_lock(&tree_lock);
	again = signal_pending() || thread_interrupted(SLEEP_KILLABLE);
	if (!again)
		process_enter_tree(p, process_current(), t);
	spin_unlock(&tree_lock);
	return again ? (int)syscall_restart(RESTART_ALWAYS) : 0;
}

static long start_child(struct task *t, const struct clone_request *req)
{
	pid_t pid = t->pid->nr;
	struct vfork *v = t->vfork;

	/* As on Linux, the child is there whether or not its pid could be stored. */
	if ((req->flags & CLONE_PARENT_SETTID) && put_user(uaddr(req->parent_tid), &pid))
		pid = t->pid->nr;
	thread_start(t->thread);
	if (v) {
		(void)wait_event_killable(&v->wait, __atomic_load_n(&v->done, __ATOMIC_ACQUIRE));
		vfork_put(v);
	}
	return pid;
}

long process_clone(const struct clone_request *req)
{
	struct process *p = vmspace_may_fork() ? process_alloc() : NULL;
	struct task *t = NULL;
	int err;

	if (!p)
		return -ENOMEM;
	p->exit_signal = (uint8_t)req->exit_signal;
	err = inherit(p, process_current(), req->flags);
	if (!err)
		err = task_new(p, task_begin, &t);
	if (err)
		goto out_process;
	inherit_thread(t, req);
	if ((req->flags & CLONE_VFORK) && !(t->vfork = vfork_new())) {
		err = -ENOMEM;
		goto out_thread;
	}
	process_ref(p); /* the thread's; the first is the tree's */
	err = publish(p, t);
	if (!err) {
		if (!(req->flags & CLONE_VM))
			trace_space(p, p->vm);
		return start_child(t, req);
	}
	process_unref(p);
	kfree(t->vfork);
out_thread:
	task_free(t);
out_process:
	process_unref(p);
	return err;
}

/* --- exec ----------------------------------------------------------------------------------- */

static void unshare_files(struct process *p)
{
	struct files *old = p->files;

	if (__atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1)
		return;
	struct files *own = files_new(old);
	if (!own) {
		/* Past the point where exec may fail: end as if by lack of memory. */
		process_kill(p, SIGKILL);
		return;
	}
	spin_lock(&p->lock);
	p->files = own;
	spin_unlock(&p->lock);
	files_put(old);
}

static void unshare_actions(struct process *p)
{
	struct signal_actions *old = p->actions;

	if (__atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1)
		return;
	struct signal_actions *own = signal_actions_new(old);
	if (!own) {
		process_kill(p, SIGKILL);
		return;
	}
	spin_lock(&p->lock);
	p->actions = own;
	spin_unlock(&p->lock);
	signal_actions_put(old);
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

void process_execed(struct process *p, struct vmspace *vm, const char *name)
{
	struct task *t = task_current();
	struct vmspace *old;

	spin_lock(&p->lock);
	old = p->vm;
	vmspace_count_faults(old, p, &p->dead_threads);
	p->vm = vm;
	vmspace_set_limits(vm, p); /* they may have changed since it was made */
	spin_unlock(&p->lock);
	thread_set_pmap(vmspace_pmap(vm));
	t->clear_child_tid = 0;
	t->robust_list = 0;
	t->altstack = (stack_t){0};
	vmspace_disown(old, p);
	vmspace_put(old);
	vfork_done(t);

	unshare_files(p);
	files_close_on_exec(p->files);
	unshare_actions(p);
	signal_actions_exec(p->actions);
	arch_fpu_reset(&t->thread->arch);
	set_name(p, name);
	spin_lock(&tree_lock);
	p->has_execed = true;
	spin_unlock(&tree_lock);
}
