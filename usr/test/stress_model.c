// SPDX-License-Identifier: MIT
// Random work on memory and files, each step checked against a model, where there is less memory
// than work: four workers, each with a file, some mappings of it, private memory, and a part of
// shared memory. With 64M of memory the test takes most of it away first, so that whatever a worker
// looks at has perhaps been written back, evicted and read again.
//
// The model of a worker is a stamp for each page of its file and for each page of its window, a
// range of addresses where it maps and unmaps. A stamp says what stands at three places of the
// page; 0 is a page of zeros. So a page of somebody else's, or an old copy of one's own, does not
// go unnoticed.
//
// Workers are processes, or tasks in one space (clone with CLONE_VM): these do the same, each in
// its own window, while the others map, unmap and fork beside it.
//
//     tools/run --smp 4 --mem 64M -- env STEPS=20000 /test/stress_model -s SEED
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

enum {
	WORKERS = 4,
	FILE_PAGES = 4096,
	FILLED = 1280, // of these at first: all workers' are what squeeze_memory() leaves
	WINDOW = 512,
	SHARED_PAGES = 512,
	RUN = 64, // pages of one step, at most
	PROCESS_STEPS = 300,
	TASK_STEPS = 40, // each unmap interrupts the other harts, which QEMU is slow at
	STACK = 64 * 1024,
};

enum kind { HOLE, ANON, SHARED, PRIVATE };

struct window_page {
	uint8_t kind, rights;
	bool own;       // private, and stored to
	uint32_t stamp; // if it is its own, or ANON
	uint32_t at;    // else this page of the file
};

struct worker {
	unsigned number;
	uint64_t random;
	uint32_t last_stamp;
	bool alone; // in its space: may catch signals
	int fd;
	char *window;
	size_t file_pages; // the size
	uint32_t file[FILE_PAGES];
	uint32_t shared[SHARED_PAGES];
	struct window_page page[WINDOW];
};

static char *shared; // all workers' memory; in each page a quarter is a worker's
static unsigned steps;

static unsigned below(struct worker *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned)(w->random >> 20) % n;
}

static uint32_t new_stamp(struct worker *w)
{
	return ++w->last_stamp * WORKERS + w->number;
}

// --- stamps: BYTES of memory have one at the start, the middle and the end

static uint64_t word(uint32_t stamp, unsigned place)
{
	return stamp ? (stamp * 0x9e3779b97f4a7c15u) ^ place : 0;
}

static void stamp_memory(char *p, size_t bytes, uint32_t stamp)
{
	for (unsigned i = 0; i < 3; i++)
		*(volatile uint64_t *)(p + (bytes - 8) / 2 * i) = word(stamp, i);
}

static void check_memory(const char *p, size_t bytes, uint32_t stamp, const char *what, unsigned at)
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t is = *(const volatile uint64_t *)(p + (bytes - 8) / 2 * i);

		if (is != word(stamp, i))
			FAIL("%s, page %u, place %u: %#llx, should be %#llx (stamp %u)", what, at,
				i, (unsigned long long)is, (unsigned long long)word(stamp, i),
				stamp);
	}
}

// --- the window

static char *address(struct worker *w, unsigned page)
{
	return w->window + page * PAGE;
}

// What a load from the page must find.
static uint32_t expected(struct worker *w, const struct window_page *p)
{
	return p->kind == ANON || p->own ? p->stamp : w->file[p->at];
}

static bool past_the_end(struct worker *w, const struct window_page *p)
{
	return (p->kind == SHARED || p->kind == PRIVATE) && p->at >= w->file_pages;
}

// A random range: its first page, and how many.
static unsigned choose(struct worker *w, unsigned pages, unsigned *n)
{
	unsigned first = below(w, pages);

	*n = 1 + below(w, RUN);
	if (*n > pages - first)
		*n = pages - first;
	return first;
}

static void map_range(struct worker *w, enum kind kind)
{
	unsigned n, first = choose(w, WINDOW, &n), at = below(w, FILE_PAGES - RUN);
	int flags = MAP_FIXED | (kind == SHARED ? MAP_SHARED : MAP_PRIVATE) |
		    (kind == ANON ? MAP_ANONYMOUS : 0);
	int rights = below(w, 8) ? RW : PROT_READ;

	CHECK(mmap(address(w, first), n * PAGE, rights, flags, kind == ANON ? -1 : w->fd,
		      kind == ANON ? 0 : (off_t)(at * PAGE)) == address(w, first));
	for (unsigned i = 0; i < n; i++)
		w->page[first + i] =
			(struct window_page){.kind = kind, .rights = (uint8_t)rights, .at = at + i};
}

static void unmap_range(struct worker *w)
{
	unsigned n, first = choose(w, WINDOW, &n);

	CHECK_OK(munmap(address(w, first), n * PAGE));
	for (unsigned i = 0; i < n; i++)
		w->page[first + i] = (struct window_page){.kind = HOLE};
}

// How many pages from the first on are mapped.
static unsigned before_a_hole(struct worker *w, unsigned first, unsigned n)
{
	unsigned i = 0;

	while (i < n && w->page[first + i].kind != HOLE)
		i++;
	return i;
}

static void protect_range(struct worker *w)
{
	static const int choices[] = {PROT_NONE, PROT_READ, RW, RW};
	unsigned n, first = choose(w, WINDOW, &n), mapped = before_a_hole(w, first, n);
	int rights = choices[below(w, 4)];

	if (mapped < n)
		CHECK_ERR(mprotect(address(w, first), n * PAGE, rights), ENOMEM);
	else
		CHECK_OK(mprotect(address(w, first), n * PAGE, rights));
	for (unsigned i = 0; i < mapped; i++)
		w->page[first + i].rights = (uint8_t)rights;
}

static void forget_range(struct worker *w)
{
	unsigned n, first = choose(w, WINDOW, &n);

	n = before_a_hole(w, first, n);
	if (n == 0)
		return;
	CHECK_OK(madvise(address(w, first), n * PAGE, MADV_DONTNEED));
	for (unsigned i = 0; i < n; i++) {
		w->page[first + i].own = false;
		w->page[first + i].stamp = 0;
	}
}

static void store_page(struct worker *w, unsigned i)
{
	struct window_page *p = &w->page[i];
	uint32_t stamp = new_stamp(w);

	stamp_memory(address(w, i), PAGE, stamp);
	if (p->kind == SHARED) {
		w->file[p->at] = stamp;
	} else {
		p->stamp = stamp;
		p->own = true;
	}
}

// What an access to the page must end with.
static int signal_of(struct worker *w, const struct window_page *p, int right)
{
	if (p->kind == HOLE || !(p->rights & right))
		return SIGSEGV;
	return past_the_end(w, p) ? SIGBUS : 0;
}

static void touch_page(struct worker *w, unsigned i, int right)
{
	struct window_page *p = &w->page[i];
	int signo = signal_of(w, p, right);
	struct fault fault;

	if (signo && w->alone && below(w, 16) == 0) {
		fault = right == PROT_WRITE ? try_store(address(w, i)) : try_load(address(w, i));
		CHECK_EQ(fault.signo, signo);
		CHECK_EQ(fault.address, (uintptr_t)address(w, i));
	} else if (!signo && right == PROT_WRITE) {
		store_page(w, i);
	} else if (!signo) {
		check_memory(address(w, i), PAGE, expected(w, p), "window", i);
	}
}

static void touch_range(struct worker *w, int right)
{
	unsigned n, first = choose(w, WINDOW, &n);

	for (unsigned i = 0; i < n; i++)
		touch_page(w, first + i, right);
}

static void check_window(struct worker *w)
{
	for (unsigned i = 0; i < WINDOW; i++)
		if (!signal_of(w, &w->page[i], PROT_READ))
			check_memory(address(w, i), PAGE, expected(w, &w->page[i]), "window", i);
}

// --- the file

static void write_pages(struct worker *w, unsigned first, unsigned n)
{
	char block[PAGE];

	for (unsigned i = 0; i < n; i++) {
		uint32_t stamp = new_stamp(w);

		memset(block, 0, sizeof block);
		stamp_memory(block, PAGE, stamp);
		CHECK_EQ(pwrite(w->fd, block, PAGE, (off_t)((first + i) * PAGE)), PAGE);
		w->file[first + i] = stamp;
	}
	if (w->file_pages < first + n)
		w->file_pages = first + n;
}

static void write_range(struct worker *w)
{
	unsigned n, first = choose(w, FILE_PAGES, &n);

	write_pages(w, first, n);
}

static void read_range(struct worker *w)
{
	unsigned n, first = choose(w, FILE_PAGES, &n);
	char block[PAGE];

	for (unsigned i = first; i < first + n; i++) {
		CHECK_EQ(pread(w->fd, block, PAGE, (off_t)(i * PAGE)),
			i < w->file_pages ? (long)PAGE : 0);
		if (i < w->file_pages)
			check_memory(block, PAGE, w->file[i], "file", i);
	}
}

// Truncate takes private copies past the new end away, too.
static void truncate_file(struct worker *w)
{
	unsigned pages = FILE_PAGES - below(w, below(w, 4) ? RUN : FILE_PAGES);

	CHECK_OK(ftruncate(w->fd, (off_t)(pages * PAGE)));
	for (size_t i = pages; i < w->file_pages; i++)
		w->file[i] = 0;
	for (unsigned i = 0; i < WINDOW; i++)
		if (w->page[i].kind == PRIVATE && w->page[i].at >= pages)
			w->page[i].own = false;
	w->file_pages = pages;
}

// --- fork: the child sees what the parent sees, and its private stores stay its own

static void fork_and_check(struct worker *w)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		check_window(w);
		for (unsigned i = 0; i < WINDOW; i++)
			if (w->page[i].kind != SHARED && !signal_of(w, &w->page[i], PROT_WRITE))
				store_page(w, i);
		check_window(w);
		_exit(0);
	}
	for (unsigned i = 0; i < WINDOW; i += 1 + below(w, 8))
		if (w->page[i].kind == ANON || w->page[i].kind == PRIVATE)
			touch_page(w, i, PROT_WRITE);
	must_exit_well(pid);
}

// --- shared memory, which has no other place than memory

static char *slot(struct worker *w, unsigned page)
{
	return shared + page * PAGE + w->number * (PAGE / WORKERS);
}

static void touch_shared(struct worker *w)
{
	unsigned n, first = choose(w, SHARED_PAGES, &n);

	for (unsigned i = first; i < first + n; i++) {
		check_memory(slot(w, i), PAGE / WORKERS, w->shared[i], "shared memory", i);
		w->shared[i] = new_stamp(w);
		stamp_memory(slot(w, i), PAGE / WORKERS, w->shared[i]);
	}
}

// --- a worker's life

static void step(struct worker *w)
{
	unsigned what = below(w, 100);

	if (what < 6)
		map_range(w, ANON);
	else if (what < 16)
		map_range(w, SHARED);
	else if (what < 22)
		map_range(w, PRIVATE);
	else if (what < 26)
		unmap_range(w);
	else if (what < 30)
		protect_range(w);
	else if (what < 32)
		forget_range(w);
	else if (what < 50)
		touch_range(w, PROT_WRITE);
	else if (what < 66)
		touch_range(w, PROT_READ);
	else if (what < 76)
		write_range(w);
	else if (what < 88)
		read_range(w);
	else if (what < 94)
		touch_shared(w);
	else if (what < 96)
		truncate_file(w);
	else if (what < 98)
		CHECK_OK(below(w, 2) ? fsync(w->fd) : fdatasync(w->fd));
	else
		fork_and_check(w);
}

// Memory for the workers' models, which tasks in one space share, and processes do not.
static struct worker *new_worker(unsigned number, bool alone)
{
	struct worker *w = (struct worker *)map_anon(sizeof *w);
	char name[16];

	snprintf(name, sizeof name, "file%u", number);
	w->number = number;
	w->random = random_u64() | 1;
	w->alone = alone;
	w->fd = (int)CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
	w->window = map(WINDOW * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < WINDOW; i++)
		w->page[i].kind = ANON;
	return w;
}

static void work(void *arg)
{
	struct worker *w = arg;

	write_pages(w, 0, FILLED);
	for (unsigned i = 0; i < steps; i++)
		step(w);
	check_window(w);
}

static struct worker *workers[WORKERS];

static bool squeezed;
static long long evicted; // pages, before

// What is left for the workers: less than they look at.
#define LEAVE_KIB (20 * 1024)

static void prepare(bool alone, unsigned default_steps)
{
	const char *text = getenv("STEPS");

	steps = text ? (unsigned)strtoul(text, NULL, 0) : default_steps;
	squeezed = squeeze_memory(LEAVE_KIB);
	evicted = squeezed ? vmstat("mapache_reclaim_freed") : 0;
	shared = map(SHARED_PAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i] = new_worker(i, alone);
}

static void wait_for(const pid_t *pids)
{
	for (unsigned i = 0; i < WORKERS; i++)
		must_exit_well(pids[i]);
	if (squeezed)
		CHECK(vmstat("mapache_reclaim_freed") > evicted);
}

static void processes(void)
{
	pid_t pids[WORKERS];

	prepare(true, PROCESS_STEPS);
	for (unsigned i = 0; i < WORKERS; i++)
		pids[i] = start_child(work, workers[i]);
	wait_for(pids);
}

static int task(void *arg)
{
	work(arg);
	return 0;
}

static void tasks_in_one_space(void)
{
	char *stacks = map_anon(WORKERS * STACK);
	pid_t pids[WORKERS];

	prepare(false, TASK_STEPS);
	for (unsigned i = 0; i < WORKERS; i++)
		pids[i] = (pid_t)CHECK_OK(
			clone(task, stacks + (i + 1) * STACK, CLONE_VM | SIGCHLD, workers[i]));
	wait_for(pids);
}

static const struct test tests[] = {
	{"processes", processes},
	{"tasks_in_one_space", tasks_in_one_space},
};

BEYOND_CORE_MAIN(tests)
