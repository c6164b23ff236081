// SPDX-License-Identifier: MIT
// A directory is listed while others change it, by processes or threads on all harts that there
// are. A name that is there from before a listing to after it is in it exactly once, whatever is
// made, renamed and removed around it, and however few names one call gives. Names that come and go
// have numbers that are never used again, so none is listed twice, and none that had gone before.
//
// And one file to which all append and give names: each line is whole, each worker's are in its
// order, and the count of names is right.
//
//     tools/run --preset dev --smp 4 -- env STEPS=5000 /test/stress_readdir -s SEED
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/tap.h"
#include "lib/threads.h"

enum {
	WRITERS = 2,
	READERS = 2,
	WORKERS = WRITERS + READERS,
	STAY = 120,
	PASSING = 40, // of a writer, at a time
	DEFAULT_STEPS = 300,
	MOST_STEPS = 20000,
};

// A writer's names are numbers: [0, begun) it makes or has made, [0, made) are made; [0, leaving)
// it removes or has removed, [0, left) are gone.
struct writer {
	unsigned begun, made, leaving, left;
};

struct reader {
	unsigned listing;                                  // its number, from 1
	unsigned stay[STAY], passing[WRITERS][MOST_STEPS]; // in which listing it was seen last
	struct writer before[WRITERS];
};

struct dirent_head { // of getdents64
	uint64_t ino;
	int64_t cookie;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static struct writer writers[WRITERS];
static struct reader readers[READERS];
static unsigned steps, writers_left;

// --- Running them

static void (*thread_work)(unsigned me);

static void run_in_thread(void *arg)
{
	thread_work((unsigned)(uintptr_t)arg);
}

static void run_threads(void (*work)(unsigned me))
{
	static struct thread threads[WORKERS];

	memset(threads, 0, sizeof threads);
	thread_work = work;
	for (uintptr_t i = 0; i < WORKERS; i++)
		thread_begin(&threads[i], run_in_thread, (void *)i);
	for (unsigned i = 0; i < WORKERS; i++)
		thread_join(&threads[i]);
}

static void run_crew(void (*work)(unsigned me))
{
	crew_run(WORKERS, work);
}

static void prepare(void)
{
	const char *text = getenv("STEPS");

	steps = text ? (unsigned)strtoul(text, NULL, 0) : DEFAULT_STEPS;
	CHECK(steps <= MOST_STEPS);
	writers_left = WRITERS;
	memset(writers, 0, sizeof writers);
	memset(readers, 0, sizeof readers);
}

static unsigned load_word(const unsigned *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store_word(unsigned *word, unsigned value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

// --- Names

enum { STAYING = WRITERS }; // whose names they are, else

// Members of a crew have no stdio.
static void path_of(unsigned whose, unsigned number, char path[16])
{
	memcpy(path, "d/?00000", 9);
	path[2] = (char)('a' + whose);
	for (unsigned at = 7; number; at--, number /= 10)
		path[at] = (char)('0' + number % 10);
}

static void make(unsigned whose, unsigned number)
{
	char path[16];

	path_of(whose, number, path);
	CHECK_OK(close((int)CHECK_OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644))));
}

static void take_away(unsigned whose, unsigned number)
{
	char path[16];

	path_of(whose, number, path);
	CHECK_OK(unlink(path));
}

static void rename_oldest(unsigned whose, unsigned from, unsigned to)
{
	char old[16], new[16];

	path_of(whose, from, old);
	path_of(whose, to, new);
	CHECK_OK(rename(old, new));
}

// The next name is made, or the oldest becomes it; more than PASSING are not kept.
static void write_names(unsigned me)
{
	struct writer *w = &writers[me];

	for (unsigned i = 0; i < steps; i++) {
		bool again = i % 3 == 2;

		store_word(&w->begun, i + 1);
		if (again) {
			store_word(&w->leaving, w->left + 1);
			rename_oldest(me, w->left, i);
			store_word(&w->left, w->left + 1);
		} else {
			make(me, i);
		}
		store_word(&w->made, i + 1);
		if (w->made - w->left > PASSING) {
			store_word(&w->leaving, w->left + 1);
			take_away(me, w->left);
			store_word(&w->left, w->left + 1);
		}
	}
	__atomic_fetch_sub(&writers_left, 1, __ATOMIC_SEQ_CST);
}

// --- Listings

static void see(struct reader *r, const char *name)
{
	unsigned whose = (unsigned)(name[0] - 'a'), number = 0, *last;

	for (const char *c = name + 1; *c; c++)
		number = number * 10 + (unsigned)(*c - '0');
	CHECK(whose <= STAYING && number < (whose == STAYING ? (unsigned)STAY : steps));
	if (whose != STAYING && number >= load_word(&writers[whose].begun))
		FAIL("%s is listed before it is made", name);
	if (whose != STAYING && number < r->before[whose].left)
		FAIL("%s is listed, and had gone before", name);
	last = whose == STAYING ? &r->stay[number] : &r->passing[whose][number];
	if (*last == r->listing)
		FAIL("%s is listed twice", name);
	*last = r->listing;
}

static void list(struct reader *r, int fd, size_t bytes)
{
	char buffer[2048];
	long n;

	CHECK_OK(lseek(fd, 0, SEEK_SET));
	while ((n = CHECK_OK(syscall(SYS_getdents64, fd, buffer, bytes))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent_head *d = (const void *)(buffer + at);

			if (d->name[0] != '.')
				see(r, d->name);
			at += d->bytes;
		}
}

// What was there all along.
static void check_all_seen(const struct reader *r, const struct writer after[WRITERS])
{
	for (unsigned i = 0; i < STAY; i++)
		if (r->stay[i] != r->listing)
			FAIL("name %u that stays is not listed", i);
	for (unsigned whose = 0; whose < WRITERS; whose++)
		for (unsigned i = after[whose].leaving; i < r->before[whose].made; i++)
			if (r->passing[whose][i] != r->listing)
				FAIL("name %u of writer %u was there and is not listed", i, whose);
}

static void look_at_writers(struct writer now[WRITERS])
{
	for (unsigned i = 0; i < WRITERS; i++) {
		now[i].left = load_word(&writers[i].left);
		now[i].leaving = load_word(&writers[i].leaving);
		now[i].made = load_word(&writers[i].made);
	}
}

static void read_names(unsigned me)
{
	static const size_t sizes[] = {40, 100, 700, 2048};
	struct reader *r = &readers[me];
	int fd = (int)CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	struct writer after[WRITERS];
	bool last;

	do {
		last = load_word(&writers_left) == 0;
		r->listing++;
		look_at_writers(r->before);
		list(r, fd, sizes[r->listing % 4]);
		look_at_writers(after);
		check_all_seen(r, after);
	} while (!last);
	CHECK_OK(close(fd));
}

static void work(unsigned me)
{
	if (me < WRITERS)
		write_names(me);
	else
		read_names(me - WRITERS);
}

static void list_while_changing(void (*run)(void (*work)(unsigned me)))
{
	prepare();
	CHECK_OK(mkdir("d", 0755));
	for (unsigned i = 0; i < STAY; i++)
		make(STAYING, i);
	run(work);
}

static void processes_list(void)
{
	list_while_changing(run_crew);
}

static void threads_list(void)
{
	list_while_changing(run_threads);
}

// --- One file

enum { LINE = 8 };

static void append_and_link(unsigned me)
{
	int fd = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND));
	char line[LINE + 1], path[16];

	for (unsigned i = 0; i < steps; i++) {
		path_of(me, i, path);
		memcpy(line, path + 2, 6);
		memcpy(line + 6, ".\n", 2);
		CHECK_EQ(write(fd, line, LINE), LINE);
		CHECK_OK(link("f", path));
		if (i % 3)
			CHECK_OK(unlink(path));
		if (i % 32 == 0)
			CHECK_OK(fdatasync(fd));
	}
	CHECK_OK(close(fd));
}

static void all_append_and_link(void)
{
	static char text[WORKERS * MOST_STEPS * LINE];
	unsigned next[WORKERS] = {0};
	struct stat st;

	prepare();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(close((int)CHECK_OK(open("f", O_CREAT | O_RDWR, 0644))));
	crew_run(WORKERS, append_and_link);
	read_file("f", text, WORKERS * steps * LINE);
	for (unsigned i = 0; i < WORKERS * steps; i++) {
		const char *line = text + i * LINE;
		unsigned whose = (unsigned)(line[0] - 'a');
		char path[16];

		CHECK(whose < WORKERS);
		path_of(whose, next[whose]++, path);
		CHECK(memcmp(line, path + 2, 6) == 0 && memcmp(line + 6, ".\n", 2) == 0);
	}
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_size, WORKERS * steps * LINE);
	CHECK_EQ(st.st_nlink, 1 + WORKERS * ((steps + 2) / 3));
}

static const struct test tests[] = {
	{"processes_list", processes_list},
	{"threads_list", threads_list},
	{"all_append_and_link", all_append_and_link},
};

TEST_MAIN(tests)
