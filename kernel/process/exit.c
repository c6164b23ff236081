// SPDX-License-Identifier: MIT
/*
 * The end of threads and processes.
 *
 * A thread ends itself, on its way to user mode, never from inside a system call that others rely
 * on: who wants a process dead marks it as ending and notifies its threads.  The last thread
 * takes the process down: memory first (dirty pages go to the cache), then files; then, in one
 * step under tree_lock, the children get a new parent and the process becomes a zombie.
 *
 * exec ends all other threads of its process: they are told in the same way, and leave one by one.
 * Whoever then goes on has the process's number.
 *
 * pid 1 takes the machine down with it (shutdown.c).
 */
#include <abi/errno.h>
#include <abi/wait.h>
#include <kernel/files.h>
#include <kernel/futex.h>
#include <kernel/oom.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/shutdown.h>
#include <kernel/strace.h>
#include <kernel/tty.h>
#include <kernel/uaccess.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>

/* --- The parts of a process ----------------------------------------------------------------- */

static void drop_memory(struct process *p)
{
	struct vmspace *vm;

	vmspace_count_faults(p->vm, p, &p->dead_threads);
	spin_lock(&p->lock);
	vm = p->vm;
	p->vm = NULL;
	p->releasing = true;
	spin_unlock(&p->lock);
	vmspace_disown(vm, p);
	vmspace_put(vm);
	__atomic_store_n(&p->releasing, false, __ATOMIC_RELEASE);
	oom_memory_is_back();
}

static void drop_rest(struct process *p)
{
	struct files *files;
	struct fs_state *fs;
	struct signal_actions *actions;

	spin_lock(&p->lock);
	files = p->files;
	fs = p->fs;
	actions = p->actions;
	p->files = NULL;
	p->fs = NULL;
	p->actions = NULL;
	signal_queue_flush(&p->signals, ~0UL);
	spin_unlock(&p->lock);
	files_put(files);
	fs_state_put(fs);
	signal_actions_put(actions);
}

/* --- The tree: tree_lock held ---------------------------------------------------------------- */

/*
 * A parent that runs another program by now, maybe with more rights, has not
 * asked for the signal.
 */
static int signal_to_parent(const struct process *p)
{
	return p->parent_execs == p->parent->execs ? p->exit_signal : SIGCHLD;
}

/* Does the parent not want to wait for it?  And would (*tell) the signal do anything? */
static bool parent_ignores(struct process *p, int sig, bool *tell)
{
	struct process *parent = p->parent;
	bool ignores = false;

	*tell = sig != 0;
	spin_lock(&parent->lock);
	if (sig == SIGCHLD && parent->actions) {
		struct sigaction a = signal_action(parent->actions, SIGCHLD);
		ignores = a.sa_handler == SIG_IGN || (a.sa_flags & SA_NOCLDWAIT);
		*tell = a.sa_handler != SIG_IGN && !signal_is_dropped(parent, SIGCHLD, &a);
	}
	spin_unlock(&parent->lock);
	return ignores;
}

static siginfo_t exit_info(struct process *p, int sig)
{
	int status = p->exit_status;
	siginfo_t info = signal_info(sig, WIFEXITED(status) ? CLD_EXITED : CLD_KILLED);
	struct cpu_times times;

	info.si_pid = p->nr;
	info.si_uid = p->cred.uid;
	info.si_status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	process_cpu_times(p, &times);
	info.si_utime = (int64_t)(times.user_ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC));
	info.si_stime = (int64_t)(times.system_ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC));
	return info;
}

/* True: the zombie was reaped at once, and the caller drops the tree's reference. */
static bool tell_parent(struct process *p)
{
	int sig = signal_to_parent(p);
	bool tell, reap = parent_ignores(p, sig, &tell);

	if (tell) {
		siginfo_t info = exit_info(p, sig);
		(void)signal_send_process(p->parent, &info);
	}
	list_remove(&p->sibling);
	list_push_front(&p->parent->children, &p->sibling);
	waitq_wake_all(&p->parent->child_wait);
	if (reap)
		process_reap(p);
	return reap;
}

/* As the child asked by prctl(PR_SET_PDEATHSIG). */
static void tell_of_parents_end(struct process *child)
{
	uint8_t sig = __atomic_load_n(&child->pdeath_signal, __ATOMIC_RELAXED);

	if (sig && child->state == PROCESS_ALIVE) {
		siginfo_t info;
		signal_info_init_sender(&info, sig, SI_USER);
		(void)signal_send_process(child, &info);
	}
}

/* pid 1 becomes the parent of all children; it never ignores its children's ends. */
static void give_children_away(struct process *p)
{
	bool zombies = false;

	list_for_each_safe (node, &p->children) {
		struct process *child = list_entry(node, struct process, sibling);
		list_remove(node);
		child->parent = init_process;
		child->parent_nr = init_process->nr;
		child->exit_signal = SIGCHLD;
		tell_of_parents_end(child);
		if (child->state == PROCESS_ZOMBIE) {
			list_push_front(&init_process->children, node);
			zombies = true;
		} else {
			list_push_back(&init_process->children, node);
		}
	}
	if (zombies) {
		siginfo_t info = signal_info(SIGCHLD, CLD_EXITED);
		(void)signal_send_process(init_process, &info);
		waitq_wake_all(&init_process->child_wait);
	}
}

static void become_zombie(struct process *p)
{
	bool reaped;

	spin_lock(&tree_lock);
	group_left_by(p);
	give_children_away(p);
	p->exit_status = p->ending_status;
	reaped = tell_parent(p);
	spin_unlock(&tree_lock);
	if (reaped)
		process_unref(p);
}

static void process_end(struct process *p)
{
	strace_leave(p, p->ending_status);
	alarm_stop(p);
	drop_memory(p);
	tty_session_leader_exits(p);
	drop_rest(p);
	if (p == init_process)
		machine_shutdown(p->ending_status, false);
	become_zombie(p);
}

/* --- Threads -------------------------------------------------------------------------------- */

static bool memory_is_shared(struct process *p)
{
	return __atomic_load_n(&p->n_threads, __ATOMIC_RELAXED) > 1 ||
	       __atomic_load_n(&p->vm->refs, __ATOMIC_RELAXED) > 1;
}

/* Nobody is left to look at it unless the memory is shared. */
static void clear_tid(struct task *t)
{
	uaddr_t at = uaddr(t->clear_child_tid);
	int zero = 0;

	t->clear_child_tid = 0;
	if (!uaddr_is_null(at) && memory_is_shared(t->process) && !put_user(at, &zero))
		futex_wake_shared(at);
}

void task_leave_memory(struct task *t)
{
	futex_leave_robust(t);
	clear_tid(t);
	vfork_done(t);
}

/*
 * The status of a process that nobody ended is that of the last thread that exits: of the last to
 * begin with it, since others go on when they see that this one has left the memory.
 */
static void begin_to_leave(struct process *p, int status)
{
	spin_lock(&p->lock);
	p->n_leaving++;
	if (p->n_leaving == p->n_threads && !p->ending) {
		p->ending = true;
		p->ending_status = status;
	}
	spin_unlock(&p->lock);
}

/* True: it was the last one. */
static bool leave_process(struct task *t)
{
	struct process *p = t->process;
	bool last, stopped;

	spin_lock(&p->lock);
	list_remove(&t->link);
	__atomic_store_n(&p->n_threads, p->n_threads - 1, __ATOMIC_RELEASE);
	p->n_leaving--;
	last = p->n_threads == 0;
	if (!last) /* which counts on, as the zombie that it leaves */
		process_uncount_thread(p);
	stopped = signal_thread_leaves(t);
	cpu_times_add_thread(&p->dead_threads, t->thread);
	spin_unlock(&p->lock);
	if (stopped)
		process_report_stop(p, CLD_STOPPED);
	waitq_wake_all(&p->alone_wait);
	return last;
}

void process_exit_thread(int status)
{
	struct task *t = task_current();
	struct process *p = t->process;

	/*
	 * What it was told to do it does: to wait for pages and I/O on the way is
	 * no reason to stop.
	 */
	__atomic_fetch_and(&t->thread->arch.work, ~(uint32_t)THREAD_WORK_KILL, __ATOMIC_RELAXED);
	begin_to_leave(p, status);
	task_leave_memory(t);
	thread_set_pmap(NULL); /* the last thread to leave frees it */
	if (leave_process(t))
		process_end(p);
	task_free(t);
	process_unref(p);
	thread_exit();
}

void process_exit_group(int status)
{
	struct process *p = process_current();

	if (p->n_threads > 1) /* 1 is certain (process.h) */
		process_kill(p, status);
	process_exit_thread(status);
}

/* --- One thread instead of all ---------------------------------------------------------------- */

/* The first thread has left; its number, which is the process's, is t's from now on. */
static void take_number(struct task *t)
{
	struct process *p = t->process;
	struct pid *own = t->pid;

	spin_lock(&tree_lock);
	if (own != p->pid) {
		own->thread = NULL;
		spin_lock(&p->lock); /* under which others look at their threads' numbers */
		t->pid = p->pid;
		spin_unlock(&p->lock);
		t->pid->thread = t;
		pid_ref(t->pid);
		pid_unref(own);
	}
	spin_unlock(&tree_lock);
}

int process_end_other_threads(void)
{
	struct task *self = task_current();
	struct process *p = self->process;
	int err = 0;

	spin_lock(&p->lock);
	if (thread_interrupted(SLEEP_KILLABLE))
		err = -EAGAIN; /* the process is ending, or another thread's exec came first */
	list_for_each (node, &p->threads)
		if (!err && node != &self->link)
			thread_notify(
				list_entry(node, struct task, link)->thread, THREAD_WORK_KILL);
	if (!err)
		err = wait_event_locked(
			&p->alone_wait, &p->lock, p->n_threads == 1, SLEEP_KILLABLE);
	spin_unlock(&p->lock);
	if (!err)
		take_number(self);
	return err;
}
