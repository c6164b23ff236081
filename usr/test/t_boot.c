// SPDX-License-Identifier: MIT
// What a program finds when it starts: arguments, environment, the auxiliary vector, descriptors.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

extern char **environ;

static char self[4096];

// The program runs itself with these first arguments: see main.
static void exec_self(char **argv, char **envp)
{
	execve(self, argv, envp);
	FAIL("execve %s: %s", self, strerror(errno));
}

static void run_self(void *arg)
{
	char **argv = arg;
	static char *envp[] = {"A=1", "EMPTY=", "B=two words", NULL};

	exec_self(argv, envp);
}

static void arguments_arrive(void)
{
	static char *argv[] = {"t_boot", "--args", "one", "", "three words", NULL};

	CHECK_EQ(in_child(run_self, argv), 0);
}

static int check_arguments(int argc, char **argv)
{
	bool right = argc == 5 && !strcmp(argv[0], "t_boot") && !strcmp(argv[2], "one") &&
		     !strcmp(argv[3], "") && !strcmp(argv[4], "three words") && !argv[5];

	return right ? 0 : 1;
}

static void environment_arrives(void)
{
	static char *argv[] = {"t_boot", "--env", NULL};

	CHECK_EQ(in_child(run_self, argv), 0);
}

static int check_environment(void)
{
	const char *a = getenv("A"), *empty = getenv("EMPTY"), *b = getenv("B");
	bool right = a && !strcmp(a, "1") && empty && !*empty && b && !strcmp(b, "two words") &&
		     environ[3] == NULL && !getenv("PATH");

	return right ? 0 : 1;
}

static void many_arguments(void)
{
	enum { COUNT = 1000 };
	static char *argv[COUNT + 3] = {"t_boot", "--count"};
	static char text[100];

	memset(text, 'x', sizeof text - 1);
	for (int i = 2; i < COUNT + 2; i++)
		argv[i] = text;
	CHECK_EQ(WEXITSTATUS(in_child(run_self, argv)), 0);
}

static int check_count(int argc, char **argv)
{
	if (argc != 1002)
		return 1;
	for (int i = 2; i < argc; i++)
		if (strlen(argv[i]) != 99)
			return 1;
	return 0;
}

static void too_many_arguments(void)
{
	char *big = map_anon(140004);
	char *argv[] = {"t_boot", big, NULL};

	memset(big, 'x', 140000); // a string may have 128 KiB
	CHECK_ERR(execve(self, argv, environ), E2BIG);
}

static void auxiliary_vector(void)
{
	CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
	CHECK(getauxval(AT_PHDR) != 0);
	CHECK(getauxval(AT_PHENT) == 56);
	CHECK(getauxval(AT_PHNUM) >= 2);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK(getauxval(AT_EXECFN) != 0);
}

static void run_random(void *arg)
{
	static char *argv[] = {"t_boot", "--random", NULL};

	dup2(*(int *)arg, STDOUT_FILENO);
	exec_self(argv, environ);
}

// Sixteen bytes that differ from one start to the next.
static void random_bytes(void)
{
	char first[16], second[16];
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(in_child(run_random, &ends[1]), 0);
	CHECK_EQ(in_child(run_random, &ends[1]), 0);
	CHECK_EQ(read(ends[0], first, 16), 16);
	CHECK_EQ(read(ends[0], second, 16), 16);
	CHECK(memcmp(first, second, 16));
}

static int print_random(void)
{
	const void *bytes = (const void *)getauxval(AT_RANDOM);

	return bytes && write(STDOUT_FILENO, bytes, 16) == 16 ? 0 : 1;
}

static void stack_is_aligned(void)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	CHECK_EQ(frame % 16, 0);
}

static uint64_t zeros[3000];
static uint64_t initialized[3] = {1, 2, 3};

static void data_and_bss(void)
{
	for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++)
		CHECK_EQ(zeros[i], 0);
	CHECK_EQ(initialized[2], 3);
	initialized[2] = 4; // a second run must see 3 again
	memset(zeros, 1, sizeof zeros);
}

static void system_name(void)
{
	struct utsname u;

	CHECK_OK(uname(&u));
	CHECK(!strcmp(u.sysname, "Linux"));
	CHECK(atoi(u.release) >= 5);
}

static void the_machine(void)
{
	int64_t unit;
	struct sysinfo info = {.mem_unit = 99}, later;

	CHECK_OK(sysinfo(&info));
	unit = info.mem_unit;
	CHECK(unit == 1 || unit == PAGE);
	CHECK_EQ((int64_t)info.totalram * unit / 1024, memory_kib("MemTotal"));
	CHECK(info.freeram > 0 && info.freeram < info.totalram);
	CHECK_EQ((int64_t)info.totalswap * unit / 1024, memory_kib("SwapTotal"));
	CHECK(info.procs >= 2); // this one, and who waits for it
	CHECK_OK(sysinfo(&later));
	CHECK(later.uptime >= info.uptime);
	CHECK_ERR(sysinfo((struct sysinfo *)8), EFAULT);
}

static void floating_point_is_kept(void)
{
	volatile double x = 1.5, sum = 0;

	for (int i = 0; i < 1000; i++) {
		sum += x;
		if (i % 100 == 0)
			CHECK_OK(getppid()); // in and out of the kernel
	}
	CHECK(sum == 1500.0);
}

static const struct test tests[] = {
	{"arguments_arrive", arguments_arrive},
	{"environment_arrives", environment_arrives},
	{"many_arguments", many_arguments},
	{"too_many_arguments", too_many_arguments},
	{"auxiliary_vector", auxiliary_vector},
	{"random_bytes", random_bytes},
	{"stack_is_aligned", stack_is_aligned},
	{"data_and_bss", data_and_bss},
	{"system_name", system_name},
	{"the_machine", the_machine},
	{"floating_point_is_kept", floating_point_is_kept},
};

// Absolute, for the tests run in a folder of their own.
static void find_self(const char *name)
{
	char here[2048];

	if (name[0] == '/' || !getcwd(here, sizeof here))
		snprintf(self, sizeof self, "%s", name);
	else
		snprintf(self, sizeof self, "%s/%s", here, name);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--args"))
		return check_arguments(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--env"))
		return check_environment();
	if (argc > 1 && !strcmp(argv[1], "--count"))
		return check_count(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--random"))
		return print_random();
	find_self(argv[0]);
	return tap_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
