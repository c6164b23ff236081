// SPDX-License-Identifier: MIT
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Rounds that are looked at for leaks: when each has lost something on average, twice as many,
// until it is no coincidence.
#define LEAK_ROUNDS     3
#define LEAK_ROUNDS_MAX 12

// How often the one who listens to a test looks whether it has ended.
#define LOOK_UP_US 100000

// How often it is looked whether the processes of a test that ended early are gone, and how far
// apart.
#define GONE_TRIES    20
#define GONE_PAUSE_NS 50000000

bool tap_beyond_core, tap_again;

static struct {
	uint64_t seed, state;
	bool in_process;
	char folder[256];
	int report; // where the verdict goes: a pipe to the parent; -1 with -n
	const char *current;
} tap = {.report = -1};

// The verdict of a test: the first line that a process of it wrote to the report pipe, "F..." or
// "S...", or nothing.
struct verdict {
	char text[512];
	pid_t pid; // of its first process
	bool ended;
	int wait_status;
	bool some_left; // processes of a test that ended early
};

// --- ending a test

static _Noreturn void end_test(char kind, const char *text)
{
	char line[500]; // less than PIPE_BUF: written at once
	int n = snprintf(line, sizeof line - 1, "%c%s", kind, text);

	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (tap.report >= 0) {
		if (write(tap.report, line, (size_t)n) != n)
			_exit(3);
		_exit(0);
	}
	fprintf(stderr, "%s: %.*s", tap.current, n, line);
	exit(kind == 'F');
}

void tap_fail(const char *file, int line, const char *format, ...)
{
	const char *slash = strrchr(file, '/');
	char text[400];
	va_list args;
	int n = snprintf(text, sizeof text, "%s:%d: ", slash ? slash + 1 : file, line);

	va_start(args, format);
	vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	va_end(args);
	end_test('F', text);
}

void tap_skip(const char *why)
{
	end_test('S', why);
}

long tap_check_ok(long value, const char *file, int line, const char *call)
{
	if (value == -1)
		tap_fail(file, line, "%s: %s", call, strerror(errno));
	return value;
}

void tap_check_err(long value, int error, const char *file, int line, const char *call)
{
	if (value != -1)
		tap_fail(file, line, "%s is %ld, should fail: %s", call, value, strerror(error));
	if (errno != error)
		tap_fail(file, line, "%s fails with %d (%s), should be %d (%s)", call, errno,
			strerror(errno), error, strerror(error));
}

// --- processes

pid_t start_child(void (*body)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	return pid;
}

int end_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			FAIL("waitpid: %s", strerror(errno));
	return status;
}

int in_child(void (*body)(void *arg), void *arg)
{
	return end_child(start_child(body, arg));
}

void must_exit_well(pid_t pid)
{
	int status = end_child(pid);

	if (status != 0)
		FAIL("a child ended with wait status %#x", (unsigned)status);
}

// --- files

char pattern(size_t i)
{
	return (char)(i * 7 + i / PAGE * 13 + 1);
}

int make_file(const char *name, size_t bytes)
{
	int fd = (int)CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
	char block[PAGE];

	for (size_t at = 0; at < bytes;) {
		size_t n = bytes - at < sizeof block ? bytes - at : sizeof block;

		for (size_t i = 0; i < n; i++)
			block[i] = pattern(at + i);
		if (write(fd, block, n) != (ssize_t)n)
			FAIL("write to %s: %s", name, strerror(errno));
		at += n;
	}
	return fd;
}

void read_file(const char *name, void *to, size_t bytes)
{
	int fd = (int)CHECK_OK(open(name, O_RDONLY));
	size_t at = 0;
	ssize_t n;
	char extra;

	while (at < bytes && (n = read(fd, (char *)to + at, bytes - at)) > 0)
		at += (size_t)n;
	if (at != bytes || read(fd, &extra, 1) != 0)
		FAIL("%s has not %zu bytes", name, bytes);
	close(fd);
}

ino_t inode_of(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_ino;
}

// --- random numbers

uint64_t random_u64(void)
{
	// splitmix64, Steele, Lea and Flood, OOPSLA 2014
	uint64_t z = tap.state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

unsigned random_below(unsigned n)
{
	return (unsigned)(random_u64() % n);
}

// --- running the table

static void look_up(int number)
{
	(void)number;
}

static void reap(struct verdict *verdict, int how)
{
	pid_t pid;

	while ((pid = waitpid(verdict->pid, &verdict->wait_status, how)) < 0 && errno == EINTR)
		;
	verdict->ended = pid == verdict->pid;
}

static bool has_ended_badly(struct verdict *verdict)
{
	if (!verdict->ended)
		reap(verdict, WNOHANG);
	return verdict->ended && verdict->wait_status != 0;
}

// The listener looks up from its pipe now and then. The handler goes after the last alarm has come.
static void look_up_often(void)
{
	struct sigaction action = {.sa_handler = look_up};
	struct itimerval often = {{0, LOOK_UP_US}, {0, LOOK_UP_US}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void look_up_no_more(void)
{
	struct itimerval never = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_DFL);
}

static _Noreturn void be_the_test(const struct test *test, int report)
{
	fcntl(report, F_SETFD, FD_CLOEXEC);
	tap.report = report;
	tap.state = tap.seed;
	if (tap_beyond_core && on_core())
		tap_skip("not in the core");
	test->run();
	_exit(0);
}

// The first line that comes. Without one: when the last process of the test has ended, or its first
// one badly, whose status then is known.
static void hear(int report, struct verdict *verdict)
{
	size_t n = 0;
	ssize_t got;

	look_up_often();
	while (!memchr(verdict->text, '\n', n) && n < sizeof verdict->text - 1 &&
		(got = read(report, verdict->text + n, sizeof verdict->text - 1 - n)) != 0) {
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR || has_ended_badly(verdict))
			break;
	}
	look_up_no_more();
	verdict->text[strcspn(verdict->text, "\n")] = '\0';
}

// Each process of a test holds the pipe. Some end because the test did, a moment later.
static bool all_gone(int report)
{
	struct timespec pause = {.tv_nsec = GONE_PAUSE_NS};
	char more[64];
	ssize_t got;

	fcntl(report, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < GONE_TRIES; i++) {
		while ((got = read(report, more, sizeof more)) > 0)
			;
		if (got == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

// Who has failed may have left others behind that wait for it; they shall not keep the message.
static struct verdict run_forked(const struct test *test)
{
	struct verdict verdict = {.text = ""};
	int ends[2];

	if (pipe(ends) != 0 || (verdict.pid = fork()) < 0) {
		snprintf(verdict.text, sizeof verdict.text, "Fcannot start: %s", strerror(errno));
		return verdict;
	}
	if (verdict.pid == 0) {
		close(ends[0]);
		be_the_test(test, ends[1]);
	}
	close(ends[1]);
	hear(ends[0], &verdict);
	if (verdict.text[0] && !verdict.ended)
		kill(verdict.pid, SIGKILL);
	if (!verdict.ended)
		reap(&verdict, 0);
	if (!verdict.text[0] && verdict.wait_status != 0)
		snprintf(verdict.text, sizeof verdict.text, "Fended with wait status %#x",
			(unsigned)verdict.wait_status);
	verdict.some_left = verdict.text[0] && !all_gone(ends[0]);
	close(ends[0]);
	return verdict;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

// Removes what is in the working folder, folders too.
static void empty_folder(void)
{
	DIR *dir = opendir(".");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (is_dot(entry->d_name) || unlink(entry->d_name) == 0)
			continue;
		if (rmdir(entry->d_name) != 0 && chdir(entry->d_name) == 0) {
			empty_folder();
			if (chdir("..") != 0)
				break;
			rmdir(entry->d_name);
		}
	}
	if (dir)
		closedir(dir);
}

struct stock {
	long long frames, blocks;
	long long stacks, tables, mm; // frames that the kernel has, by use: where lost ones may be
};

// What should not become less: frames that are free or hold clean file pages, free disk blocks.
static struct stock take_stock(void)
{
	struct stock s;
	struct statfs st;

	sync();
	drop_caches('3');
	s.frames = vmstat("nr_free_pages") + vmstat("nr_file_pages");
	s.blocks = statfs(".", &st) == 0 ? (long long)st.f_bfree : 0;
	s.stacks = memory_kib("KernelStack") / 4;
	s.tables = memory_kib("PageTables") / 4;
	s.mm = memory_kib("Slab") / 4;
	return s;
}

// N more rounds, which must pass as the first one did.
static bool rounds_pass(const struct test *test, int n, struct verdict *verdict)
{
	for (int i = 0; i < n && verdict->text[0] != 'F'; i++) {
		*verdict = run_forked(test);
		empty_folder();
	}
	return verdict->text[0] != 'F';
}

static void look_for_leaks(const struct test *test, struct verdict *verdict)
{
	struct stock before, after, lost;
	int n;

	tap_again = true;
	if (!rounds_pass(test, 1, verdict)) // now the kernel has what it keeps for good
		return;
	for (n = LEAK_ROUNDS; n <= LEAK_ROUNDS_MAX; n *= 2) {
		before = take_stock();
		if (!rounds_pass(test, n, verdict))
			return;
		after = take_stock();
		lost = (struct stock){.frames = before.frames - after.frames,
			.blocks = before.blocks - after.blocks};
		if (lost.frames < n && lost.blocks < n)
			return;
	}
	n /= 2;
	snprintf(verdict->text, sizeof verdict->text,
		"F%d rounds lost %lld frames (%+lld of stacks, %+lld of tables, %+lld of mm), %lld "
		"blocks",
		n, lost.frames, after.stacks - before.stacks, after.tables - before.tables,
		after.mm - before.mm, lost.blocks);
}

// Prints the line of TAP; returns whether the test counts as passed.
static bool print_verdict(size_t number, const char *name, const struct verdict *verdict)
{
	if (verdict->text[0] == 'F')
		printf("not ok %zu - %s: %s\n", number, name, verdict->text + 1);
	else if (verdict->text[0] == 'S')
		printf("ok %zu - %s # SKIP %s\n", number, name, verdict->text + 1);
	else
		printf("ok %zu - %s\n", number, name);
	fflush(stdout);
	return verdict->text[0] != 'F';
}

static bool run_test(const struct test *test, size_t number)
{
	struct verdict verdict = {.text = ""};

	tap.current = test->name;
	tap_again = false;
	fflush(stdout);
	if (tap.in_process) {
		tap.state = tap.seed;
		test->run();
	} else {
		verdict = run_forked(test);
	}
	empty_folder();
	if (!verdict.text[0] && !tap.in_process && on_mapache())
		look_for_leaks(test, &verdict);
	bool passed = print_verdict(number, test->name, &verdict);
	if (verdict.some_left) {
		printf("Bail out! %s leaves processes behind\n", test->name);
		exit(1); // and where this is the only job, the machine stops
	}
	return passed;
}

static bool is_selected(const struct test *test, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strstr(test->name, *names))
			return true;
	return false;
}

// The folder of the files. It may be there: a run that was killed left it behind.
static int make_folder(const char *parent)
{
	snprintf(tap.folder, sizeof tap.folder, "%s/tap.%d", parent, getpid());
	if ((mkdir(tap.folder, 0755) != 0 && errno != EEXIST) || chdir(tap.folder) != 0)
		return -1;
	empty_folder();
	return 0;
}

static void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-d DIR] [-s SEED] [-n] [-l] [NAME]...\n", name);
	exit(2);
}

int tap_main(int argc, char **argv, const struct test *tests, size_t n)
{
	const char *parent = on_mapache() ? "" : "/tmp";
	size_t selected = 0, number = 0;
	bool list = false, passed = true;
	int option;

	tap.seed = (uint64_t)time(NULL);
	while ((option = getopt(argc, argv, "d:s:nl")) != -1) {
		switch (option) {
		case 'd':
			parent = optarg;
			break;
		case 's':
			tap.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			tap.in_process = true;
			break;
		case 'l':
			list = true;
			break;
		default:
			usage(argv[0]);
		}
	}
	for (size_t i = 0; i < n; i++)
		selected += is_selected(&tests[i], argv + optind);
	if (list) {
		for (size_t i = 0; i < n; i++)
			puts(tests[i].name);
		return 0;
	}
	if (make_folder(parent) != 0) {
		printf("Bail out! %s: %s\n", tap.folder, strerror(errno));
		return 1;
	}
	printf("1..%zu\n# seed %llu\n", selected, (unsigned long long)tap.seed);
	for (size_t i = 0; i < n; i++)
		if (is_selected(&tests[i], argv + optind))
			passed &= run_test(&tests[i], ++number);
	if (chdir("/") == 0)
		rmdir(tap.folder);
	return passed ? 0 : 1;
}
