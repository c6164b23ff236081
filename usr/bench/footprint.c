// SPDX-License-Identifier: MIT
/*
 * What one more of a thing costs the kernel in memory: docs/figures.md has the table.
 *
 *     footprint [DIR]...
 *
 * Makes many of each kind and looks at /proc/meminfo before and after: the kernel's own memory is
 * what is neither free nor a page of a program or a file. Prints a line for each kind: its name,
 * how many were made, bytes for one, and how many of those are kernel stacks, page tables, mm's own
 * (areas, anons, tables of pages), and the rest, all from the same counters, which count whole
 * frames: so many are made that a frame's share in one is a few bytes.  Files are made in each DIR.
 *
 * It is glibc's, for threads by clone() with stacks of its own.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE      4096l
#define MANY      2000
#define PROCESSES 500
#define AREAS     20000
#define PAGES     65536
#define STACK     1024

/* KiB of the kernel's memory, by use. */
struct memory {
	long stacks, tables, mm, rest;
};

static long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	if (!at)
		errx(1, "/proc/meminfo has no %s", name);
	return strtol(at + strlen(name), NULL, 10);
}

static struct memory look(void)
{
	char text[4096];
	int fd = open("/proc/meminfo", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0 || close(fd))
		err(1, "/proc/meminfo");
	text[n] = '\0';
	struct memory m = {
		.stacks = field(text, "\nKernelStack:"),
		.tables = field(text, "\nPageTables:"),
		.mm = field(text, "\nSlab:"),
	};
	m.rest = field(text, "MemTotal:") - field(text, "\nMemFree:") - field(text, "\nCached:") -
		 field(text, "\nAnonPages:") - m.stacks - m.tables - m.mm;
	return m;
}

static long share(long before, long after, long n)
{
	return ((after - before) * 1024 + n / 2) / n;
}

static void print(const char *kind, long n, const struct memory *a)
{
	struct memory b = look();
	long stacks = share(a->stacks, b.stacks, n), tables = share(a->tables, b.tables, n);
	long mm = share(a->mm, b.mm, n), rest = share(a->rest, b.rest, n);

	printf("%s\t%ld\t%ld\t%ld\t%ld\t%ld\t%ld\n", kind, n, stacks + tables + mm + rest, stacks,
		tables, mm, rest);
	fflush(stdout);
}

/* --- Who runs --------------------------------------------------------------------------------- */

// Each has stopped itself before the next is made, so that all have what they will have.
static void processes(void)
{
	static pid_t child[PROCESSES];
	struct memory before = look();

	for (int i = 0; i < PROCESSES; i++) {
		child[i] = fork();
		if (child[i] < 0)
			err(1, "fork");
		while (child[i] == 0)
			raise(SIGSTOP);
		if (waitpid(child[i], NULL, WUNTRACED) != child[i])
			err(1, "waitpid");
	}
	print("a process (fork of this one)", PROCESSES, &before);
	for (int i = 0; i < PROCESSES; i++)
		if (kill(child[i], SIGKILL) || waitpid(child[i], NULL, 0) != child[i])
			err(1, "kill");
}

static int stay(void *unused)
{
	while (true)
		pause();
	return unused != NULL;
}

/* They stay. Before others, whose stacks they could take over. */
static void threads(void)
{
	static char stacks[PROCESSES][STACK] __attribute__((aligned(16)));

	memset(stacks, 1, sizeof stacks);
	struct memory before = look();
	for (int i = 0; i < PROCESSES; i++)
		if (clone(stay, stacks[i + 1],
			    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
			    NULL) < 0)
			err(1, "clone");
	print("a thread", PROCESSES, &before);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static char *map(long pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void areas(void)
{
	char *p = map(AREAS);
	struct memory before = look();

	for (long i = 1; i < AREAS; i += 2)
		if (mprotect(p + i * PAGE, PAGE, PROT_READ))
			err(1, "mprotect");
	print("an area", AREAS, &before);
	munmap(p, AREAS * PAGE);
}

static void pages(void)
{
	char *p = map(PAGES);
	struct memory before = look();

	memset(p, 1, PAGES * PAGE);
	print("a resident page, beside its frame", PAGES, &before);
	munmap(p, PAGES * PAGE);
}

/* --- Files ------------------------------------------------------------------------------------ */

static void name_of(char *name, long i)
{
	sprintf(name, "footprint-%05ld", i);
}

static void files(const char *dir)
{
	char kind[300], name[40];

	if (chdir(dir))
		err(1, "%s", dir);
	struct memory before = look();
	for (long i = 0; i < MANY; i++) {
		name_of(name, i);
		int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (fd < 0 || close(fd))
			err(1, "%s", name);
	}
	sync();
	snprintf(kind, sizeof kind, "a new file in %s, empty", dir);
	print(kind, MANY, &before);
	for (long i = 0; i < MANY; i++) {
		name_of(name, i);
		if (unlink(name))
			err(1, "%s", name);
	}
}

static void descriptors(void)
{
	static int fd[MANY];
	struct memory before = look();

	for (int i = 0; i < MANY; i++)
		if ((fd[i] = open("/dev/null", O_RDONLY)) < 0)
			err(1, "/dev/null");
	print("an open file", MANY, &before);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	before = look();
	for (int i = 0; i < MANY; i += 2)
		if (pipe(&fd[i]))
			err(1, "pipe");
	print("a pipe, empty, with its two descriptors", MANY / 2, &before);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
}

int main(int argc, char **argv)
{
	struct rlimit most = {4096, 4096};

	if (setrlimit(RLIMIT_NOFILE, &most))
		err(1, "setrlimit");
	threads();
	processes();
	areas();
	pages();
	descriptors();
	for (int i = 1; i < argc; i++)
		files(argv[i]);
	return 0;
}
