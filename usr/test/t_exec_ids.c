// SPDX-License-Identifier: MIT
// exec and identity: set-user-id and set-group-id programs, what they are told, and execveat. The
// program that is run is a copy of this one, which reports who it is.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/threads.h"

#define REPORT_FD 9

struct report {
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;
	unsigned long at_uid, at_euid, at_gid, at_egid, secure;
	unsigned long page, ticks, phdr, phent, phnum, entry, hwcap;
	unsigned char random[16];
	char name[64], execfn[64];
};

static int report(const char *name)
{
	struct report r = {
		.at_uid = getauxval(AT_UID),
		.at_euid = getauxval(AT_EUID),
		.at_gid = getauxval(AT_GID),
		.at_egid = getauxval(AT_EGID),
		.secure = getauxval(AT_SECURE),
		.page = getauxval(AT_PAGESZ),
		.ticks = getauxval(AT_CLKTCK),
		.phdr = getauxval(AT_PHDR),
		.phent = getauxval(AT_PHENT),
		.phnum = getauxval(AT_PHNUM),
		.entry = getauxval(AT_ENTRY),
		.hwcap = getauxval(AT_HWCAP),
	};

	memcpy(r.random, (const void *)getauxval(AT_RANDOM), sizeof r.random);

	if (getresuid(&r.uid, &r.euid, &r.suid) || getresgid(&r.gid, &r.egid, &r.sgid))
		return 1;
	strncpy(r.name, name, sizeof r.name - 1);
	strncpy(r.execfn, (const char *)getauxval(AT_EXECFN), sizeof r.execfn - 1);
	return write(REPORT_FD, &r, sizeof r) != sizeof r;
}

static void make_program(const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	int from = (int)CHECK_OK(open("/proc/self/exe", O_RDONLY));
	int to = (int)CHECK_OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700));
	static char block[65536];
	ssize_t n;

	while ((n = CHECK_OK(read(from, block, sizeof block))) > 0)
		CHECK_EQ(write(to, block, (size_t)n), n);
	CHECK_OK(fchown(to, uid, gid));
	CHECK_OK(fchmod(to, mode));
	CHECK_OK(close(from));
	CHECK_OK(close(to));
}

static char *const empty[] = {NULL};
static char *const report_argv[] = {"it", "--report", NULL};

// Where a program is, and who runs it; -1: as this process.
struct run {
	int dir;
	const char *path;
	int flags;
	uid_t uid;
	gid_t gid;
	bool no_new_privs;
};

static void exec_program(void *arg)
{
	struct run *run = arg;

	if (run->gid && setgid(run->gid))
		_exit(90);
	if (run->uid && setuid(run->uid))
		_exit(91);
	if (run->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(92);
	execveat(run->dir, run->path, report_argv, empty, run->flags);
	_exit(errno);
}

// Its report; or what errno it could not be run with.
static int run_program(struct run *run, struct report *r)
{
	int ends[2], status;
	pid_t pid;

	memset(r, 0xff, sizeof *r);
	CHECK_OK(pipe(ends));
	CHECK_EQ(dup2(ends[1], REPORT_FD), REPORT_FD);
	CHECK_OK(close(ends[1]));
	pid = start_child(exec_program, run);
	CHECK_OK(close(REPORT_FD));
	ssize_t n = read(ends[0], r, sizeof *r);
	CHECK_OK(close(ends[0]));
	status = end_child(pid);
	CHECK(WIFEXITED(status));
	CHECK(n == sizeof *r || WEXITSTATUS(status));
	return WEXITSTATUS(status);
}

static void check_users(const struct report *r, uid_t uid, uid_t euid, uid_t suid, bool secure)
{
	CHECK_EQ(r->uid, uid);
	CHECK_EQ(r->euid, euid);
	CHECK_EQ(r->suid, suid);
	CHECK_EQ(r->at_uid, uid);
	CHECK_EQ(r->at_euid, euid);
	CHECK_EQ(r->secure, secure);
}

static void check_groups(const struct report *r, gid_t gid, gid_t egid, gid_t sgid)
{
	CHECK_EQ(r->gid, gid);
	CHECK_EQ(r->egid, egid);
	CHECK_EQ(r->sgid, sgid);
	CHECK_EQ(r->at_gid, gid);
	CHECK_EQ(r->at_egid, egid);
}

// The folder is the harness's; others must be able to go through it.
static void open_folder(void)
{
	CHECK_OK(chmod(".", 0755));
}

static void ordinary_programs(void)
{
	struct run run = {AT_FDCWD, "program", 0, 1000, 100, false};
	struct report r;

	open_folder();
	make_program("program", 7, 8, 0755);
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 1000, 1000, false);
	check_groups(&r, 100, 100, 100);
}

static void set_user_id(void)
{
	struct run run = {AT_FDCWD, "program", 0, 1000, 100, false};
	struct report r;

	open_folder();
	make_program("program", 7, 8, 04755);
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 7, 7, true);
	check_groups(&r, 100, 100, 100);
	run.no_new_privs = true;
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 1000, 1000, false);
}

static void set_group_id(void)
{
	struct run run = {AT_FDCWD, "program", 0, 1000, 100, false};
	struct report r;

	open_folder();
	make_program("program", 7, 8, 02755);
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 1000, 1000, true);
	check_groups(&r, 100, 8, 8);
	make_program("program", 7, 8, 02745); // not executable by the group: another meaning
	CHECK_EQ(run_program(&run, &r), 0);
	check_groups(&r, 100, 100, 100);
}

// The rest of what a program is told.
static void auxiliary_vector(void)
{
	struct run run = {.dir = AT_FDCWD, .path = "./program"};
	struct report r, again;

	make_program("program", 0, 0, 0755);
	CHECK_EQ(run_program(&run, &r), 0);
	CHECK(!strcmp(r.name, "it"));
	CHECK(!strcmp(r.execfn, "./program"));
	CHECK_EQ(r.page, PAGE);
	CHECK_EQ(r.ticks, 100);
	CHECK_EQ(r.phent, sizeof(Elf64_Phdr));
	CHECK(r.phnum > 0 && r.phdr && r.entry);
#ifdef __riscv
	CHECK_EQ(r.hwcap & 0x112d, 0x112d); // I M A F D C
#endif
	CHECK_EQ(run_program(&run, &again), 0);
	CHECK(memcmp(r.random, again.random, sizeof r.random) != 0);
}

// Root's own programs gain nothing, and lose what the file says.
static void root_runs_it(void)
{
	struct run run = {AT_FDCWD, "program", 0, 0, 0, false};
	struct report r;

	make_program("program", 7, 8, 06755);
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 0, 7, 7, true);
	check_groups(&r, 0, 8, 8);
}

static void a_script_gives_no_rights(void)
{
	struct run run = {AT_FDCWD, "script", 0, 1000, 100, false};
	struct report r;
	char cwd[100], line[120] = "#!";
	int fd;

	open_folder();
	make_program("program", 7, 8, 0755);
	CHECK(getcwd(cwd, sizeof cwd));
	strcat(strcat(strcat(line, cwd), "/program"), " --report\n");
	fd = (int)CHECK_OK(open("script", O_WRONLY | O_CREAT, 0755));
	CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
	CHECK_OK(fchmod(fd, 06755));
	CHECK_OK(close(fd));
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 1000, 1000, false);
}

// The right to execute is enough.
static void unreadable_programs(void)
{
	struct run run = {AT_FDCWD, "program", 0, 1000, 100, false};
	struct report r;

	open_folder();
	make_program("program", 0, 0, 0711);
	CHECK_EQ(run_program(&run, &r), 0);
	check_users(&r, 1000, 1000, 1000, false);
	CHECK_OK(chmod("program", 0744));
	CHECK_EQ(run_program(&run, &r), EACCES);
}

static void at_a_folder(void)
{
	struct run run = {.path = "program"};
	struct report r;

	CHECK_OK(mkdir("folder", 0755));
	make_program("folder/program", 0, 0, 0755);
	CHECK_OK(symlink("program", "folder/link"));
	run.dir = (int)CHECK_OK(open("folder", O_RDONLY | O_DIRECTORY));
	CHECK_EQ(run_program(&run, &r), 0);
	CHECK(!strncmp(r.execfn, "/dev/fd/", 8));
	CHECK(strstr(r.execfn, "/program"));
	run.path = "link";
	CHECK_EQ(run_program(&run, &r), 0);
	run.flags = AT_SYMLINK_NOFOLLOW;
	CHECK_EQ(run_program(&run, &r), ELOOP);
	run.path = "program";
	CHECK_EQ(run_program(&run, &r), 0);
	run.path = "missing";
	CHECK_EQ(run_program(&run, &r), ENOENT);
	run = (struct run){.dir = 77, .path = "program"};
	CHECK_EQ(run_program(&run, &r), EBADF);
	run.flags = 1;
	CHECK_EQ(run_program(&run, &r), EINVAL);
}

static void by_descriptor(void)
{
	struct run run = {.path = "", .flags = AT_EMPTY_PATH};
	struct report r;

	make_program("program", 0, 0, 0755);
	run.dir = (int)CHECK_OK(open("program", O_RDONLY | O_CLOEXEC));
	CHECK_EQ(run_program(&run, &r), 0);
	CHECK(!strcmp(r.name, "it"));
	CHECK_OK(unlink("program")); // its name is not needed
	CHECK_EQ(run_program(&run, &r), 0);
	run.flags = 0;
	CHECK_EQ(run_program(&run, &r), ENOENT);
}

// --- what the program before had begun

// A child that ends as soon as its parent, which must have asked for a deadly signal then,
// executes.
static void exec_over_a_child(void *arg)
{
	int ends[2];
	char byte;

	(void)arg;
	CHECK_OK(pipe2(ends, O_CLOEXEC));
	if (syscall(SYS_clone, SIGKILL, 0, 0, 0, 0) == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 5 : 6);
	}
	execl("program", "it", "--wait", (char *)NULL);
}

static int wait_for_child(void)
{
	int status;

	return waitpid(-1, &status, __WALL) > 0 && status == 5 << 8 ? 0 : 1;
}

static void the_signal_of_a_childs_end(void)
{
	make_program("program", 0, 0, 0755);
	CHECK_EQ(end_child(start_child(exec_over_a_child, NULL)), 0);
}

// Once it runs another program it is a child as others are.
static void the_signal_of_its_own_end(void)
{
	int ends[2], status;
	char byte;
	pid_t pid;

	make_program("program", 0, 0, 0755);
	CHECK_OK(pipe2(ends, O_CLOEXEC));
	pid = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	if (pid == 0) {
		execl("program", "it", "--wait", (char *)NULL);
		_exit(9);
	}
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &byte, 1), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 1 << 8); // there was no child
}

// Between the choice of rights and the new program another thread makes children that share the
// umask.
#define SHARERS 8

static _Alignas(16) char sharer_stack[SHARERS][4096];

static int change_umask(void *arg)
{
	(void)arg;
	while (sched_yield() == 0)
		umask(0777);
	return 1;
}

static void share_umask(void *arg)
{
	for (volatile int i = *(int *)arg; i > 0; i--)
		; // too early, and the program gains nothing; too late, and there is no thread
	for (int i = 0; i < SHARERS; i++)
		if (clone(change_umask, sharer_stack[i + 1], CLONE_FS | SIGCHLD, NULL) < 0)
			break;
	for (;;)
		pause();
}

// Status 0: it has other rights than its user's, and nobody changed its umask; or it has not.
static int look_at_umask(void)
{
	if (geteuid() == getuid())
		return 0;
	umask(022);
	for (int i = 0; i < 200; i++) {
		sched_yield();
		if (umask(022) != 022)
			return 1;
	}
	return 0;
}

static void exec_beside_a_sharer(void *arg)
{
	static char long_text[100000];
	static char *argv[] = {"it", "--umask", long_text, long_text, long_text, NULL};
	static struct thread sharer;

	CHECK_OK(setpgid(0, 0));
	CHECK_OK(setuid(1000));
	memset(long_text, 'a', sizeof long_text - 1); // the longer it takes, the more it sees
	thread_begin(&sharer, share_umask, arg);
	execve("program", argv, empty);
}

static void nobody_else_steers_it(void)
{
	open_folder();
	make_program("program", 7, 0, 04755);
	for (int delay = 0; delay < 15000; delay += 300) {
		pid_t pid = start_child(exec_beside_a_sharer, &delay);
		int status = end_child(pid);

		kill(-pid, SIGKILL); // the sharers
		while (waitpid(-1, NULL, 0) > 0)
			;
		CHECK_EQ(status, 0);
	}
}

// --- Writing to what runs

static void run_pausing(void *arg)
{
	(void)arg;
	execl("program", "program", "--pause", NULL);
	_exit(errno);
}

// The one that says so when it pauses.
static pid_t start_pausing(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_EQ(dup2(ends[1], REPORT_FD), REPORT_FD);
	CHECK_OK(close(ends[1]));
	pid = start_child(run_pausing, NULL);
	CHECK_OK(close(REPORT_FD));
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_OK(close(ends[0]));
	return pid;
}

static void a_running_program_is_not_written(void)
{
	pid_t pid;

	make_program("program", 0, 0, 0755);
	pid = start_pausing();
	CHECK_ERR(open("program", O_WRONLY), ETXTBSY);
	CHECK_ERR(open("program", O_RDWR | O_CREAT | O_TRUNC, 0700), ETXTBSY);
	CHECK_ERR(truncate("program", 0), ETXTBSY);
	CHECK_OK(open("program", O_RDONLY));
	CHECK_OK(chmod("program", 0700));
	CHECK_OK(link("program", "same"));
	CHECK_ERR(open("same", O_WRONLY), ETXTBSY);
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
	CHECK_OK(open("program", O_RDWR | O_TRUNC));
}

static void what_is_written_is_not_run(void)
{
	struct run run = {.dir = AT_FDCWD, .path = "program"};
	struct report r;
	int fd;

	make_program("program", 0, 0, 0755);
	fd = (int)CHECK_OK(open("program", O_WRONLY));
	CHECK_EQ(run_program(&run, &r), ETXTBSY);
	CHECK_OK(close(fd));
	CHECK_EQ(run_program(&run, &r), 0);
	fd = (int)CHECK_OK(open("script", O_WRONLY | O_CREAT, 0755));
	CHECK_EQ(write(fd, "#!/bin/sh\n", 10), 10);
	CHECK_ERR(execve("script", report_argv, empty), ETXTBSY);
}

// --- Looking at who gets more rights

#define RUNS 200

static void run_as_root(void *arg)
{
	(void)arg;
	execl("program", "program", "--pause", NULL);
	_exit(1);
}

// Until it may not be looked at any more.
static void look_while_it_begins(pid_t pid)
{
	static char text[4096];
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/maps", pid);
	while ((fd = open(path, O_RDONLY)) >= 0) {
		n = read(fd, text, sizeof text - 1);
		text[n > 0 ? n : 0] = 0;
		CHECK(!strstr(text, "/program"));
		CHECK_OK(close(fd));
	}
	CHECK_EQ(errno, EACCES);
}

static void look_while_they_begin(void *arg)
{
	(void)arg;
	CHECK_OK(setresgid(1001, 1001, 1001));
	CHECK_OK(setresuid(1001, 1001, 1001));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	for (int i = 0; i < RUNS; i++) {
		pid_t pid = start_child(run_as_root, NULL);

		look_while_it_begins(pid);
		CHECK_OK(kill(pid, SIGKILL));
		end_child(pid);
	}
}

// The memory of a program with more rights is not seen by who was let in before it began.
static void its_memory_is_not_seen(void)
{
	open_folder();
	make_program("program", 0, 0, 04755);
	must_exit_well(start_child(look_while_they_begin, NULL));
}

static const struct test tests[] = {
	{"ordinary_programs", ordinary_programs},
	{"set_user_id", set_user_id},
	{"set_group_id", set_group_id},
	{"auxiliary_vector", auxiliary_vector},
	{"root_runs_it", root_runs_it},
	{"a_script_gives_no_rights", a_script_gives_no_rights},
	{"unreadable_programs", unreadable_programs},
	{"at_a_folder", at_a_folder},
	{"by_descriptor", by_descriptor},
	{"the_signal_of_a_childs_end", the_signal_of_a_childs_end},
	{"the_signal_of_its_own_end", the_signal_of_its_own_end},
	{"nobody_else_steers_it", nobody_else_steers_it},
	{"a_running_program_is_not_written", a_running_program_is_not_written},
	{"what_is_written_is_not_run", what_is_written_is_not_run},
	{"its_memory_is_not_seen", its_memory_is_not_seen},
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--report"))
		return report(argv[0]);
	if (argc > 1 && !strcmp(argv[1], "--wait"))
		return wait_for_child();
	if (argc > 1 && !strcmp(argv[1], "--umask"))
		return look_at_umask();
	if (argc > 1 && !strcmp(argv[1], "--pause"))
		return write(REPORT_FD, "x", 1) + pause();
	tap_beyond_core = true;
	return tap_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
