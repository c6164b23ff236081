// SPDX-License-Identifier: MIT
/*
 * harts - how much N threads or processes do at once, in wall time.
 *
 *   harts [-w WORKERS] [-t SECONDS] [-d DIR] [-l] [WORKLOAD]...
 *
 *     -w   threads or processes that work (default 2)
 *     -t   how long each workload is measured (default 0.5)
 *     -d   directory of the files that are read (default /tmp)
 *     -l   list the workloads
 *     WORKLOAD  only these
 *
 * Each worker does its operation over and over and counts. When all have begun, the counts are
 * read, and once more after the given time: what is measured is neither the start nor the end.
 *
 * Output: a line a workload, "name<TAB>workers<TAB>operations<TAB>seconds<TAB>least<TAB>greatest",
 * the last two of what a single worker did. It uses POSIX and mmap flags of Linux only, so that the
 * same binary runs there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)

enum {
	MOST_WORKERS = 64,
	AREA_PAGES = 1024,  /* that a faulting worker touches before it gives them back */
	STRIPE_PAGES = 512, /* where workers share an area: what is one's, between the others' */
	FILE_BYTES = 1 << 20,
	FILE_PIECE = 4096,
};

/* A worker's, in memory that all share: no two in one line of a cache. */
struct worker {
	_Alignas(64) atomic_ulong done;
	int number;
	void *area; /* that threads share */
};

static struct board {
	atomic_bool stop;
	struct worker workers[MOST_WORKERS];
} * board;

static const char *directory = "/tmp";
static unsigned n_workers = 2;

static void die(const char *what)
{
	fprintf(stderr, "harts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool going(void)
{
	return !atomic_load_explicit(&board->stop, memory_order_relaxed);
}

/* The worker alone writes its count. */
static void count(struct worker *w, unsigned long n)
{
	unsigned long done = atomic_load_explicit(&w->done, memory_order_relaxed);

	atomic_store_explicit(&w->done, done + n, memory_order_relaxed);
}

static char *map_pages(size_t pages)
{
	char *at = mmap(NULL, pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

/* --- Workloads -------------------------------------------------------------------------------- */

/* No kernel at all: what the machine below gives to N harts. */
static void compute(struct worker *w)
{
	while (going()) {
		for (volatile int i = 0; i < 1000; i++)
			;
		count(w, 1);
	}
}

static void getppid_loop(struct worker *w)
{
	while (going()) {
		for (int i = 0; i < 100; i++)
			syscall(SYS_getppid);
		count(w, 100);
	}
}

static void touch(struct worker *w, char *at, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		at[i * PAGE] = 1;
	count(w, pages);
}

static void fault_own(struct worker *w)
{
	while (going()) {
		char *at = map_pages(AREA_PAGES);

		touch(w, at, AREA_PAGES);
		munmap(at, AREA_PAGES * PAGE);
	}
}

static void fault_same(struct worker *w)
{
	char *mine = (char *)w->area + (size_t)w->number * STRIPE_PAGES * PAGE;

	while (going()) {
		touch(w, mine, STRIPE_PAGES);
		if (madvise(mine, STRIPE_PAGES * PAGE, MADV_DONTNEED))
			die("madvise");
	}
}

static void map_touch_protect_unmap(struct worker *w)
{
	while (going()) {
		char *at = map_pages(1);

		*at = 1;
		if (mprotect(at, PAGE, PROT_READ) || munmap(at, PAGE))
			die("mprotect, munmap");
		count(w, 1);
	}
}

static void fork_exit_wait(struct worker *w)
{
	while (going()) {
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (child == 0)
			_exit(0);
		if (waitpid(child, NULL, 0) != child)
			die("waitpid");
		count(w, 1);
	}
}

static void make_pipe(int ends[2])
{
	if (pipe(ends))
		die("pipe");
}

static void pipe_own(struct worker *w)
{
	char bytes[FILE_PIECE] = {0};
	int ends[2];

	make_pipe(ends);
	while (going()) {
		if (write(ends[1], bytes, sizeof bytes) != sizeof bytes ||
			read(ends[0], bytes, sizeof bytes) != sizeof bytes)
			die("pipe");
		count(w, 1);
	}
}

static void echo(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
		;
	_exit(0);
}

/* With a process of its own at the other end of two pipes. */
static void pipe_pair(struct worker *w)
{
	int there[2], back[2];
	char byte = 0;
	pid_t child;

	make_pipe(there);
	make_pipe(back);
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		close(there[1]);
		echo(there[0], back[1]);
	}
	while (going()) {
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			die("pipe");
		count(w, 1);
	}
	close(there[1]);
	waitpid(child, NULL, 0);
}

/* A file that is in the cache, and has no name any more. */
static int make_file(void)
{
	static char bytes[FILE_PIECE];
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/harts.XXXXXX", directory);
	fd = mkstemp(path);
	if (fd < 0)
		die(path);
	unlink(path);
	for (size_t i = 0; i < FILE_BYTES / sizeof bytes; i++)
		if (write(fd, bytes, sizeof bytes) != sizeof bytes)
			die("write");
	return fd;
}

static void read_all(struct worker *w, int fd)
{
	char bytes[FILE_PIECE];

	for (off_t at = 0; going(); at = (at + FILE_PIECE) % FILE_BYTES) {
		if (pread(fd, bytes, sizeof bytes, at) != sizeof bytes)
			die("pread");
		count(w, 1);
	}
}

static void read_own(struct worker *w)
{
	read_all(w, make_file());
}

static int shared_file;

static void read_same(struct worker *w)
{
	read_all(w, shared_file);
}

static const struct workload {
	const char *name, *unit;
	bool threads; /* of one process; else each worker is a process */
	void (*run)(struct worker *w);
} workloads[] = {
	{"compute", "rounds", false, compute},
	{"getppid", "calls", false, getppid_loop},
	{"fault_processes", "pages", false, fault_own},
	{"fault_own_areas", "pages", true, fault_own},
	{"fault_same_area", "pages", true, fault_same},
	{"map_processes", "map, touch, protect, unmap", false, map_touch_protect_unmap},
	{"map_threads", "map, touch, protect, unmap", true, map_touch_protect_unmap},
	{"fork", "fork, exit, wait", false, fork_exit_wait},
	{"pipe_own", "4 KiB in and out", false, pipe_own},
	{"pipe_pair", "round trips", false, pipe_pair},
	{"read_own_file", "4 KiB", false, read_own},
	{"read_same_file", "4 KiB", false, read_same},
};

#define N_WORKLOADS (sizeof workloads / sizeof *workloads)

/* --- Running them ----------------------------------------------------------------------------- */

static const struct workload *running;

static void *thread_main(void *worker)
{
	running->run(worker);
	return NULL;
}

struct handle {
	pthread_t thread;
	pid_t process;
};

static void start(struct handle *h, struct worker *w)
{
	if (running->threads) {
		errno = pthread_create(&h->thread, NULL, thread_main, w);
		if (errno)
			die("pthread_create");
		return;
	}
	h->process = fork();
	if (h->process < 0)
		die("fork");
	if (h->process == 0) {
		running->run(w);
		_exit(0);
	}
}

static void finish(struct handle *h)
{
	int status = 0;

	if (running->threads)
		pthread_join(h->thread, NULL);
	else if (waitpid(h->process, &status, 0) < 0 || status)
		exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&t, NULL);
}

static void read_counts(unsigned long *counts)
{
	for (unsigned i = 0; i < n_workers; i++)
		counts[i] = atomic_load_explicit(&board->workers[i].done, memory_order_relaxed);
}

static bool all_have_begun(void)
{
	unsigned long counts[MOST_WORKERS];

	read_counts(counts);
	for (unsigned i = 0; i < n_workers; i++)
		if (!counts[i])
			return false;
	return true;
}

static void report(const unsigned long *before, const unsigned long *after, double seconds)
{
	unsigned long sum = 0, least = ~0ul, greatest = 0;

	for (unsigned i = 0; i < n_workers; i++) {
		unsigned long n = after[i] - before[i];

		sum += n;
		least = n < least ? n : least;
		greatest = n > greatest ? n : greatest;
	}
	printf("%s\t%u\t%lu\t%.6f\t%lu\t%lu\n", running->name, n_workers, sum, seconds, least,
		greatest);
	fflush(stdout);
}

static void measure(double seconds)
{
	unsigned long before[MOST_WORKERS], after[MOST_WORKERS];
	double began;

	while (!all_have_begun())
		pause_for(0.001);
	began = now();
	read_counts(before);
	pause_for(seconds);
	read_counts(after);
	report(before, after, now() - began);
}

static void run(double seconds)
{
	struct handle handles[MOST_WORKERS];
	char *area = map_pages((size_t)n_workers * STRIPE_PAGES);

	memset(board, 0, sizeof *board);
	for (unsigned i = 0; i < n_workers; i++) {
		struct worker *w = &board->workers[i];

		w->number = (int)i;
		w->area = area;
		start(&handles[i], w);
	}
	measure(seconds);
	atomic_store(&board->stop, true);
	for (unsigned i = 0; i < n_workers; i++)
		finish(&handles[i]);
	munmap(area, (size_t)n_workers * STRIPE_PAGES * PAGE);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static void list(void)
{
	for (size_t i = 0; i < N_WORKLOADS; i++)
		printf("%s\t%s of %s\n", workloads[i].name, workloads[i].unit,
			workloads[i].threads ? "threads" : "processes");
}

int main(int argc, char **argv)
{
	double seconds = 0.5;
	int option;

	while ((option = getopt(argc, argv, "w:t:d:l")) != -1) {
		switch (option) {
		case 'w':
			n_workers = (unsigned)atoi(optarg);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'd':
			directory = optarg;
			break;
		case 'l':
			list();
			return 0;
		default:
			return 2;
		}
	}
	if (n_workers < 1 || n_workers > MOST_WORKERS || seconds <= 0) {
		fprintf(stderr, "harts: 1 to %d workers, more than no time\n", MOST_WORKERS);
		return 2;
	}
	board = mmap(NULL, sizeof *board, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		die("mmap");
	shared_file = make_file();
	for (size_t i = 0; i < N_WORKLOADS; i++) {
		running = &workloads[i];
		if (wanted(running->name, argv + optind))
			run(seconds);
	}
	return 0;
}
