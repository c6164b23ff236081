// SPDX-License-Identifier: MIT
/*
 * System calls on processes: life, identity, limits, the machine.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/reboot.h>
#include <abi/sched.h>
#include <abi/sysinfo.h>
#include <abi/utsname.h>
#include <abi/wait.h>
#include <kernel/cpu.h>
#include <kernel/exec.h>
#include <kernel/files.h>
#include <kernel/frames.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/procfs.h>
#include <kernel/random.h>
#include <kernel/shutdown.h>
#include <kernel/release.h>
#include <kernel/syscall.h>
#include <kernel/vmspace.h>

/* --- Life ------------------------------------------------------------------------------------ */

#define CLONE_HANDLED                                                                         \
	(CSIGNAL | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |         \
		CLONE_VFORK | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |            \
		CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED | \
		CLONE_IO)

/* All or none of each: shared signal actions need shared memory, one process shares all. */
static bool clone_flags_fit(uint64_t flags)
{
	const uint64_t of_threads = CLONE_SIGHAND | CLONE_FS | CLONE_FILES;

	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return false;
	return !(flags & CLONE_THREAD) || (flags & of_threads) == of_threads;
}

long sys_clone(
	unsigned long flags, vaddr_t stack, uaddr_t parent_tid, vaddr_t tls, uaddr_t child_tid)
{
	struct clone_request request = {
		.flags = flags & 0xffffffff,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid.addr,
		.child_tid = child_tid.addr,
	};

	if ((request.flags & ~(uint64_t)CLONE_HANDLED) || !clone_flags_fit(request.flags))
		return -EINVAL;
	if (request.exit_signal >= NSIG)
		return -EINVAL;
	return process_clone(&request);
}

long sys_execve(uaddr_t path, uaddr_t argv, uaddr_t envp)
{
	struct exec_request request = {.dir = AT_FDCWD, .argv.user = argv, .envp.user = envp};

	return process_exec_user(&request, path);
}

long sys_exit(long status)
{
	process_exit_thread((status & 0xff) << 8);
}

long sys_exit_group(long status)
{
	process_exit_group((status & 0xff) << 8);
}

#define WAIT_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)

static struct wait_request wait4_request(pid_t pid, unsigned options)
{
	return (struct wait_request){
		.which = pid > 0     ? P_PID
			 : pid == -1 ? P_ALL
				     : P_PGID,
		.nr = pid < 0 ? -pid : pid,
		.options = options | WEXITED,
	};
}

long sys_wait4(long pid, uaddr_t status_to, unsigned long options, uaddr_t usage_to)
{
	struct wait_report report;

	if ((unsigned)options & ~WAIT_OPTIONS)
		return -EINVAL;
	if ((pid_t)pid == INT32_MIN)
		return -ESRCH;
	struct wait_request request = wait4_request((pid_t)pid, (unsigned)options);
	long result = process_wait(&request, &report);
	if (result == -EINTR)
		return syscall_restart(RESTART_SA);
	if (result <= 0)
		return result;
	if (!uaddr_is_null(status_to) && put_user(status_to, &report.status))
		return -EFAULT;
	if (!uaddr_is_null(usage_to)) {
		struct rusage usage = rusage_of(&report.times);
		if (put_user(usage_to, &usage))
			return -EFAULT;
	}
	return result;
}

long sys_set_tid_address(vaddr_t tid)
{
	struct task *t = task_current();

	t->clear_child_tid = tid;
	return t->pid->nr;
}

long sys_set_robust_list(vaddr_t head, size_t size)
{
	if (size != 3 * sizeof(long))
		return -EINVAL;
	task_current()->robust_list = head;
	return 0;
}

/* --- Identity -------------------------------------------------------------------------------- */

long sys_getpid(void)
{
	return process_current()->nr;
}

long sys_gettid(void)
{
	return task_current()->pid->nr;
}

/* The number beside the pointer needs no lock: the parent may be gone a moment later anyway. */
long sys_getppid(void)
{
	return __atomic_load_n(&process_current()->parent_nr, __ATOMIC_RELAXED);
}

long sys_getuid(void)
{
	return process_current()->cred.uid;
}

long sys_geteuid(void)
{
	return process_current()->cred.euid;
}

long sys_getgid(void)
{
	return process_current()->cred.gid;
}

long sys_getegid(void)
{
	return process_current()->cred.egid;
}

long sys_setpgid(long pid, long group)
{
	return process_set_group((pid_t)pid, (pid_t)group);
}

/* The group (or session) of a process; 0 is the caller. */
static long number_of(pid_t nr, bool session)
{
	long result = -ESRCH;

	spin_lock(&tree_lock);
	struct pid *pid = nr ? pid_find(nr) : process_current()->pid;
	if (pid && pid->process)
		result = session ? pid->process->session->nr : pid->process->group->nr;
	spin_unlock(&tree_lock);
	return result;
}

long sys_getpgid(long pid)
{
	return number_of((pid_t)pid, false);
}

long sys_getsid(long pid)
{
	return number_of((pid_t)pid, true);
}

long sys_setsid(void)
{
	return process_new_session();
}

/* --- Limits, times --------------------------------------------------------------------------- */

/* A process by pid with a reference, 0 is the caller; NULL: none. */
static struct process *process_get(pid_t nr)
{
	struct process *p = NULL;

	spin_lock(&tree_lock);
	struct pid *pid = nr ? pid_find(nr) : process_current()->pid;
	if (pid && pid->process) {
		p = pid->process;
		process_ref(p);
	}
	spin_unlock(&tree_lock);
	return p;
}

static int set_limit(
	struct process *p, unsigned which, const struct rlimit *set, struct rlimit *old)
{
	bool privileged = process_current()->cred.euid == 0;
	int err = 0;

	spin_lock(&p->lock);
	*old = p->limits[which];
	if (set && set->rlim_cur > set->rlim_max)
		err = -EINVAL;
	else if (set && set->rlim_max > old->rlim_max && !privileged)
		err = -EPERM;
	else if (set && which == RLIMIT_NOFILE && set->rlim_max > FILES_MOST)
		err = -EPERM;
	else if (set)
		p->limits[which] = *set;
	if (set && !err && p->vm)
		vmspace_set_limits(p->vm, p);
	spin_unlock(&p->lock);
	process_watch_cpu(p);
	return err;
}

/* Whose limits may the running process see and set? */
static bool may_limit(struct process *p)
{
	const struct credentials *self = &process_current()->cred, *c = &p->cred;

	return p == process_current() || self->euid == 0 ||
	       (self->uid == c->uid && self->uid == c->euid && self->uid == c->suid &&
		       self->gid == c->gid && self->gid == c->egid && self->gid == c->sgid);
}

long sys_prlimit64(long pid, unsigned long which, uaddr_t new_from, uaddr_t old_to)
{
	bool setting = !uaddr_is_null(new_from);
	struct rlimit set = {0}, old;

	if ((unsigned)which >= RLIM_NLIMITS)
		return -EINVAL;
	if (setting && get_user(&set, new_from))
		return -EFAULT;
	struct process *p = process_get((pid_t)pid);
	if (!p)
		return -ESRCH;
	int err =
		may_limit(p) ? set_limit(p, (unsigned)which, setting ? &set : NULL, &old) : -EPERM;
	process_unref(p);
	if (!err && !uaddr_is_null(old_to) && put_user(old_to, &old))
		err = -EFAULT;
	return err;
}

static void children_times(struct cpu_times *times)
{
	spin_lock(&tree_lock);
	*times = process_current()->dead_children;
	spin_unlock(&tree_lock);
}

long sys_getrusage(long who, uaddr_t usage_to)
{
	struct cpu_times times = {0};

	switch ((int)who) {
	case RUSAGE_SELF:
		process_times(process_current(), &times);
		break;
	case RUSAGE_CHILDREN:
		children_times(&times);
		break;
	case RUSAGE_THREAD:
		task_times(task_current(), &times);
		break;
	default:
		return -EINVAL;
	}
	struct rusage usage = rusage_of(&times);
	return put_user(usage_to, &usage);
}

static int64_t clock_ticks(uint64_t ns)
{
	return (int64_t)(ns / (NS_PER_SEC / CLOCK_TICKS_PER_SEC));
}

long sys_times(uaddr_t times_to)
{
	struct cpu_times own, children;

	process_times(process_current(), &own);
	children_times(&children);
	struct tms tms = {
		.tms_utime = clock_ticks(own.user_ns),
		.tms_stime = clock_ticks(own.system_ns),
		.tms_cutime = clock_ticks(children.user_ns),
		.tms_cstime = clock_ticks(children.system_ns),
	};
	if (!uaddr_is_null(times_to) && put_user(times_to, &tms))
		return -EFAULT;
	return clock_ticks(time_now_ns());
}

/* --- The machine ------------------------------------------------------------------------------ */

long sys_sched_yield(void)
{
	if (cpu_this()->rq.queued)
		return thread_yield();
	return 0;
}

long sys_uname(uaddr_t to)
{
	static const struct utsname name = {
		.sysname = KERNEL_SYSNAME,
		.nodename = KERNEL_NODE,
		.release = KERNEL_RELEASE,
		.version = KERNEL_VERSION,
		.machine = "riscv64",
		.domainname = KERNEL_DOMAIN,
	};

	return put_user(to, &name);
}

static void count_threads(struct process *p, void *n)
{
	*(uint16_t *)n += (uint16_t)p->n_threads;
}

long sys_sysinfo(uaddr_t to)
{
	struct sysinfo info = {
		.uptime = (int64_t)(time_now_ns() / NS_PER_SEC),
		.totalram = frames_total() * PAGE_SIZE,
		.freeram = frames_free_count() * PAGE_SIZE,
		.mem_unit = 1,
	};

	load_averages(info.loads, SI_LOAD_SHIFT);
	spin_lock(&tree_lock);
	process_for_each(count_threads, &info.procs);
	spin_unlock(&tree_lock);
	return put_user(to, &info);
}

long sys_getrandom(uaddr_t to, size_t bytes, unsigned long flags)
{
	uint8_t chunk[256];
	size_t done = 0;

	if ((unsigned)flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (bytes > INT32_MAX)
		bytes = INT32_MAX;
	while (done < bytes) {
		size_t n = bytes - done < sizeof chunk ? bytes - done : sizeof chunk;
		random_bytes(chunk, n);
		if (copy_out(uaddr_add(to, done), chunk, n))
			return done ? (long)done : -EFAULT;
		done += n;
		if (signal_pending())
			break;
	}
	return (long)done;
}

static bool reboot_magic(uint32_t magic1, uint32_t magic2)
{
	return magic1 == LINUX_REBOOT_MAGIC1 &&
	       (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
		       magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

/* In order, unlike Linux: no data is lost to a missing sync. */
long sys_reboot(unsigned long magic1, unsigned long magic2, unsigned long command, uaddr_t argument)
{
	(void)argument;
	if (process_current()->cred.euid)
		return -EPERM;
	if (!reboot_magic((uint32_t)magic1, (uint32_t)magic2))
		return -EINVAL;
	switch ((uint32_t)command) {
	case LINUX_REBOOT_CMD_RESTART:
		machine_shutdown(0, true);
	case LINUX_REBOOT_CMD_HALT:
	case LINUX_REBOOT_CMD_POWER_OFF:
		machine_shutdown(0, false);
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* there is no such key */
	default:
		return -EINVAL;
	}
}
