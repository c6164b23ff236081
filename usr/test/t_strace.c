// SPDX-License-Identifier: MIT
// strace, and /proc/strace below it: what is told of calls, over fork and exec, and what tracing
// does to those who are traced. It is Mapache's own.
#include <abi/strace.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static char said[64 << 10];

// Runs strace with its output into `said`, and returns its wait status.
static int strace(char *const argv[])
{
	int fd, status;
	ssize_t n;
	pid_t pid = (pid_t)CHECK_OK(fork());

	if (pid == 0) {
		fd = (int)CHECK_OK(open("/dev/null", O_WRONLY));
		CHECK(dup2(fd, 1) == 1 && dup2(fd, 2) == 2 && close(fd) == 0);
		execv("/bin/strace", argv);
		_exit(126);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	fd = (int)CHECK_OK(open("out", O_RDONLY));
	n = (ssize_t)CHECK_OK(read(fd, said, sizeof said - 1));
	said[n] = '\0';
	CHECK_OK(close(fd));
	return status;
}

#define STRACE(...) strace((char *[]){"strace", "-o", "out", __VA_ARGS__, NULL})

// The text is there, behind FROM; returns what follows it.
static const char *says(const char *from, const char *text)
{
	const char *at = strstr(from, text);

	if (!at)
		FAIL("no \"%s\" in: %.300s", text, from);
	return at + strlen(text);
}

static void put_file(const char *name, const char *text)
{
	int fd = (int)CHECK_OK(open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_OK(close(fd));
}

static void one_line_a_call(void)
{
	const char *at = said;

	put_file("in", "two\n\"lines\"\n");
	CHECK_EQ(STRACE("cat", "in", "missing"), 1 << 8);
	at = says(at, "execve(\"/bin/cat\", ");
	at = says(at, ") = 0\nopenat(AT_FDCWD, \"in\", O_RDONLY, 0) = 3\n");
	at = says(at, "read(3, \"two\\n\\\"lines\\\"\\n\", ");
	at = says(at, ") = 12\nwrite(1, \"two\\n\\\"lines\\\"\\n\", 12) = 12\n");
	at = says(at, "close(3) = 0\n");
	at = says(at, "openat(AT_FDCWD, \"missing\", O_RDONLY, 0) = -1 ENOENT (No such file or "
		      "directory)\n");
	at = says(at, "exit_group(1) = ?\n+++ exited with 1 +++\n");
	CHECK_EQ(*at, '\0');
	CHECK(strncmp(said, "execve", 6) == 0);
}

static void names_of_flags(void)
{
	const char *at = said;

	CHECK_EQ(STRACE("-f", "-e", "trace=openat,mkdirat,mmap", "sh", "-c",
			 "echo a > new; exec mkdir folder"),
		0);
	CHECK(!strstr(said, "write(") && !strstr(said, "execve("));
	at = says(said, "mmap(NULL, ");
	at = says(at, "PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x");
	at = says(at, "openat(AT_FDCWD, \"new\", O_WRONLY|O_CREAT|O_TRUNC");
	at = says(at, ", 0666) = ");
	at = says(at, "mkdirat(AT_FDCWD, \"folder\", 0777) = 0\n");
	says(at, "+++ exited with 0 +++\n");
}

// The lines of another process, from the first such text on.
static int pid_before(const char *text)
{
	const char *at = strstr(said, text), *line = at;

	CHECK(at != NULL);
	while (line > said && line[-1] != '\n')
		line--;
	CHECK(strncmp(line, "[pid ", 5) == 0);
	return atoi(line + 5);
}

static void follows_fork_and_exec(void)
{
	int shell, cat;

	put_file("in", "text\n");
	CHECK_EQ(STRACE("-f", "sh", "-c", "cat in; true; exit 3"), 3 << 8);
	shell = pid_before("execve(\"/bin/sh\"");
	cat = pid_before("execve(\"/bin/cat\"");
	CHECK(shell > 0 && cat > 0 && shell != cat);
	CHECK_EQ(pid_before("write(1, \"text\\n\", 5) = 5"), cat);
	CHECK_EQ(pid_before("clone(SIGCHLD, "), shell);
	CHECK_EQ(pid_before("+++ exited with 3 +++"), shell);
}

static void without_f_children_are_their_own(void)
{
	CHECK_EQ(STRACE("sh", "-c", "true; cat /dev/null; exit 0"), 0);
	CHECK(!strstr(said, "execve(\"/bin/cat\"") && !strstr(said, "[pid"));
}

static void killed(void)
{
	CHECK_EQ(STRACE("sh", "-c", "kill -9 $$"), (128 + SIGKILL) << 8);
	says(said, "+++ killed by SIGKILL +++\n");
}

static void no_such_command(void)
{
	CHECK_EQ(STRACE("/nothing"), 127 << 8);
	says(said, "execve(\"/nothing\", ");
	says(said, " = -1 ENOENT (");
}

// --- the stream

static int open_stream(void)
{
	return (int)CHECK_OK(open("/proc/strace", O_RDWR));
}

static int attach(int stream, pid_t pid, const char *how)
{
	char line[32];
	int n = snprintf(line, sizeof line, "%d%s", pid, how);

	return write(stream, line, (size_t)n) == n ? 0 : errno;
}

// The next record, without what it shows; false: there are no more.
static bool next_record(int stream, struct strace_record *r)
{
	static char rest[STRACE_RECORD_MAX];
	size_t more;

	if (read(stream, r, sizeof *r) != (ssize_t)sizeof *r)
		return false;
	more = r->bytes - sizeof *r;
	CHECK(more == 0 || read(stream, rest, more) == (ssize_t)more);
	return true;
}

// A child that waits for a byte and then goes on.
static pid_t waiting_child(int stream, int *go, void (*then)(void))
{
	int ends[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		close(ends[1]);
		close(stream);
		if (read(ends[0], &byte, 1) == 1)
			then();
		_exit(0);
	}
	CHECK_OK(close(ends[0]));
	*go = ends[1];
	return pid;
}

#define MANY_CALLS 20000 // more than a ring has room for

static void call_often(void)
{
	for (int i = 0; i < MANY_CALLS; i++)
		syscall(SYS_getuid);
	_exit(7);
}

static void let_go(int go)
{
	CHECK_EQ(write(go, "", 1), 1);
	CHECK_OK(close(go));
}

static void nothing_is_lost(void)
{
	int stream = open_stream(), go, n = 0, status = -1;
	pid_t pid = waiting_child(stream, &go, call_often);
	struct strace_record r;

	CHECK_EQ(attach(stream, pid, ""), 0);
	let_go(go);
	while (next_record(stream, &r)) {
		CHECK(r.pid == pid && r.tid == pid);
		n += r.event == STRACE_EXIT && r.number == SYS_getuid;
		if (r.event == STRACE_GONE)
			status = (int)r.values[0];
	}
	CHECK_EQ(n, MANY_CALLS);
	CHECK_EQ(status, 7 << 8);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

// Who is traced waits for its tracer; without one it goes on.
static void tracer_that_ends(void)
{
	int stream = open_stream(), go, status;
	pid_t pid = waiting_child(stream, &go, call_often);

	CHECK_EQ(attach(stream, pid, ""), 0);
	let_go(go);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(close(stream));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 7 << 8);
}

static void who_waits_can_be_killed(void)
{
	int stream = open_stream(), go, status;
	pid_t pid = waiting_child(stream, &go, call_often);

	CHECK_EQ(attach(stream, pid, ""), 0);
	let_go(go);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(close(stream));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, SIGKILL);
}

static char state_of(pid_t pid)
{
	char name[32], line[256], *at;
	int fd;
	ssize_t n;

	snprintf(name, sizeof name, "/proc/%d/stat", pid);
	fd = (int)CHECK_OK(open(name, O_RDONLY));
	n = CHECK_OK(read(fd, line, sizeof line - 1));
	CHECK_OK(close(fd));
	line[n] = '\0';
	CHECK((at = strrchr(line, ')')) != NULL);
	return at[2];
}

// The ring is full, and nobody but the killed one itself could ever read it.
static void who_ends_waits_for_nobody(void)
{
	int stream = open_stream(), ends[2], status;
	char byte;
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		if (read(ends[0], &byte, 1) == 1)
			call_often();
		_exit(1);
	}
	CHECK_EQ(attach(stream, pid, ""), 0);
	CHECK_OK(close(stream));
	let_go(ends[1]);
	while (state_of(pid) != 'D')
		sched_yield();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, SIGKILL);
}

static void who_may_trace_whom(void)
{
	int stream = open_stream(), other = open_stream(), go, status;
	pid_t pid = waiting_child(stream, &go, call_often), judge;

	CHECK_EQ(attach(stream, getpid(), ""), EPERM);
	CHECK_EQ(attach(stream, 32000, ""), ESRCH);
	CHECK_EQ(attach(stream, 0, ""), EINVAL);
	CHECK_EQ(attach(stream, pid, " well"), EINVAL);
	judge = (pid_t)CHECK_OK(fork());
	if (judge == 0) {
		if (setuid(1000) != 0)
			_exit(1);
		_exit(attach(stream, pid, "") == EPERM ? 0 : 2);
	}
	must_exit_well(judge);
	CHECK_EQ(attach(stream, pid, ""), 0);
	CHECK_EQ(attach(other, pid, ""), EPERM);
	CHECK_OK(close(stream));
	let_go(go);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void run_with_more_rights(void)
{
	execl("raise", "raise", (char *)NULL);
	_exit(1);
}

static void exec_with_more_rights(void)
{
	int stream, go, status;
	struct strace_record r;
	pid_t pid;

	CHECK(system("cp /bin/true raise && chmod 4755 raise && chmod 755 .") == 0);
	CHECK_OK(setuid(1000));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1)); // as after a login: others of this user may look
	stream = open_stream();
	pid = waiting_child(stream, &go, run_with_more_rights);
	CHECK_EQ(attach(stream, pid, ""), 0);
	let_go(go);
	while (next_record(stream, &r))
		CHECK(r.event != STRACE_GONE && r.number != SYS_exit_group);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static const struct test tests[] = {
	{"one_line_a_call", one_line_a_call},
	{"names_of_flags", names_of_flags},
	{"follows_fork_and_exec", follows_fork_and_exec},
	{"without_f_children_are_their_own", without_f_children_are_their_own},
	{"killed", killed},
	{"no_such_command", no_such_command},
	{"nothing_is_lost", nothing_is_lost},
	{"tracer_that_ends", tracer_that_ends},
	{"who_waits_can_be_killed", who_waits_can_be_killed},
	{"who_ends_waits_for_nobody", who_ends_waits_for_nobody},
	{"who_may_trace_whom", who_may_trace_whom},
	{"exec_with_more_rights", exec_with_more_rights},
};

BEYOND_CORE_MAIN(tests)
