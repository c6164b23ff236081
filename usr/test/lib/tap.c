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
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Rounds that are looked at for leaks: when each has lost something on average, twice as many, until
// it is no coincidence.
#define LEAK_ROUNDS     3
#define LEAK_ROUNDS_MAX 12

bool tap_beyond_core;

static struct {
	uint64_t seed, state;
	bool in_process;
	char folder[256];
	int report; // where the verdict goes: a pipe to the parent; -1 with -n
	const char *current;
} tap = {.report = -1};

// The verdict of a test: what its process wrote to the report pipe, "F..." or "S...", or nothing.
struct verdict {
	char text[512];
	int wait_status;
};

// --- ending a test

static _Noreturn void end_test(char kind, const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof line, "%c%s", kind, text);

	if (n >= (int)sizeof line)
		n = sizeof line - 1;
	if (tap.report >= 0) {
		if (write(tap.report, line, (size_t)n) != n)
			_exit(3);
		_exit(0);
	}
	fprintf(stderr, "%s: %s\n", tap.current, line);
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

// --- counters

bool on_mapache(void)
{
	struct utsname u;

	return uname(&u) == 0 && strstr(u.release, "mapache");
}

bool on_core(void)
{
	struct utsname u;

	return uname(&u) == 0 && !strcmp(u.version, "Mapache core");
}

// The number behind NAME and END in a file of such lines, -1 when it is not there.
static long long read_number(const char *file, const char *name, char end)
{
	static char text[8192];
	int fd = open(file, O_RDONLY);
	size_t at = 0, length = strlen(name);
	ssize_t n;

	if (fd < 0)
		return -1;
	while (at < sizeof text - 1 && (n = read(fd, text + at, sizeof text - 1 - at)) > 0)
		at += (size_t)n;
	close(fd);
	text[at] = '\0';
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == end)
			return atoll(line + length + 1);
	}
	return -1;
}

static long long read_counter(const char *name)
{
	return read_number("/proc/vmstat", name, ' ');
}

long long memory_kib(const char *name)
{
	return read_number("/proc/meminfo", name, ':');
}

long long vmstat(const char *name)
{
	long long value = on_mapache() ? read_counter(name) : -1;

	if (value < 0 && on_mapache())
		FAIL("/proc/vmstat has no %s", name);
	if (value < 0)
		tap_skip("needs Mapache's counters");
	return value;
}

bool squeeze_memory(long long leave_kib)
{
	long long kib = on_mapache() ? memory_kib("MemAvailable") : 0;

	if (!on_mapache() || memory_kib("MemTotal") > 128 * 1024)
		return false;
	if (kib <= leave_kib)
		return true;
	for (char *p = map_anon((size_t)kib * 1024); kib > leave_kib; kib -= 4, p += PAGE)
		store(p, 'x');
	return true;
}

long long blocks_read(void)
{
	return vmstat("pgpgin") / 4;
}

long long blocks_written(void)
{
	return vmstat("pgpgout") / 4;
}

long long free_blocks(void)
{
	struct statfs st;

	sync();
	CHECK_OK(statfs(".", &st));
	return (long long)st.f_bfree;
}

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

static struct verdict run_forked(const struct test *test)
{
	struct verdict verdict = {.text = ""};
	int ends[2];
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	if (pipe(ends) != 0 || (pid = fork()) < 0) {
		snprintf(verdict.text, sizeof verdict.text, "Fcannot start: %s", strerror(errno));
		return verdict;
	}
	if (pid == 0) {
		close(ends[0]);
		fcntl(ends[1], F_SETFD, FD_CLOEXEC);
		tap.report = ends[1];
		tap.state = tap.seed;
		if (tap_beyond_core && on_core())
			tap_skip("not in the core");
		test->run();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], verdict.text + n, sizeof verdict.text - 1 - n)) != 0)
		if (got > 0)
			n += (size_t)got;
		else if (errno != EINTR)
			break;
	close(ends[0]);
	while (waitpid(pid, &verdict.wait_status, 0) < 0 && errno == EINTR)
		;
	if (!verdict.text[0] && verdict.wait_status != 0)
		snprintf(verdict.text, sizeof verdict.text, "Fended with wait status %#x",
			(unsigned)verdict.wait_status);
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
};

// Has the kernel give back what it keeps only because it may be wanted again.
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0)
		return;
	if (write(fd, "3", 1) != 1)
		perror("drop_caches");
	close(fd);
}

// What should not become less: frames that are free or hold clean file pages, free disk blocks.
static struct stock take_stock(void)
{
	struct stock s;
	struct statfs st;

	drop_caches();
	s.frames = read_counter("nr_free_pages") + read_counter("nr_file_pages");
	s.blocks = statfs(".", &st) == 0 ? (long long)st.f_bfree : 0;
	return s;
}

// How much less there is after N more rounds.
static struct stock lost_in(const struct test *test, int n)
{
	struct stock before = take_stock(), after;

	for (int i = 0; i < n; i++) {
		run_forked(test);
		empty_folder();
	}
	after = take_stock();
	return (struct stock){before.frames - after.frames, before.blocks - after.blocks};
}

static void look_for_leaks(const struct test *test, struct verdict *verdict)
{
	struct stock lost;
	int n;

	lost_in(test, 1); // now the kernel has what it keeps for good
	for (n = LEAK_ROUNDS; n <= LEAK_ROUNDS_MAX; n *= 2) {
		lost = lost_in(test, n);
		if (lost.frames < n && lost.blocks < n)
			return;
	}
	n /= 2;
	snprintf(verdict->text, sizeof verdict->text, "F%d rounds lost %lld frames, %lld blocks", n,
		lost.frames, lost.blocks);
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
	return print_verdict(number, test->name, &verdict);
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
