// SPDX-License-Identifier: MIT
// A table on disk, by mmap and by read(2)/write(2): what docs/when-not-to-mmap.md is about.
//
//     tablescan [-t MIB] [-n ACCESSES] [-w WORKERS] [-s SEED] [-i] [WAY | PATTERN]...
//     tablescan errors FILE
//
// The table is a file of MIB mebibytes, made first and removed in the end, 64 rows of 64 bytes a
// page. For each way and each pattern of the given ones (by default all) WORKERS processes start
// together, with nothing of the table in memory, and each makes its share of the ACCESSES. An
// access reads a word of a row; an update adds one to it.
//
//     ways      mmap         loads and stores; MADV_NORMAL
//               mmap-advise  the same after MADV_SEQUENTIAL (scan) or MADV_RANDOM (others)
//               read         pread() and pwrite() of the row's page into a buffer; 64 KiB in a scan
//     patterns  scan         all pages, one after another (each worker its part), all rows
//               uniform      random pages
//               zipf         random pages, the n-th most frequent one about 1/n of the first
//               update       uniform, and the row changes
//               update-zipf  zipf, and the row changes
//
// A line is printed for each: what the kernel counted from start to end (/proc/vmstat), and how
// long single accesses took. With -i the same is done twice first, so that the table is in memory
// and what will be stored to is dirty, and instructions are counted instead (one worker; tools/run
// --icount). Whatever is computed must be the same by all ways, and all updates must be found in
// the end; else the exit status is 1.
//
// errors: what a program sees by both ways when a page of FILE cannot be read, when a page lies
// past the end, and when the disk is full.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE      4096ul
#define ROW       64ul
#define ROWS      (PAGE / ROW)
#define MIB_PAGES 256ul
#define CHUNK     16ul // pages of a scan's read()

enum { WORKERS_MAX = 16, BUCKETS = 40 };

enum way { MMAP, MMAP_ADVISE, READ, WAYS };
enum pattern { SCAN, UNIFORM, ZIPF, UPDATE, UPDATE_ZIPF, PATTERNS };

static const char *const way_name[] = {"mmap", "mmap-advise", "read"};
static const char *const pattern_name[] = {"scan", "uniform", "zipf", "update", "update-zipf"};

static struct {
	unsigned long pages, accesses;
	unsigned workers;
	uint64_t seed;
	bool instructions;
	int fd;
} table = {.pages = 16 * MIB_PAGES, .accesses = 20000, .workers = 1, .seed = 1};

// What the workers tell; in shared memory.
static struct report {
	uint64_t sum, instructions;
	uint64_t ticks[BUCKETS]; // accesses that took less than 2^i ticks, but not less than half
	uint64_t longest;        // ticks
} * report;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "tablescan: %s: %s\n", what, strerror(errno));
	exit(2);
}

static long must(long value, const char *what)
{
	if (value < 0)
		die(what);
	return value;
}

// --- clocks: ticks of 100 ns, and instructions

#define TICKS_A_SECOND 10000000ul

static uint64_t ticks_now(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t)::"memory");
	return t;
}

static uint64_t instructions_now(void)
{
	uint64_t n;

	__asm__ volatile("rdinstret %0" : "=r"(n)::"memory");
	return n;
}

// --- random numbers

struct random {
	uint64_t state;
};

static uint64_t random_below(struct random *r, uint64_t n)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (r->state >> 11) % n;
}

// A rank below n, the k-th with a chance of about 1/k: all octaves are alike, and so is all in one.
static uint64_t zipf_below(struct random *r, uint64_t n)
{
	unsigned octaves = 0;
	uint64_t rank;

	while (n >> octaves)
		octaves++;
	do {
		rank = (uint64_t)1 << random_below(r, octaves);
		rank += random_below(r, rank) - 1;
	} while (rank >= n);
	return rank;
}

// --- the table

static uint64_t row_value(unsigned long page, unsigned row)
{
	return (page * ROWS + row) * 0x9e3779b97f4a7c15u >> 40;
}

static uint64_t *row_of(void *page, unsigned row)
{
	return (uint64_t *)((char *)page + row * ROW);
}

static void make_table(void)
{
	static char chunk[CHUNK * PAGE];

	table.fd = (int)must(open("table", O_RDWR | O_CREAT | O_TRUNC, 0644), "table");
	for (unsigned long page = 0; page < table.pages; page += CHUNK) {
		for (unsigned i = 0; i < CHUNK * ROWS; i++)
			*row_of(chunk, i) = row_value(page, i);
		errno = ENOSPC; // of what is written short
		if (pwrite(table.fd, chunk, sizeof chunk, (off_t)(page * PAGE)) != sizeof chunk)
			die("making the table");
	}
	must(fsync(table.fd), "making the table");
}

// --- the ways: a page to look at, and giving it back changed

struct access {
	enum way way;
	char *map;
	char buffer[CHUNK * PAGE];
};

static void transfer(ssize_t n, size_t want)
{
	if (n != (ssize_t)want)
		die("the table");
}

static char *get_pages(struct access *a, unsigned long page, unsigned long n)
{
	if (a->way != READ)
		return a->map + page * PAGE;
	transfer(pread(table.fd, a->buffer, n * PAGE, (off_t)(page * PAGE)), n * PAGE);
	return a->buffer;
}

static void put_page(struct access *a, unsigned long page)
{
	if (a->way == READ)
		transfer(pwrite(table.fd, a->buffer, PAGE, (off_t)(page * PAGE)), PAGE);
}

// False when the kernel does not know the advice.
static bool open_access(struct access *a, enum way way, enum pattern pattern)
{
	a->way = way;
	if (way == READ)
		return true;
	a->map = mmap(NULL, table.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, table.fd, 0);
	if (a->map == MAP_FAILED)
		die("mmap");
	return way == MMAP || madvise(a->map, table.pages * PAGE,
				      pattern == SCAN ? MADV_SEQUENTIAL : MADV_RANDOM) == 0;
}

// --- a worker

static void note(struct report *r, uint64_t ticks)
{
	unsigned i = 0;

	while (ticks >> i && i < BUCKETS - 1)
		i++;
	r->ticks[i]++;
	if (ticks > r->longest)
		r->longest = ticks;
}

static void scan(struct access *a, unsigned me, struct report *r)
{
	unsigned long page = table.pages * me / table.workers / CHUNK * CHUNK;
	unsigned long end = table.pages * (me + 1) / table.workers / CHUNK * CHUNK;

	for (; page < end; page += CHUNK) {
		uint64_t began = ticks_now();
		char *p = get_pages(a, page, CHUNK);

		for (unsigned i = 0; i < CHUNK * ROWS; i++)
			r->sum += *(volatile uint64_t *)row_of(p, i);
		note(r, ticks_now() - began);
	}
}

// Workers update different pages, so that no update is lost between pread() and pwrite().
static unsigned long choose(struct random *random, enum pattern pattern, unsigned me)
{
	bool zipf = pattern == ZIPF || pattern == UPDATE_ZIPF;
	uint64_t n = table.pages / table.workers;
	uint64_t rank = zipf ? zipf_below(random, n) : random_below(random, n);

	return rank * 7919 % n * table.workers + me; // what is frequent is scattered
}

static void visit(struct access *a, enum pattern pattern, unsigned me, struct report *r)
{
	struct random random = {(table.seed + me + 1) * 0x9e3779b97f4a7c15u | 1};
	bool update = pattern == UPDATE || pattern == UPDATE_ZIPF;

	for (unsigned long i = 0; i < table.accesses / table.workers; i++) {
		unsigned long page = choose(&random, pattern, me);
		unsigned row = (unsigned)random_below(&random, ROWS);
		uint64_t began = ticks_now();
		volatile uint64_t *word = row_of(get_pages(a, page, 1), row);

		if (update) {
			++*word;
			put_page(a, page);
		} else {
			r->sum += *word;
		}
		note(r, ticks_now() - began);
	}
}

static void work(struct access *a, enum pattern pattern, unsigned me, struct report *r)
{
	uint64_t began = instructions_now();

	if (pattern == SCAN)
		scan(a, me, r);
	else
		visit(a, pattern, me, r);
	r->instructions = instructions_now() - began;
}

// --- one line

// What is counted from start to end: the head of the column, its width, the name in /proc/vmstat.
static const struct {
	const char *head;
	int width;
	const char *name;
} counters[] = {
	{"faults", 7, "pgfault"},
	{"major", 6, "pgmajfault"},
	{"read", 7, "mapache_filled_pages"},
	{"evicted", 7, "mapache_reclaim_freed"},
	{"written", 7, "nr_written"},
	{"runs", 6, "mapache_writes"},
	{"flushes", 7, "mapache_tlb_flushes"},
	{"fences", 6, "mapache_remote_fences"},
};
enum { COUNTERS = sizeof counters / sizeof counters[0] };

static void read_counters(uint64_t *counter)
{
	static char text[8192];
	int fd = (int)must(open("/proc/vmstat", O_RDONLY), "/proc/vmstat");
	ssize_t n = must(read(fd, text, sizeof text - 1), "/proc/vmstat");

	close(fd);
	text[n] = '\0';
	for (int i = 0; i < COUNTERS; i++) {
		char *at = strstr(text, counters[i].name);

		counter[i] = at ? strtoull(at + strlen(counters[i].name), NULL, 10) : 0;
	}
}

static void drop_caches(void)
{
	int fd;

	sync();
	fd = (int)must(open("/proc/sys/vm/drop_caches", O_WRONLY), "drop_caches");
	must(write(fd, "3", 1), "drop_caches");
	close(fd);
}

static void get_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		die("a worker has failed");
}

static void put_byte(int fd)
{
	must(write(fd, "", 1), "pipe");
}

struct gate {
	int ready[2], go[2], done[2], end[2];
};

// Touches what it will use before it is ready: faults of its own are not the table's.
static _Noreturn void worker(struct gate *gate, enum way way, enum pattern pattern, unsigned me)
{
	static struct access a;
	struct report none = {0};

	memset(a.buffer, 1, sizeof a.buffer);
	if (!open_access(&a, way, pattern))
		exit(3);
	note(&none, ticks_now());
	instructions_now();
	if (table.instructions) {
		// Read in; then, all being clean, once more without waiting for the disk, in a time
		// so short that nothing is old enough to be written back while it is counted.
		work(&a, pattern, me, &none);
		must(fsync(table.fd), "fsync");
		work(&a, pattern, me, &none);
	}
	put_byte(gate->ready[1]);
	get_byte(gate->go[0]);
	work(&a, pattern, me, &report[me]);
	put_byte(gate->done[1]);
	get_byte(gate->end[0]);
	exit(0);
}

// The time below which so many of a thousand accesses were, in ticks, as a power of two.
static uint64_t quantile(const struct report *all, unsigned permille)
{
	uint64_t n = 0, below = 0;

	for (int i = 0; i < BUCKETS; i++)
		n += all->ticks[i];
	for (int i = 0; i < BUCKETS; i++) {
		below += all->ticks[i];
		if (below * 1000 >= n * permille)
			return (uint64_t)1 << i;
	}
	return 0;
}

static struct report total(void)
{
	struct report all = {0};

	for (unsigned w = 0; w < table.workers; w++) {
		all.sum += report[w].sum;
		all.instructions += report[w].instructions;
		for (int i = 0; i < BUCKETS; i++)
			all.ticks[i] += report[w].ticks[i];
		if (report[w].longest > all.longest)
			all.longest = report[w].longest;
	}
	return all;
}

static void print_heads(void)
{
	printf("%-11s %-11s", "pattern", "way");
	if (table.instructions) {
		printf(" %9s %12s\n", "accesses", "instructions");
		return;
	}
	printf(" w %8s", "seconds");
	for (int i = 0; i < COUNTERS; i++)
		printf(" %*s", counters[i].width, counters[i].head);
	printf(" %9s %9s\n", "99% <us", "worst us");
}

static void print_line(enum way way, enum pattern pattern, uint64_t ticks, const uint64_t *counted)
{
	struct report all = total();
	uint64_t n = 0;

	for (int i = 0; i < BUCKETS; i++)
		n += all.ticks[i];
	printf("%-11s %-11s", pattern_name[pattern], way_name[way]);
	if (table.instructions) {
		printf(" %9llu %12llu\n", (unsigned long long)n,
			(unsigned long long)(all.instructions / n));
		return;
	}
	printf(" %u %8.2f", table.workers, (double)ticks / TICKS_A_SECOND);
	for (int i = 0; i < COUNTERS; i++)
		printf(" %*llu", counters[i].width, (unsigned long long)counted[i]);
	printf(" %9.1f %9.1f\n", (double)quantile(&all, 990) / 10, (double)all.longest / 10);
}

static bool start(struct gate *gate, enum way way, enum pattern pattern)
{
	int good = 1;

	must(pipe(gate->ready) | pipe(gate->go) | pipe(gate->done) | pipe(gate->end), "pipe");
	fflush(stdout);
	for (unsigned w = 0; w < table.workers; w++)
		if (must(fork(), "fork") == 0)
			worker(gate, way, pattern, w);
	close(gate->ready[1]); // a worker that exits is noticed
	for (unsigned w = 0; w < table.workers; w++) {
		char byte;

		good &= read(gate->ready[0], &byte, 1) == 1;
	}
	return good;
}

static void finish(struct gate *gate)
{
	for (unsigned w = 0; w < table.workers; w++)
		put_byte(gate->end[1]);
	for (unsigned w = 0; w < table.workers; w++)
		must(wait(NULL), "wait");
	close(gate->ready[0]);
	for (int i = 0; i < 2; i++) {
		close(gate->go[i]);
		close(gate->done[i]);
		close(gate->end[i]);
	}
}

// False when the kernel does not know the way's advice.
static bool measure(enum way way, enum pattern pattern)
{
	uint64_t before[COUNTERS], after[COUNTERS], ticks;
	struct gate gate;
	bool started;

	drop_caches();
	memset(report, 0, WORKERS_MAX * sizeof *report);
	started = start(&gate, way, pattern);
	if (started) {
		read_counters(before); // twice: the first time copies pages that the workers share
		read_counters(before);
		ticks = ticks_now();
		for (unsigned w = 0; w < table.workers; w++)
			put_byte(gate.go[1]);
		for (unsigned w = 0; w < table.workers; w++)
			get_byte(gate.done[0]);
		ticks = ticks_now() - ticks;
		read_counters(after);
		for (int i = 0; i < COUNTERS; i++)
			after[i] -= before[i];
		print_line(way, pattern, ticks, after);
	}
	finish(&gate);
	return started;
}

// The sum of all rows; what the table said at first plus one for each update.
static uint64_t sum_of_table(void)
{
	static struct access a = {.way = READ};
	struct report r = {0};
	unsigned workers = table.workers;

	table.workers = 1;
	scan(&a, 0, &r);
	table.workers = workers;
	return r.sum;
}

// All ways of one pattern.  False when they do not agree.
static bool compare(enum pattern pattern, const bool *wanted)
{
	bool first = true, good = true;
	uint64_t sum = 0;

	for (int way = 0; way < WAYS; way++) {
		uint64_t expected = pattern >= UPDATE ? sum_of_table() : 0;
		uint64_t rounds = table.instructions ? 3 : 1;

		if (!wanted[way] || !measure(way, pattern))
			continue;
		if (pattern >= UPDATE) {
			expected += table.accesses / table.workers * table.workers * rounds;
			good &= sum_of_table() == expected;
		} else if (first) {
			sum = total().sum;
			first = false;
		} else {
			good &= total().sum == sum;
		}
	}
	if (!good)
		fprintf(stderr, "tablescan: %s: the ways do not agree\n", pattern_name[pattern]);
	return good;
}

// --- errors

static sigjmp_buf fault_exit;
static volatile int fault_signal, fault_code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = signo;
	fault_code = info->si_code;
	siglongjmp(fault_exit, 1);
}

// What a load or a store at p ends with, in words.
static const char *by_mapping(volatile char *p, bool stores)
{
	static char text[64];

	if (sigsetjmp(fault_exit, 1)) {
		snprintf(text, sizeof text, "signal %s, code %d",
			fault_signal == SIGBUS ? "SIGBUS" : "SIGSEGV", fault_code);
		return text;
	}
	if (stores)
		*p = 1;
	else
		(void)*p;
	return "nothing happens";
}

static const char *by_call(ssize_t n)
{
	static char text[64];

	if (n >= 0)
		snprintf(text, sizeof text, "%zd bytes", n);
	else
		snprintf(text, sizeof text, "%s", strerror(errno));
	return text;
}

static char *map_page(int fd, off_t offset)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void print_error(const char *what, const char *mapping, const char *call)
{
	printf("%-36s %-22s %s\n", what, mapping, call);
}

static void fill_disk(void)
{
	static char chunk[CHUNK * PAGE];
	int fd = (int)must(open("ballast", O_WRONLY | O_CREAT | O_TRUNC, 0644), "ballast");

	while (write(fd, chunk, sizeof chunk) > 0)
		;
	while (write(fd, chunk, PAGE) > 0)
		;
	fsync(fd);
	close(fd);
}

static int show_errors(const char *name)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	int fd = (int)must(open(name, O_RDWR), name), sparse;
	char byte = 1;
	off_t end = must(lseek(fd, 0, SEEK_END), name);

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	printf("%-36s %-22s %s\n", "", "by mmap", "by read() and write()");
	print_error("the disk cannot read the page", by_mapping(map_page(fd, 0), false),
		by_call(pread(fd, &byte, 1, 0)));
	print_error("the page lies past the end", by_mapping(map_page(fd, end), false),
		by_call(pread(fd, &byte, 1, end)));
	fill_disk();
	sparse = (int)must(open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0644), "sparse");
	must(ftruncate(sparse, PAGE), "sparse");
	print_error("a hole is written, the disk is full", by_mapping(map_page(sparse, 0), true),
		by_call(pwrite(sparse, &byte, 1, 0)));
	must(unlink("ballast") | unlink("sparse"), "unlink");
	return 0;
}

// --- main

// Marks NAME in `wanted`, when it is one of the n names.
static bool select_name(const char *name, const char *const *names, int n, bool *wanted)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return wanted[i] = true;
	return false;
}

static void select_all(bool *wanted, int n)
{
	for (int i = 0; i < n; i++)
		if (wanted[i])
			return;
	memset(wanted, 1, (size_t)n);
}

static void usage(void)
{
	fprintf(stderr, "usage: tablescan [-t MIB] [-n ACCESSES] [-w WORKERS] [-s SEED] [-i] "
			"[WAY | PATTERN]...\n       tablescan errors FILE\n");
	exit(2);
}

static void options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "t:n:w:s:i")) != -1) {
		if (option == 't')
			table.pages = strtoul(optarg, NULL, 0) * MIB_PAGES;
		else if (option == 'n')
			table.accesses = strtoul(optarg, NULL, 0);
		else if (option == 'w')
			table.workers = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 's')
			table.seed = strtoull(optarg, NULL, 0);
		else if (option == 'i')
			table.instructions = true;
		else
			usage();
	}
	if (table.pages == 0 || table.workers < 1 || table.workers > WORKERS_MAX)
		usage();
}

int main(int argc, char **argv)
{
	bool ways[WAYS] = {0}, patterns[PATTERNS] = {0}, good = true;

	if (argc == 3 && !strcmp(argv[1], "errors"))
		return show_errors(argv[2]);
	options(argc, argv);
	for (; optind < argc; optind++)
		if (!select_name(argv[optind], way_name, WAYS, ways) &&
			!select_name(argv[optind], pattern_name, PATTERNS, patterns))
			usage();
	select_all(ways, WAYS);
	select_all(patterns, PATTERNS);
	make_table();
	report = mmap(NULL, WORKERS_MAX * sizeof *report, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		die("mmap");
	print_heads();
	for (int pattern = 0; pattern < PATTERNS; pattern++)
		if (patterns[pattern])
			good &= compare(pattern, ways);
	must(unlink("table"), "table");
	return good ? 0 : 1;
}
