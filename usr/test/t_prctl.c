// SPDX-License-Identifier: MIT
// prctl and personality: names, the parent's end, and what stays over fork and exec.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static void name_of_the_thread(void)
{
	char name[17] = "................", *volatile nowhere = (char *)8;

	CHECK_OK(prctl(PR_SET_NAME, "short"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "short"));
	CHECK_EQ(name[16], '\0');
	CHECK_OK(prctl(PR_SET_NAME, "a name that is much too long"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK(!strcmp(name, "a name that is "));
	CHECK_ERR(prctl(PR_SET_NAME, nowhere), EFAULT);
	CHECK_ERR(prctl(PR_GET_NAME, nowhere), EFAULT);
}

static volatile int *shared;

static void on_term(int signo)
{
	(void)signo;
	shared[1] = 1;
	_exit(0);
}

static void leave_a_child(void *arg)
{
	int signo = -1;

	(void)arg;
	if (fork() == 0) {
		signal(SIGTERM, on_term);
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) || prctl(PR_GET_PDEATHSIG, &signo) ||
			signo != SIGTERM)
			_exit(1);
		shared[0] = 1;
		for (;;)
			pause();
	}
	while (!shared[0])
		sched_yield();
}

static void end_of_the_parent(void)
{
	shared = (volatile int *)map(
		PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_exit_well(start_child(leave_a_child, NULL));
	while (!shared[1])
		sched_yield();
}

static void look_at_pdeathsig(void *arg)
{
	int signo = -1;

	(void)arg;
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &signo));
	CHECK_EQ(signo, 0);
}

static void children_do_not_inherit_it(void)
{
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
	must_exit_well(start_child(look_at_pdeathsig, NULL));
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK_OK(prctl(PR_SET_PDEATHSIG, 0));
}

static void dumpable(void)
{
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	CHECK_OK(setuid(1000)); // another one's memory could hold what only root may see
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
}

static void look_at_privileges(void *arg)
{
	(void)arg;
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

static void no_new_privileges(void)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must_exit_well(start_child(look_at_privileges, NULL));
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

// A line of /proc/self/status.
static bool status_says(const char *line)
{
	static char text[8192];
	int fd = (int)CHECK_OK(open("/proc/self/status", O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, text, sizeof text - 1));

	CHECK_OK(close(fd));
	text[n] = '\0';
	return strstr(text, line) != NULL;
}

static void proc_tells(void)
{
	static const gid_t groups[] = {6, 5};

	CHECK_OK(setgroups(2, groups));
	CHECK_OK(prctl(PR_SET_NAME, "other name"));
	CHECK(status_says("\nNoNewPrivs:\t0\n"));
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(status_says("\nNoNewPrivs:\t1\n"));
	CHECK(status_says("\nGroups:\t5 6 \n"));
	CHECK(status_says("Name:\tother name\n"));
}

static void unknown_options(void)
{
	CHECK_ERR(prctl(0x7fff, 0, 0, 0, 0), EINVAL);
}

static void personalities(void)
{
	CHECK_EQ(personality(0xffffffff), 0);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
	CHECK_EQ(personality(0), ADDR_NO_RANDOMIZE);
}

// Runs /bin/sh -c "cat /proc/self/maps" and reads what it says of its stack.
static void read_maps(char *text, size_t bytes)
{
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/cat", "cat", "/proc/self/maps", NULL);
		_exit(99);
	}
	close(ends[1]);
	while (n < bytes - 1 && (got = read(ends[0], text + n, bytes - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(ends[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

// With it two programs find everything at the same places.
static void nothing_at_random(void)
{
	static char first[8192], second[8192];

	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
	read_maps(first, sizeof first);
	read_maps(second, sizeof second);
	CHECK(strstr(first, "[stack]"));
	CHECK(!strcmp(first, second));
}

static const struct test tests[] = {
	{"name_of_the_thread", name_of_the_thread},
	{"end_of_the_parent", end_of_the_parent},
	{"children_do_not_inherit_it", children_do_not_inherit_it},
	{"dumpable", dumpable},
	{"no_new_privileges", no_new_privileges},
	{"proc_tells", proc_tells},
	{"unknown_options", unknown_options},
	{"personalities", personalities},
	{"nothing_at_random", nothing_at_random},
};

BEYOND_CORE_MAIN(tests)
