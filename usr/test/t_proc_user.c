// SPDX-License-Identifier: MIT
// What of /proc needs more than the core: users who may or may not look into a process, who says
// which ends first when memory runs out, folders of threads, pipes that are opened by /proc/PID/fd.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "lib/text.h"
#include "lib/threads.h"

static void wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void stop(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
}

// --- Looking

static void look_at_others(void *arg)
{
	pid_t pid = *(pid_t *)arg;
	static const char *const guarded[] = {"environ", "maps", "smaps"};
	static const char *const links[] = {"exe", "cwd", "root"};
	char path[64], target[64];

	CHECK_OK(setgid(1001));
	CHECK_OK(setuid(1001));
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", pid, guarded[i]);
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/%s", pid, links[i]);
		CHECK_ERR(readlink(path, target, sizeof target), EACCES);
	}
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	CHECK(!opendir(path));
	CHECK_EQ(errno, EACCES);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	CHECK(strchr(text_of(path), ')'));
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	CHECK_ERR(open(path, O_WRONLY), EACCES);
}

static void others_are_kept_out(void)
{
	pid_t pid;

	if (geteuid() != 0)
		tap_skip("only root can become somebody else");
	pid = start_child(wait_for_ever, NULL);
	must_exit_well(start_child(look_at_others, &pid));
	stop(pid);
}

// Who has been root is shown as the user it is, keeps its files to itself, and still sees its own.
static void look_at_itself(void *arg)
{
	char path[64], byte;
	struct stat st;
	DIR *dir;
	int fd;

	(void)arg;
	CHECK_OK(setresgid(1001, 1001, 1001));
	CHECK_OK(setresuid(1001, 1001, 1001));
	CHECK_OK(stat("/proc/self", &st));
	CHECK_EQ(st.st_uid, 1001);
	CHECK_EQ(st.st_gid, 1001);
	CHECK_OK(stat("/proc/self/task", &st));
	CHECK_EQ(st.st_uid, 1001);
	CHECK_OK(stat("/proc/self/stat", &st));
	CHECK_EQ(st.st_uid, 0);
	dir = opendir("/proc/self/fd");
	CHECK(dir);
	fd = dirfd(dir);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, &byte, 1));
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(read((int)CHECK_OK(open(path, O_RDONLY)), &byte, 1), 1);
	CHECK_ERR(open("/proc/self/environ", O_RDONLY), EACCES);
}

static void who_gave_up_root_sees_itself(void)
{
	if (geteuid() != 0)
		tap_skip("only root can become somebody else");
	must_exit_well(start_child(look_at_itself, NULL));
}

static int write_adj(const char *value)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_TRUNC);

	if (fd < 0)
		return errno;
	int result = write(fd, value, strlen(value)) < 0 ? errno : 0;

	CHECK_OK(close(fd));
	return result;
}

static void spare_as_user(void *arg)
{
	int fd;

	(void)arg;
	CHECK_EQ(write_adj("500\n"), 0);
	CHECK(!strcmp(text_of("/proc/self/oom_score_adj"), "500\n"));
	fd = (int)CHECK_OK(open("/proc/self/oom_score_adj", O_WRONLY));
	CHECK_OK(setgid(1001));
	CHECK_OK(setuid(1001));
	CHECK_EQ(write(fd, "600", 3), 3);
	CHECK_EQ(write(fd, "500", 3), 3);
	CHECK_ERR(write(fd, "499", 3), EACCES);
	CHECK_EQ(write_adj(NULL), EACCES); // who has been root is not an open book
}

static void who_ends_first(void)
{
	CHECK(!strcmp(text_of("/proc/self/oom_score_adj"), "0\n"));
	CHECK_EQ(write_adj("1001"), EINVAL);
	CHECK_EQ(write_adj("-1001"), EINVAL);
	CHECK_EQ(write_adj("x"), EINVAL);
	long before = strtol(text_of("/proc/self/oom_score"), NULL, 10);
	CHECK_EQ(write_adj("300"), 0);
	long after = strtol(text_of("/proc/self/oom_score"), NULL, 10);
	CHECK(after > before + 150 && after <= before + 201);
	if (write_adj("-1000") == 0) { // a container's root may not

		CHECK_EQ(strtol(text_of("/proc/self/oom_score"), NULL, 10), 0);
		must_exit_well(start_child(spare_as_user, NULL));
	}
}

static void hold_memory(void *arg)
{
	size_t bytes = *(size_t *)arg;
	char *p = map_anon(bytes);

	CHECK_EQ(write_adj(bytes > 4ul << 20 ? "0" : "1000"), 0);
	for (size_t i = 0; i < bytes; i += PAGE)
		p[i] = 1;
	CHECK_OK(raise(SIGSTOP));
	wait_for_ever(NULL);
}

static pid_t start_holder(size_t bytes)
{
	pid_t pid = start_child(hold_memory, &bytes);
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	return pid;
}

// Memory runs out: of two processes the one that was offered ends, though the other has more, and
// the one that is spared goes on.
static void the_offered_one_ends(void)
{
	const size_t step = 16 * PAGE;
	pid_t large, small;
	int status;

	if (!on_mapache())
		tap_skip("Linux would end others, too");
	CHECK_EQ(write_adj("-1000"), 0);
	large = start_holder(16ul << 20);
	small = start_holder(4ul << 20);
	while (waitpid(small, &status, WNOHANG) == 0)
		for (char *p = map_anon(step), *end = p + step; p < end; p += PAGE)
			*p = 1;
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	CHECK_EQ(waitpid(large, &status, WNOHANG), 0);
	stop(large);
}

// --- Threads

static uint32_t named, over;

static void work(void *arg)
{
	(void)arg;
	CHECK(prctl(PR_SET_NAME, "worker") == 0);
	__atomic_store_n(&named, 1, __ATOMIC_SEQ_CST);
	futex_wake(&named, 1);
	futex_wait_while(&over, 0);
}

static void must_say(const char *folder, const char *name, const char *wanted)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/%s/%s", folder, name);
	if (!strstr(text_of(path), wanted))
		FAIL("%s has no \"%s\"", path, wanted);
}

static void name_as_stranger(void *arg)
{
	CHECK_ERR(write(*(int *)arg, "b", 1), EINVAL);
}

// As pthread_setname_np() of another thread does it.
static void others_name(int tid)
{
	char folder[32], path[48];
	int fd;

	snprintf(folder, sizeof folder, "task/%d", tid);
	snprintf(path, sizeof path, "/proc/self/%s/comm", folder);
	fd = (int)CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(write(fd, "sixteen letters.", 16), 16);
	must_say(folder, "comm", "sixteen letters\n");
	CHECK_EQ(write(fd, "a\n", 2), 2); // nothing is taken off
	must_say(folder, "comm", "a\n\n");
	must_exit_well(start_child(name_as_stranger, &fd));
	must_say(".", "comm", "t_proc_user\n");
	fd = (int)CHECK_OK(open("/proc/self/comm", O_RDWR));
	CHECK_EQ(write(fd, "first", 5), 5);
	must_say(".", "comm", "first\n");
	must_say(".", "stat", "(first) ");
	must_say(folder, "comm", "a\n\n");
}

static void threads_have_folders(void)
{
	char folder[32], line[48];
	struct thread t = {0};

	thread_begin(&t, work, NULL);
	futex_wait_while(&named, 0);
	snprintf(folder, sizeof folder, "task/%d", t.tid);
	must_say(folder, "comm", "worker\n");
	must_say(folder, "status", "Name:\tworker\n");
	must_say(".", "comm", "t_proc_user\n");
	snprintf(line, sizeof line, "\nPid:\t%d\n", t.tid);
	must_say(folder, "status", line);
	snprintf(line, sizeof line, "\nTgid:\t%d\n", getpid());
	must_say(folder, "status", line);
	must_say(".", "status", "\nThreads:\t2\n");
	snprintf(line, sizeof line, "%d (worker) ", t.tid);
	must_say(folder, "stat", line);
	others_name(t.tid);
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	futex_wake(&over, 1);
	thread_join(&t);
	snprintf(line, sizeof line, "/proc/self/%s", folder);
	while (access(line, F_OK) == 0) // it is waited for a little before its end
		usleep(1000);
	CHECK_EQ(errno, ENOENT);
}

static void sleep_on(void *arg)
{
	(void)arg;
	futex_wait_while(&over, 0);
}

static void end_first_thread(void *arg)
{
	static struct thread t;

	(void)arg;
	thread_begin(&t, sleep_on, NULL);
	syscall(SYS_exit, 0);
}

// The first thread has ended and others go on: it stays as a zombie.
static void a_first_thread_that_ended(void)
{
	pid_t pid = start_child(end_first_thread, NULL);
	char path[64], state = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	for (int tries = 0; state != 'Z' && tries < 5000; tries++) {
		usleep(1000);
		state = strrchr(text_of(path), ')')[2];
	}
	CHECK_EQ(state, 'Z');
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
	CHECK_EQ(strrchr(text_of(path), ')')[2], 'Z');
	stop(pid);
}

// --- Pipes

static void pipes_open_by_descriptor(void)
{
	char name[32], c;
	int ends[2], again;

	CHECK_OK(pipe(ends));
	snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
	again = (int)CHECK_OK(open(name, O_WRONLY)); // its other end
	CHECK_EQ(write(again, "x", 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_OK(dup2(ends[0], 0));
	again = (int)CHECK_OK(open("/dev/stdin", O_RDONLY));
	CHECK_EQ(write(ends[1], "y", 1), 1);
	CHECK_EQ(read(again, &c, 1), 1);
	CHECK_EQ(c, 'y');
}

static const struct test tests[] = {
	{"others_are_kept_out", others_are_kept_out},
	{"who_gave_up_root_sees_itself", who_gave_up_root_sees_itself},
	{"who_ends_first", who_ends_first},
	{"the_offered_one_ends", the_offered_one_ends},
	{"threads_have_folders", threads_have_folders},
	{"a_first_thread_that_ended", a_first_thread_that_ended},
	{"pipes_open_by_descriptor", pipes_open_by_descriptor},
};

BEYOND_CORE_MAIN(tests)
