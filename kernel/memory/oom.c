// SPDX-License-Identifier: MIT
/*
 * Out of memory (kernel/oom.h): who ends, and who waits meanwhile.
 *
 * The process with the most memory, its own or shared but in no file, is ended with SIGKILL, with
 * all that share it, pid 1 excepted; the fault that found none is tried again.  While a process is
 * on its way out no other is chosen.
 *
 * One at a time.  Memory runs out for all at once.  Would each of them look for pages to reclaim,
 * see whom to end and look again, the harts would be busy with looking for what does not exist, by
 * hundreds of threads, and the one who can give memory back would wait for its turn among them.  So
 * there is a gate.  Whoever passes it has his fault made, and ends one process after the other
 * until that has succeeded; he sleeps until the memory of the one that he ended is free.  The
 * others sleep before the gate; while somebody is there new faults go straight to it, so that a
 * search that fails is made once for each process that ends.  And a thread that is told to exit
 * runs before others (thread_notify).
 *
 * Patience.  A victim may not be able to end before somebody else goes on who waits here: for a
 * lock that he holds, say.  One that is not gone after OOM_PATIENCE_NS does not count any more; the
 * next one is chosen.
 */
#include <kernel/frames.h>
#include <kernel/oom.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/vmspace.h>

#define OOM_PATIENCE_NS NS_PER_SEC
#define OOM_PAUSE_NS    (10 * NS_PER_MS) /* before the next look, if there is nobody to end */
#define AREAS_A_PAGE    32               /* about: mm's structures count as well as what they map */

struct mutex oom_gate = MUTEX_INIT("out of memory", RANK_OOM);
static struct waitq memory_is_back = WAITQ_INIT;

void oom_memory_is_back(void)
{
	waitq_wake_all(&memory_is_back);
}

/* --- Who ends -------------------------------------------------------------------------------- */

/*
 * Lock held, or its own thread: does it have the memory that never comes back
 * while the machine runs?
 */
static bool is_of_pid_1(const struct process *p)
{
	return p->vm == __atomic_load_n(&init_process->vm, __ATOMIC_RELAXED);
}

/*
 * Lock held: its private pages, and those it shares that are on no disk, are
 * what would come back.
 */
static int64_t points_locked(struct process *p)
{
	int64_t adjust = __atomic_load_n(&p->oom_score_adj, __ATOMIC_RELAXED), pages;
	struct mvm_space_stats stats;

	if (!p->vm || is_of_pid_1(p) || adjust == -OOM_ADJ_MAX)
		return OOM_NEVER;
	mvm_space_stats(p->vm->space, &stats);
	pages = (int64_t)(stats.anon_pages + mvm_space_kept_pages(p->vm->space) +
			  stats.areas / AREAS_A_PAGE);
	return pages ? pages + adjust * (int64_t)frames_total() / OOM_ADJ_MAX : OOM_NEVER;
}

int64_t oom_points(struct process *p)
{
	spin_lock(&p->lock);
	int64_t points = points_locked(p);
	spin_unlock(&p->lock);
	return points;
}

struct search {
	struct process *dying; /* somebody is about to give memory back anyway */
	struct process *worst;
	int64_t points; /* its */
};

static bool is_dying(const struct process *p)
{
	return (p->vm && p->ending) || __atomic_load_n(&p->releasing, __ATOMIC_ACQUIRE);
}

static void look_at(struct process *p, void *arg)
{
	struct search *search = arg;
	int64_t points;

	if (p->oom_passed_over)
		return;
	spin_lock(&p->lock);
	if (is_dying(p))
		search->dying = p;
	points = points_locked(p);
	spin_unlock(&p->lock);
	if (points > search->points) {
		search->points = points;
		search->worst = p;
	}
}

/* It ends, too, if it shares the memory that shall come back. */
static void kill_if_shares(struct process *p, void *vm)
{
	spin_lock(&p->lock);
	if (p->vm == vm)
		process_kill_locked(p, SIGKILL);
	spin_unlock(&p->lock);
}

static void kill(struct process *victim, int64_t points)
{
	pr_error("out of memory: killing process %d (%s) of uid %u, %ld pages", victim->nr,
		victim->name, victim->cred.uid, points);
	process_for_each(kill_if_shares, victim->vm);
}

/* A process that is on its way out, with a reference; NULL: there is none that could be ended. */
static struct process *choose_victim(void)
{
	struct search search = {.points = OOM_NEVER};

	spin_lock(&tree_lock);
	process_for_each(look_at, &search);
	if (!search.dying && search.worst) {
		kill(search.worst, search.points);
		search.dying = search.worst;
	}
	if (search.dying)
		process_ref(search.dying);
	spin_unlock(&tree_lock);
	return search.dying;
}

/* --- Who waits ------------------------------------------------------------------------------- */

/* Where there is nobody to end, somebody else's end is what is left to hope for. */
static void nobody_to_end(void)
{
	if (is_of_pid_1(process_current()))
		panic("out of memory, and only pid 1 is left");
	(void)thread_sleep_until(time_now_ns() + OOM_PAUSE_NS, SLEEP_KILLABLE);
}

static bool has_left(struct process *p)
{
	spin_lock(&p->lock);
	bool left = !is_dying(p);
	spin_unlock(&p->lock);
	return left;
}

static void make_room(void)
{
	struct process *victim = choose_victim();

	if (!victim) {
		nobody_to_end();
		return;
	}
	if (wait_event_how(&memory_is_back, has_left(victim), SLEEP_KILLABLE,
		    time_now_ns() + OOM_PATIENCE_NS) == -ETIMEDOUT)
		victim->oom_passed_over = true;
	process_unref(victim);
}

/*
 * The caller is to give memory back, not to take more: on its way out, too,
 * when it is told no more.
 */
static bool is_to_end(void)
{
	return thread_interrupted(SLEEP_KILLABLE) ||
	       __atomic_load_n(&process_current()->ending, __ATOMIC_RELAXED);
}

enum mvm_fault_result oom_fault(struct vmspace *vm, uintptr_t va, unsigned access)
{
	enum mvm_fault_result result;

	if (mutex_lock_killable(&oom_gate))
		return MVM_FAULT_KILLED;
	while ((result = mvm_fault(vm->space, va, access)) == MVM_FAULT_NOMEM && !is_to_end())
		make_room();
	mutex_unlock(&oom_gate);
	return result == MVM_FAULT_NOMEM ? MVM_FAULT_KILLED : result;
}
