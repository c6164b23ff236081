// SPDX-License-Identifier: MIT
/*
 * clone: a child process, or one more thread of the running one.
 *
 * Either is built completely before anybody can see it: first what a process shares with its parent
 * or copies, then a thread with the caller's registers, then, in one step under tree_lock, its
 * place: in the tree and its group, or among the threads of its process.
 *
 * At that step the call gives up, and is made again, if the caller has a signal to take: one that
 * was sent to the parent's group meanwhile must not miss the child. It gives up too when the
 * caller must exit: who ends all threads of a process has told those that are in its list, under
 * the lock under which the new one would enter it.
 *
 * What belongs to a process here, descriptors and working directory included, is shared by all its
 * threads: CLONE_THREAD goes with FS and FILES.
 */
#include <abi/errno.h>
#include <abi/sched.h>
#include <arch/trap.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/strace.h>
#include <kernel/trace.h>
#include <kernel/uaccess.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>

/* --- What the child gets --------------------------------------------------------------------- */

static void task_begin(void *arg)
{
	struct task *t = arg;
	pid_t tid = t->pid->nr;

	/* The ABI has no way to tell that this failed. */
	if (t->set_child_tid && put_user(uaddr(t->set_child_tid), &tid))
		t->set_child_tid = 0;
	arch_enter_user();
}

/* Who it is, and what it may. */
static void inherit_identity(struct process *p, struct process *parent)
{
	__builtin_memcpy(p->name, thread_current()->name, sizeof p->name);
	p->traced = parent->traced;
	strace_inherit(p, parent);
	p->no_tty = parent->no_tty;
	p->no_new_privs = parent->no_new_privs;
	p->dumpable = parent->dumpable;
	p->personality = parent->personality;
	p->oom_score_adj = parent->oom_score_adj;
	p->oom_score_adj_min = parent->oom_score_adj_min;
	spin_lock(&parent->lock);
	__builtin_memcpy(p->limits, parent->limits, sizeof p->limits);
	p->cred = parent->cred;
	p->user = user_ref(parent->user);
	spin_unlock(&parent->lock);
}

/* What the child shares or copies.  After a failure process_unref() frees what is there. */
static int inherit(struct process *p, struct process *parent, uint64_t flags)
{
	process_watch_cpu(p);
	if (flags & CLONE_SIGHAND)
		p->actions = signal_actions_share(parent);
	else
		p->actions = signal_actions_new(parent);
	if (flags & CLONE_FILES)
		__atomic_fetch_add(&(p->files = parent->files)->refs, 1, __ATOMIC_RELAXED);
	else
		p->files = files_new(parent->files);
	if (!(flags & CLONE_FS))
		p->fs = fs_state_copy(parent->fs);
	else if (fs_state_share(parent->fs))
		p->fs = parent->fs;
	else
		return -EAGAIN;
	if (!p->actions || !p->files || !p->fs || process_inherit_groups(p, parent))
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

	__builtin_memcpy(t->thread->name, self->thread->name, sizeof t->thread->name);
	t->thread->affinity = self->thread->affinity;
	thread_set_share(t->thread, self->thread->nice, self->thread->policy);
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
	t->thread->arch.pmap = vmspace_pmap(t->process->vm);
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

/* --- The last step ---------------------------------------------------------------------------- */

/*
 * tree_lock held.  False: the process is ending, or executes another program, or stops: the lock
 * under which that is said is the one under which the threads are told.
 */
static bool join_process(struct process *p, struct task *t)
{
	bool may;

	spin_lock(&p->lock);
	may = !thread_interrupted(SLEEP_KILLABLE) && !signal_pending_locked(task_current());
	if (may)
		process_add_thread(p, t);
	spin_unlock(&p->lock);
	return may;
}

/* The process, too, is new unless it is the caller's. */
static int publish(struct process *p, struct task *t)
{
	struct process *self = process_current();
	bool again;

	spin_lock(&tree_lock);
	again = signal_pending() || thread_interrupted(SLEEP_KILLABLE);
	if (!again && p == self)
		again = !join_process(p, t);
	else if (!again)
		process_enter_tree(p, self, t);
	spin_unlock(&tree_lock);
	return again ? (int)syscall_restart(RESTART_ALWAYS) : 0;
}

static long start(struct task *t, const struct clone_request *req)
{
	pid_t tid = t->pid->nr;
	struct vfork *v = t->vfork;

	if (!(req->flags & CLONE_VM))
		trace_space(t->process, t->process->vm);
	/* As on Linux, the child is there whether or not its number could be stored. */
	if ((req->flags & CLONE_PARENT_SETTID) && put_user(uaddr(req->parent_tid), &tid))
		tid = t->pid->nr;
	thread_start(t->thread);
	if (v) {
		(void)wait_event_killable(&v->wait, __atomic_load_n(&v->done, __ATOMIC_ACQUIRE));
		vfork_put(v);
	}
	return tid;
}

/* A thread of p, which is the caller's process or a new one; its number. */
static long start_thread(struct process *p, const struct clone_request *req)
{
	struct task *t;
	int err = task_new(p, task_begin, &t);

	if (err)
		return err;
	inherit_thread(t, req);
	if ((req->flags & CLONE_VFORK) && !(t->vfork = vfork_new())) {
		task_free(t);
		return -ENOMEM;
	}
	process_ref(p); /* the thread's */
	err = publish(p, t);
	if (!err)
		return start(t, req);
	process_unref(p);
	kfree(t->vfork);
	task_free(t);
	return err;
}

static long start_process(const struct clone_request *req)
{
	struct process *p = process_alloc();
	long result;

	if (!p)
		return -ENOMEM;
	p->exit_signal = (uint8_t)req->exit_signal;
	inherit_identity(p, process_current());
	result = process_count_thread(p);
	if (!result)
		result = vmspace_may_fork() ? inherit(p, process_current(), req->flags) : -ENOMEM;
	if (!result)
		result = start_thread(p, req);
	if (result < 0)
		process_unref(p); /* the tree's, which it did not enter */
	return result;
}

static long start_another_thread(const struct clone_request *req)
{
	struct process *p = process_current();
	long result = process_count_thread(p);

	if (result)
		return result;
	result = vmspace_may_fork() ? start_thread(p, req) : -ENOMEM;
	if (result < 0) {
		spin_lock(&p->lock);
		process_uncount_thread(p);
		spin_unlock(&p->lock);
	}
	return result;
}

long process_clone(const struct clone_request *req)
{
	return req->flags & CLONE_THREAD ? start_another_thread(req) : start_process(req);
}
