// SPDX-License-Identifier: MIT
/*
 * Processes: fork, wait, groups, identity, limits, and calls about the system as a whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscall.h"

/* The child runs on a copy of the parent's stack: 0 as the new one's address. */
pid_t fork(void)
{
	return (pid_t)SYSCALL_ERRNO(clone, SIGCHLD, 0, 0, 0, 0);
}

/* Of clone.S. */
long __syscall_error(long result);

long __syscall_error(long result)
{
	return set_errno(result);
}

pid_t wait(int *status)
{
	return wait4(-1, status, 0, NULL);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait4(pid, status, options, NULL);
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return (pid_t)SYSCALL_ERRNO(wait4, pid, status, options, usage);
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return (int)SYSCALL_ERRNO(waitid, type, id, info, options, 0);
}

pid_t getpid(void)
{
	return (pid_t)SYSCALL(getpid);
}

pid_t getppid(void)
{
	return (pid_t)SYSCALL(getppid);
}

pid_t gettid(void)
{
	return (pid_t)SYSCALL(gettid);
}

pid_t getpgrp(void)
{
	return getpgid(0);
}

pid_t getpgid(pid_t pid)
{
	return (pid_t)SYSCALL_ERRNO(getpgid, pid);
}

int setpgid(pid_t pid, pid_t group)
{
	return (int)SYSCALL_ERRNO(setpgid, pid, group);
}

pid_t getsid(pid_t pid)
{
	return (pid_t)SYSCALL_ERRNO(getsid, pid);
}

pid_t setsid(void)
{
	return (pid_t)SYSCALL_ERRNO(setsid);
}

int sched_yield(void)
{
	return (int)SYSCALL_ERRNO(sched_yield);
}

/* Identity */

uid_t getuid(void)
{
	return (uid_t)SYSCALL(getuid);
}

uid_t geteuid(void)
{
	return (uid_t)SYSCALL(geteuid);
}

gid_t getgid(void)
{
	return (gid_t)SYSCALL(getgid);
}

gid_t getegid(void)
{
	return (gid_t)SYSCALL(getegid);
}

int setuid(uid_t user)
{
	return (int)SYSCALL_ERRNO(setuid, user);
}

int setgid(gid_t group)
{
	return (int)SYSCALL_ERRNO(setgid, group);
}

int seteuid(uid_t user)
{
	return setresuid((uid_t)-1, user, (uid_t)-1);
}

int setegid(gid_t group)
{
	return setresgid((gid_t)-1, group, (gid_t)-1);
}

int setreuid(uid_t real, uid_t effective)
{
	return (int)SYSCALL_ERRNO(setreuid, real, effective);
}

int setregid(gid_t real, gid_t effective)
{
	return (int)SYSCALL_ERRNO(setregid, real, effective);
}

int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return (int)SYSCALL_ERRNO(setresuid, real, effective, saved);
}

int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return (int)SYSCALL_ERRNO(setresgid, real, effective, saved);
}

int getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
	return (int)SYSCALL_ERRNO(getresuid, real, effective, saved);
}

int getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
	return (int)SYSCALL_ERRNO(getresgid, real, effective, saved);
}

int getgroups(int size, gid_t groups[])
{
	return (int)SYSCALL_ERRNO(getgroups, size, groups);
}

int setgroups(size_t n, const gid_t *groups)
{
	return (int)SYSCALL_ERRNO(setgroups, n, groups);
}

int setfsuid(uid_t uid)
{
	return (int)SYSCALL(setfsuid, uid);
}

int setfsgid(gid_t gid)
{
	return (int)SYSCALL(setfsgid, gid);
}

/* What a process wants to happen to it */

int prctl(int option, ...)
{
	unsigned long a[4];
	va_list args;

	va_start(args, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(args, unsigned long);
	va_end(args);
	return (int)SYSCALL_ERRNO(prctl, option, a[0], a[1], a[2], a[3]);
}

int personality(unsigned long wanted)
{
	return (int)SYSCALL_ERRNO(personality, wanted);
}

/* Limits and usage */

int prlimit(pid_t pid, int resource, const struct rlimit *new, struct rlimit *old)
{
	return (int)SYSCALL_ERRNO(prlimit64, pid, resource, new, old);
}

int getrlimit(int resource, struct rlimit *to)
{
	return prlimit(0, resource, NULL, to);
}

int setrlimit(int resource, const struct rlimit *from)
{
	return prlimit(0, resource, from, NULL);
}

int getrusage(int who, struct rusage *to)
{
	return (int)SYSCALL_ERRNO(getrusage, who, to);
}

/* The kernel says 20 - priority, so that errors are the only negative results. */
int getpriority(int which, id_t who)
{
	long r = SYSCALL_ERRNO(getpriority, which, who);

	return r < 0 ? -1 : (int)(20 - r);
}

int setpriority(int which, id_t who, int priority)
{
	return (int)SYSCALL_ERRNO(setpriority, which, who, priority);
}

int nice(int increment)
{
	int old;

	errno = 0;
	old = getpriority(PRIO_PROCESS, 0);
	if (old == -1 && errno)
		return -1;
	return setpriority(PRIO_PROCESS, 0, old + increment) == 0 ? old + increment : -1;
}

/* The system */

int uname(struct utsname *to)
{
	return (int)SYSCALL_ERRNO(uname, to);
}

int sysinfo(struct sysinfo *to)
{
	return (int)SYSCALL_ERRNO(sysinfo, to);
}

int sethostname(const char *name, size_t size)
{
	return (int)SYSCALL_ERRNO(sethostname, name, size);
}

int reboot(unsigned command)
{
	return (int)SYSCALL_ERRNO(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, 0);
}

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
	return SYSCALL_ERRNO(getrandom, to, n, flags);
}

int getentropy(void *to, size_t n)
{
	if (n > 256) {
		errno = EIO;
		return -1;
	}
	return getrandom(to, n, 0) == (ssize_t)n ? 0 : -1;
}

long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return set_errno(syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
