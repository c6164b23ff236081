// SPDX-License-Identifier: MIT
/*
 * waitid: wait4 with the choice of what to wait for, without reaping if so wished, and with a
 * siginfo as its answer.
 */
#include <abi/errno.h>
#include <abi/wait.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define WAITID_EVENTS  (WEXITED | WSTOPPED | WCONTINUED)
#define WAITID_OPTIONS (WAITID_EVENTS | WNOHANG | WNOWAIT | __WNOTHREAD | __WALL | __WCLONE)

/* There are no descriptors of processes: what P_PIDFD is given is none. */
static int check(int which, pid_t nr, unsigned options)
{
	if ((options & ~WAITID_OPTIONS) || !(options & WAITID_EVENTS))
		return -EINVAL;
	switch (which) {
	case P_ALL:
		return 0;
	case P_PID:
		return nr > 0 ? 0 : -EINVAL;
	case P_PGID:
		return nr >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		return nr >= 0 ? -EBADF : -EINVAL;
	default:
		return -EINVAL;
	}
}

static siginfo_t info_of(const struct wait_report *report)
{
	int status = report->status, code, value;

	if (WIFCONTINUED(status))
		code = CLD_CONTINUED, value = SIGCONT;
	else if (WIFSTOPPED(status))
		code = CLD_STOPPED, value = WSTOPSIG(status);
	else if (WIFEXITED(status))
		code = CLD_EXITED, value = WEXITSTATUS(status);
	else
		code = CLD_KILLED, value = WTERMSIG(status);
	siginfo_t info = signal_info(SIGCHLD, code);
	info.si_pid = report->pid;
	info.si_uid = report->uid;
	info.si_status = value;
	return info;
}

/* Only so much is written as there is to say. */
#define INFO_BYTES offsetof(siginfo_t, si_utime)

long sys_waitid(long which, long nr, uaddr_t info_to, unsigned long options, uaddr_t usage_to)
{
	struct wait_request request = {(int)which, (pid_t)nr, (unsigned)options};
	struct wait_report report;
	int err = check(request.which, request.nr, request.options);

	if (err)
		return err;
	long pid = process_wait(&request, &report);
	if (pid == -EINTR)
		return syscall_restart(RESTART_SA);
	if (pid < 0)
		return pid;
	if (pid && !uaddr_is_null(usage_to)) {
		struct rusage usage = rusage_of(&report.times);
		if (put_user(usage_to, &usage))
			return -EFAULT;
	}
	siginfo_t info = pid ? info_of(&report) : (siginfo_t){0};
	return uaddr_is_null(info_to) ? 0 : copy_out(info_to, &info, INFO_BYTES);
}
