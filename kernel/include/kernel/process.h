// SPDX-License-Identifier: MIT
/*
 * Processes and their threads.
 *
 *	struct thread ---- struct task ----- struct process
 *	 (kernel/thread.h)  tid, mask, restart      pid, parent, children, threads
 *	                                             |-- vmspace   memory      CLONE_VM
 *	                                             |-- files     fd table    CLONE_FILES
 *	                                             |-- fs_state  cwd, umask  CLONE_FS
 *	                                             `-- signal_actions        CLONE_SIGHAND
 *
 * A process is what the ABI calls a thread group: one or more user threads with one pid.  What
 * clone() may share hangs off it as counted objects of their own.
 *
 * Numbers.  A struct pid is a number in use: by a thread, a process, a process group, a session,
 * or several of these.  It goes, and the number with it, when the last of them does.
 *
 * The life of a process:
 *
 *	process_alloc -> ALIVE --exit_group, last thread--> ZOMBIE --parent's wait--> freed
 *
 * The last thread to end gives back memory, files and the rest, hands the children to pid 1, and
 * makes the process a zombie; struct process goes with its last reference.  The first thread may
 * end before others: its number stays the process's.  A thread that must end, as its process ends
 * or another thread executes a program, is told by THREAD_WORK_KILL.
 *
 * Locks.  tree_lock (one for all) guards numbers, parents, children, groups and sessions, and
 * `state`.  A process's own lock guards its threads, pending signals, and whether it stops or
 * ends.  Order: tree_lock -> process -> signal_actions.  A process found under tree_lock stays
 * while the lock is held; process_ref() keeps the struct for longer.
 */
#pragma once

#include <abi/resource.h>
#include <fs/path.h>
#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/signal.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/work.h>

struct files;
struct fs_state;
struct tty;
struct user;
struct vmspace;

typedef int32_t pid_t;

#define CLOCK_TICKS_PER_SEC 100 /* AT_CLKTCK: the unit of times() and /proc/PID/stat */

#define PID_MAX 4194304 /* numbers are below it, as Linux has it on 64-bit machines */

/* [t]: tree_lock */
struct pid {
	pid_t nr;                 /* [I] */
	uint32_t refs;            /* [t] uses as a thread, process, group, session */
	struct pid *hash_next;    /* [t] */
	struct task *thread;      /* [t] the thread with this tid, or NULL */
	struct process *process;  /* [t] the process with this pid, zombies included, or NULL */
	struct list group;        /* [t] members, by process.group_link */
	struct list session;      /* [t] members, by process.session_link */
	struct tty *tty;          /* [t] of a session: its controlling terminal */
	struct pid *was_in_front; /* [t] of a session whose terminal hung up, counted, or NULL */
};

enum process_state { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED };

/* Supplementary groups, in rising order.  A process's own, kept until its end (identity.c). */
struct group_list {
	struct group_list *replaced; /* what it took the place of: a thread may be looking at it */
	unsigned n;
	uint32_t ids[];
};

/* User and group identity.  A copy in each process, changed by its own threads under its lock. */
struct credentials {
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
};

/* What running has taken; times.c has the theory. */
struct cpu_times {
	uint64_t run_ns;             /* measured at each switch */
	uint64_t user_ns, system_ns; /* its two parts, estimated: they never shrink */
	uint64_t ticks[2];           /* that found it in the kernel, in user mode */
	uint64_t minor_faults, major_faults;
	uint64_t switches[2]; /* as it slept, as it was made to give way */
};

/* The parts as they were told last. */
struct cpu_parts {
	uint64_t user_ns, system_ns;
};

/* A timer of CPU time. */
struct cpu_timer {
	uint64_t at_ns; /* 0: not set */
	uint64_t interval_ns;
};

/*
 * [t]: tree_lock; [p]: lock; [c]: changed by its own thread when it has only one, in exec and exit;
 * [a]: atomic; [I]: immutable
 *
 * n_threads: only threads of a process make more of them.  So one that reads 1, without the lock
 * but acquiring, is the only one until it makes another itself, and sees all that the others did:
 * what this process alone has (files and fs of one reference) it uses without lock or reference.
 * Any other number, or another process's, is a hint.
 */
struct process {
	uint32_t refs; /* [a] the tree's until it is reaped, each thread's, process_ref()'s */
	struct spinlock lock; /* RANK_PROCESS */
	struct pid *pid;      /* [I] valid until reaped */
	pid_t nr;             /* [I] its number */

	enum process_state state;             /* [t] */
	int exit_status;                      /* [t] as wait4 reports it, once a zombie */
	uint8_t exit_signal;                  /* [t] sent to the parent */
	uint32_t execs;                       /* [t] programs that it has begun */
	uint32_t parent_execs;                /* [t] the parent's, when it made this process */
	struct process *parent;               /* [t] NULL: pid 1 */
	pid_t parent_nr;                      /* [t] its number, read without the lock by getppid */
	struct list children;                 /* [t] by sibling; zombies first */
	struct list sibling;                  /* [t] */
	struct waitq child_wait;              /* children that changed state */
	struct pid *group;                    /* [t] */
	struct pid *session;                  /* [t] */
	struct list group_link, session_link; /* [t] */

	struct list threads;            /* [p] by task.link */
	unsigned n_threads;             /* [p] to write, [a] to read: above */
	unsigned n_leaving;             /* [p] of them, those that have begun to exit */
	unsigned n_counted;             /* [p] for its user: those, those being made, a zombie */
	bool ending;                    /* [p] all threads must exit, */
	bool releasing;                 /* [p] vm is NULL, but not all of it is free yet */
	int ending_status;              /* [p] with this status */
	bool stop_wanted;               /* [p] a thread took a stop signal; SIGCONT revokes it */
	bool stopping;                  /* [p] threads that come to signal_deliver() wait there */
	bool stopped;                   /* [p] all do */
	unsigned n_stopped;             /* [p] so many */
	uint8_t stop_signal;            /* [p] */
	bool stop_unreported;           /* [p] for wait4 WUNTRACED */
	bool continue_unreported;       /* [p] for wait4 WCONTINUED */
	int tell_parent;                /* [p] CLD_, by the first thread that goes on; 0: nothing */
	struct waitq stop_wait;         /* of those who take part, until !in_stop */
	struct waitq alone_wait;        /* exec: until n_threads is 1 */
	struct signal_queue signals;    /* [p] sent to the process */
	struct signal_actions *actions; /* [c] changes at exec */

	struct vmspace *vm;        /* [c] changes at exec, NULL from exit on: process_vm_get() */
	struct files *files;       /* [c] NULL from exit on */
	struct fs_state *fs;       /* [c] */
	struct credentials cred;   /* [p] to write; what others read may be a moment old */
	struct user *user;         /* [p] the account of cred.uid */
	struct group_list *groups; /* [p] to write, [a] to read: supplementary; NULL: none */
	bool no_new_privs;         /* [a] exec raises no rights; inherited, never taken back */
	bool dumpable;             /* [a] as prctl() has it: 0 after an exec that did */
	uint8_t pdeath_signal;     /* [a] sent when the parent ends; 0: none */
	uint32_t personality;      /* [a] abi/personality.h; inherited */
	struct rlimit limits[RLIM_NLIMITS]; /* [p] */
	char name[16];                      /* of the program; readers may see a mixture */

	bool traced;               /* [a] /proc/trace; inherited */
	struct strace *strace;     /* [p] /proc/strace: who is told of its calls; [c] reads it */
	bool no_tty;               /* [t] TIOCNOTTY: without its session's terminal; inherited */
	int16_t oom_score_adj;     /* [a] -1000 to 1000, inherited: see oom_points() */
	int16_t oom_score_adj_min; /* [a] uid 0 set it last to this: others may not go below */
	bool oom_passed_over;      /* oom.c's gate: told to end, it did not give its memory back */
	uint64_t start_ns;         /* [I] */
	struct cpu_times dead_threads;  /* [p] */
	struct cpu_parts told_times;    /* [p] */
	struct cpu_times dead_children; /* [t] those waited for, and theirs */

	struct timer alarm;         /* setitimer(ITIMER_REAL); [p] to set it */
	struct work alarm_work;     /* sends SIGALRM */
	uint64_t alarm_interval_ns; /* [p] 0: once */
	uint64_t alarm_at_ns;       /* [p] 0: not set */
	uint64_t alarm_came_ns;     /* [p] when it did; 0 once the next one is set */

	struct cpu_timer virtual_timer, prof_timer; /* [p] setitimer's: of user time, of all */
	bool cpu_watched;                           /* [a] ticks look at these and at RLIMIT_CPU */
};

/* [c]: the thread itself; [p]: its process's lock; [I]: immutable */
struct task {
	struct thread *thread;   /* [I] holds a reference until the thread ends */
	struct process *process; /* [I] holds a reference likewise */
	struct pid *pid;         /* tid; changes at exec, by [c] under tree_lock and [p] */
	struct list link;        /* [p] in process.threads */

	uint64_t mask;          /* blocked signals: written by [c] under [p] */
	uint64_t saved_mask;    /* [c] to be restored, if mask_is_temporary */
	bool mask_is_temporary; /* [c] */
	uint64_t waited; /* [p] what it waits for in sigtimedwait: not blocked, not acted on */
	bool in_stop;    /* [p] counted in process.n_stopped */
	struct signal_queue signals; /* [p] sent to this thread */
	stack_t altstack;            /* [c] */

	struct cpu_parts told_times; /* [p] */

	enum syscall_restart restart; /* [c] of the system call under way */
	uint64_t restart_deadline_ns; /* [c] of a sleep to be resumed; 0: none */

	vaddr_t set_child_tid;   /* [I] where the thread stores its tid when it begins; 0: none */
	vaddr_t clear_child_tid; /* [c] and where a 0 when it ends */
	vaddr_t robust_list;     /* [c] kept for get_robust_list */
	struct vfork *vfork;     /* [c] the parent that waits for exec or exit, or NULL */

	struct path_recents recent; /* [c] of its walks */
};

extern struct spinlock tree_lock;    /* RANK_PROCESS_TREE */
extern struct process *init_process; /* pid 1 */

static inline struct task *task_current(void)
{
	return thread_current()->task;
}

static inline struct process *process_current(void)
{
	return task_current()->process;
}

/* All signals that wait for p or one of its threads.  p's lock held. */
static inline uint64_t process_pending_signals(const struct process *p)
{
	uint64_t set = p->signals.set;

	list_for_each (node, &p->threads)
		set |= list_entry(node, struct task, link)->signals.set;
	return set;
}

static inline void signal_info_init_sender(siginfo_t *info, int sig, int code)
{
	signal_info_init(info, sig, code);
	info->si_pid = process_current()->nr;
	info->si_uid = process_current()->cred.uid;
}

/*
 * The deadline that a call of syscall_restart_until() goes by: `fresh`, or, if
 * it is made again, its first.
 */
static inline uint64_t syscall_deadline(uint64_t fresh)
{
	struct task *t = task_current();
	uint64_t deadline = t->restart_deadline_ns ? t->restart_deadline_ns : fresh;

	t->restart_deadline_ns = 0;
	return deadline;
}

/* --- Numbers (pid.c) ----------------------------------------------------------------------- */

/* A new number with one reference; NULL: no memory, or none is free. */
struct pid *pid_alloc(void);
/* All with tree_lock held. */
struct pid *pid_find(pid_t nr);
void pid_ref(struct pid *pid);
void pid_unref(struct pid *pid);
/* The number that was given last, and how many were since the start.  tree_lock held. */
struct pid_counts {
	pid_t last;
	uint64_t given;
};
void pid_counts(struct pid_counts *out);
/* Call fn for every process, zombies included, in no order; it may not change the tree. */
void process_for_each(void (*fn)(struct process *p, void *arg), void *arg);
/* The process with the lowest pid that is at least nr, or NULL: for listings. */
struct process *process_next(pid_t nr);

/* --- Life (process.c, exit.c, wait.c) ------------------------------------------------------ */

/* Once, in the main thread, after mm and fs: the process layer, its terminals and /proc. */
void process_init(void);

/* What clone() asks for; the flags are checked. */
struct clone_request {
	uint64_t flags; /* CLONE_ */
	int exit_signal;
	vaddr_t stack; /* 0: the parent's */
	vaddr_t tls, parent_tid, child_tid;
};
/*
 * A child of the running process, or with CLONE_THREAD a thread of it.  Its number, or -EAGAIN,
 * -ENOMEM; -EINTR, when signals come first: the call is made again.
 */
long process_clone(const struct clone_request *request);

/* Make pid 1 and start it; argv and the rest come from the command line.  Panics on failure. */
void process_start_init(void);

/* The running thread, or the process it is of, lets its parent of clone(CLONE_VFORK) go on. */
void vfork_done(struct task *t);

/* End the whole process; status as in wait4. */
_Noreturn void process_exit_group(int status);
/* End the running thread; the last one ends the process with the status. */
_Noreturn void process_exit_thread(int status);
/* Mark it as ending (only the first status counts) and notify its threads. */
void process_kill(struct process *p, int status);
void process_kill_locked(struct process *p, int status);

/*
 * exec's last step that can fail: all other threads of the running process end, and the running one
 * gets the process's number.  -EAGAIN or -EINTR: it must exit itself.
 */
int process_end_other_threads(void) __attribute__((warn_unused_result));

/*
 * What a process gets with a new program: memory, and copies of what it has
 * shared; NULL: it keeps it.
 */
struct process_parts {
	struct vmspace *vm;
	struct files *files;
	struct signal_actions *actions;
};
void process_parts_put(struct process_parts *parts);
/*
 * exec was successful: what a new program does not inherit goes.  The parts are
 * the process's now.
 */
void process_execed(struct process *p, struct process_parts *parts, const char *name);

/*
 * One more thread is about to be made in p, the caller's process or a new one: it counts for p's
 * user. -EAGAIN: for the caller's RLIMIT_NPROC, or for the machine (kernel/user.h), it is one too
 * many.
 */
int process_count_thread(struct process *p) __attribute__((warn_unused_result));
/*
 * It has ended, or could not be made.  The last one that counts: the process
 * has been waited for.
 */
void process_uncount_thread(struct process *p); /* lock held, or p is not in the tree */

void process_ref(struct process *p);
void process_unref(struct process *p);

/* Which children to wait for, and what for (abi/wait.h). */
struct wait_request {
	int which; /* P_ALL, P_PID, P_PGID */
	pid_t nr;  /* of the process or of the group; group 0: the caller's */
	unsigned options;
};
struct wait_report {
	pid_t pid;
	uint32_t uid;
	int status; /* as wait4 reports it */
	struct cpu_times times;
};
/* The pid of the child that is reported, 0 with WNOHANG when there is nothing, -ECHILD, -EINTR. */
long process_wait(const struct wait_request *request, struct wait_report *report);

/* The process stopped or went on: tell the parent, with CLD_STOPPED or CLD_CONTINUED. */
void process_report_stop(struct process *p, int code);

/* With p->lock held: its memory with a reference, or NULL.  For other processes' eyes. */
struct vmspace *process_vm_get(struct process *p);

/* --- Groups and sessions (group.c); tree_lock not held -------------------------------------- */

int process_set_group(pid_t pid, pid_t group);
long process_new_session(void);

/* Nobody is left who could continue its stopped members. */
bool group_is_orphaned(struct pid *group); /* tree_lock held */
/*
 * p becomes a zombie, while it still has its children: its group, or one of theirs, may be orphaned
 * by that.  tree_lock held.
 */
void group_left_by(struct process *p);
/* Send to all members.  tree_lock held.  Returns how many there were. */
unsigned signal_send_group(struct pid *group, const siginfo_t *info);

/* --- CPU time (times.c, kernel/syscall/sys_itimer.c) ----------------------------------------- */

/* Of a process so far, ended threads included. */
void process_times(struct process *p, struct cpu_times *times);
/* The same without faults; only spin locks. */
void process_cpu_times(struct process *p, struct cpu_times *times);
/* Of one thread, without faults. */
void task_times(struct task *t, struct cpu_times *times);
void cpu_times_add(struct cpu_times *to, const struct cpu_times *from);
struct rusage rusage_of(const struct cpu_times *times);

/* Timers or limits of CPU time have changed: are there any? */
void process_watch_cpu(struct process *p);
/* On the way to user mode, after a tick of a process that is watched: what has come. */
void process_cpu_tick(void);

static inline uint64_t process_limit(struct process *p, unsigned which)
{
	return __atomic_load_n(&p->limits[which].rlim_cur, __ATOMIC_RELAXED);
}

/* A child's copy of the parent's; 0 or -ENOMEM.  The end of p's. */
int process_inherit_groups(struct process *p, const struct process *parent);
void process_free_groups(struct process *p);

/* Effective uid 0 is all the privilege that there is. */
static inline bool process_is_privileged(const struct process *p)
{
	return p->cred.euid == 0;
}

/* May it lock memory at all?  How much is said by the limit, and by privilege not at all. */
static inline bool process_may_lock_memory(struct process *p)
{
	return process_is_privileged(p) || process_limit(p, RLIMIT_MEMLOCK) > 0;
}

/* Have p's limits hold for the memory, too. */
void process_limit_vm(struct process *p, struct vmspace *vm);
