// SPDX-License-Identifier: MIT
/*
 * What programs ask the scheduler, and tell it: harts, nice values, policies.
 *
 * A number names a thread (0 is the caller); setpriority(2) may name all threads of a group or of a
 * user. There are no real-time classes: their priorities are told, and nobody may enter them.
 */
#include <abi/errno.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <kernel/cpu.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/time.h>

#define REALTIME_LEAST 1
#define REALTIME_MOST  99
#define NICE_LEAST     (-20)
#define NICE_MOST      19

/* --- Which thread, and whose ------------------------------------------------------------------ */

/* tree_lock held; NULL: none. */
static struct task *task_of(pid_t tid)
{
	struct pid *pid = tid ? pid_find(tid) : NULL;

	return tid ? pid ? pid->thread : NULL : task_current();
}

/* May the running process change how threads of p are scheduled? */
static bool may_schedule(const struct process *p)
{
	const struct process *self = process_current();

	return process_is_privileged(self) || self->cred.euid == p->cred.uid ||
	       self->cred.euid == p->cred.euid;
}

/* May a thread of p get this nice value, which is better than what it has? */
static bool may_improve(struct process *p, int nice)
{
	return process_is_privileged(process_current()) ||
	       (uint64_t)(20 - nice) <= process_limit(p, RLIMIT_NICE);
}

/*
 * With a reference, to be used without tree_lock; 0, -ESRCH; -EPERM if it must
 * be ours and is not.
 */
static int thread_get(pid_t tid, bool must_be_ours, struct thread **out)
{
	int err = -ESRCH;

	spin_lock(&tree_lock);
	struct task *t = task_of(tid);
	if (t) {
		err = must_be_ours && !may_schedule(t->process) ? -EPERM : 0;
		*out = t->thread;
		if (!err)
			thread_ref(t->thread);
	}
	spin_unlock(&tree_lock);
	return err;
}

/* --- Harts ------------------------------------------------------------------------------------ */

long sys_sched_setaffinity(long tid, size_t bytes, uaddr_t from)
{
	uint64_t harts = 0;
	struct thread *t;

	if (copy_in(&harts, from, bytes < sizeof harts ? bytes : sizeof harts))
		return -EFAULT;
	int err = thread_get((pid_t)tid, true, &t);
	if (err)
		return err;
	err = thread_set_affinity(t, harts);
	thread_unref(t);
	return err;
}

/* The C library zeroes what is behind the bytes that are returned. */
long sys_sched_getaffinity(long tid, size_t bytes, uaddr_t to)
{
	uint64_t harts;
	struct thread *t;

	if (bytes * 8 < cpu_count || bytes % sizeof(long))
		return -EINVAL;
	int err = thread_get((pid_t)tid, false, &t);
	if (err)
		return err;
	harts = __atomic_load_n(&t->affinity, __ATOMIC_RELAXED) & cpu_online_mask;
	thread_unref(t);
	return put_user(to, &harts) ? -EFAULT : (long)sizeof harts;
}

long sys_getcpu(uaddr_t cpu_to, uaddr_t node_to, vaddr_t unused)
{
	uint32_t cpu = cpu_index(), node = 0;

	(void)unused;
	if (!uaddr_is_null(cpu_to) && put_user(cpu_to, &cpu))
		return -EFAULT;
	return uaddr_is_null(node_to) ? 0 : put_user(node_to, &node);
}

/* --- Nice values ------------------------------------------------------------------------------ */

/* One walk over threads: of getpriority the best so far, of setpriority the value to set. */
struct nice_walk {
	void (*fn)(struct task *t, struct nice_walk *w);
	uint32_t uid;
	int nice;
	long result;
};

static void walk_threads(struct process *p, struct nice_walk *w)
{
	spin_lock(&p->lock);
	list_for_each (node, &p->threads)
		w->fn(list_entry(node, struct task, link), w);
	spin_unlock(&p->lock);
}

static void walk_group(struct pid *group, struct nice_walk *w)
{
	if (!group)
		return;
	list_for_each (node, &group->group)
		walk_threads(list_entry(node, struct process, group_link), w);
}

static void walk_if_users(struct process *p, void *arg)
{
	struct nice_walk *w = arg;

	if (p->cred.uid == w->uid)
		walk_threads(p, w);
}

static long walk(int which, pid_t who, struct nice_walk *w)
{
	struct task *t;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	w->result = -ESRCH;
	w->uid = who ? (uint32_t)who : process_current()->cred.uid;
	spin_lock(&tree_lock);
	if (which == PRIO_USER)
		process_for_each(walk_if_users, w);
	else if (which == PRIO_PGRP)
		walk_group(who ? pid_find(who) : process_current()->group, w);
	else if ((t = task_of(who)) != NULL)
		w->fn(t, w);
	spin_unlock(&tree_lock);
	return w->result;
}

static void set_nice(struct task *t, struct nice_walk *w)
{
	struct thread *thread = t->thread;

	if (!may_schedule(t->process)) {
		w->result = -EPERM;
	} else if (w->nice < thread->nice && !may_improve(t->process, w->nice)) {
		w->result = -EACCES;
	} else {
		if (w->result == -ESRCH)
			w->result = 0;
		thread_set_share(thread, w->nice, thread->policy);
	}
}

/* As the call may not return negative values: 40 for the best, 1 for the worst. */
static void get_nice(struct task *t, struct nice_walk *w)
{
	long value = 20 - t->thread->nice;

	if (value > w->result)
		w->result = value;
}

long sys_setpriority(long which, long who, long nice)
{
	struct nice_walk w = {.fn = set_nice, .nice = (int)nice};

	if (w.nice < NICE_LEAST)
		w.nice = NICE_LEAST;
	if (w.nice > NICE_MOST)
		w.nice = NICE_MOST;
	return walk((int)which, (pid_t)who, &w);
}

long sys_getpriority(long which, long who)
{
	struct nice_walk w = {.fn = get_nice};

	return walk((int)which, (pid_t)who, &w);
}

/* --- Policies --------------------------------------------------------------------------------- */

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_fair(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

/* May the thread have the policy?  tree_lock held. */
static int may_set_policy(struct task *t, int policy)
{
	if (is_realtime(policy) || !may_schedule(t->process))
		return -EPERM;
	if (t->thread->policy == SCHED_IDLE && policy != SCHED_IDLE &&
		!may_improve(t->process, t->thread->nice))
		return -EPERM;
	return 0;
}

static int set_policy(pid_t tid, int policy)
{
	int err = -ESRCH;

	spin_lock(&tree_lock);
	struct task *t = task_of(tid);
	if (t)
		err = may_set_policy(t, policy);
	if (!err)
		thread_set_share(t->thread, t->thread->nice, policy);
	spin_unlock(&tree_lock);
	return err;
}

static bool priority_fits(int policy, int priority)
{
	if (is_realtime(policy))
		return priority >= REALTIME_LEAST && priority <= REALTIME_MOST;
	return is_fair(policy) && priority == 0;
}

long sys_sched_setscheduler(long tid, long policy, uaddr_t from)
{
	struct sched_param param;

	if ((pid_t)tid < 0 || uaddr_is_null(from))
		return -EINVAL;
	if (get_user(&param, from))
		return -EFAULT;
	if (!priority_fits((int)policy, param.sched_priority))
		return -EINVAL;
	return set_policy((pid_t)tid, (int)policy);
}

/* A copy of what can be read without a lock. */
static int policy_of(pid_t tid, int *policy, uint64_t *slice_ns)
{
	struct thread *t;
	int err = tid < 0 ? -EINVAL : thread_get(tid, false, &t);

	if (err)
		return err;
	*policy = t->policy;
	*slice_ns = time_from_ticks(__atomic_load_n(&t->turn_clock, __ATOMIC_RELAXED));
	thread_unref(t);
	return 0;
}

long sys_sched_getscheduler(long tid)
{
	uint64_t slice_ns;
	int policy, err = policy_of((pid_t)tid, &policy, &slice_ns);

	return err ? err : policy;
}

/* Of the policies that there are, none has a priority to set. */
long sys_sched_setparam(long tid, uaddr_t from)
{
	struct sched_param param;
	uint64_t slice_ns;
	int policy;

	if ((pid_t)tid < 0 || uaddr_is_null(from))
		return -EINVAL;
	if (get_user(&param, from))
		return -EFAULT;
	int err = policy_of((pid_t)tid, &policy, &slice_ns);
	if (!err && param.sched_priority)
		err = -EINVAL;
	return err ? err : set_policy((pid_t)tid, policy);
}

long sys_sched_getparam(long tid, uaddr_t to)
{
	struct sched_param param = {0};
	uint64_t slice_ns;
	int policy;

	if (uaddr_is_null(to))
		return -EINVAL;
	int err = policy_of((pid_t)tid, &policy, &slice_ns);
	return err ? err : put_user(to, &param);
}

long sys_sched_rr_get_interval(long tid, uaddr_t to)
{
	uint64_t slice_ns;
	int policy, err = policy_of((pid_t)tid, &policy, &slice_ns);

	if (err)
		return err;
	struct timespec ts = {.tv_nsec = (int64_t)slice_ns};
	return put_user(to, &ts);
}

long sys_sched_get_priority_max(long policy)
{
	if (is_realtime((int)policy))
		return REALTIME_MOST;
	return is_fair((int)policy) ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(long policy)
{
	if (is_realtime((int)policy))
		return REALTIME_LEAST;
	return is_fair((int)policy) ? 0 : -EINVAL;
}
