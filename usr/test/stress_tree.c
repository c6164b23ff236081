// SPDX-License-Identifier: MIT
// Many at work on one tree of files, on all harts that there are; then the tree must be what their
// records say, and the harness looks at the disk with fsck.
//
// files: directories that all share, in which each worker has names of its own. It makes, links,
// renames (also over one of its others) and unlinks them, writes, cuts, punches and stores through
// mappings, syncs, and knows what each of its files holds and how many names it has. Nobody else
// touches these, so each operation must succeed, and each byte that is read is known; directories,
// the disk's maps, the journal and the pages are everybody's.
//
// directories: all move the same few directories into one another. Who moves one has it alone for
// that moment, so that a table can say where each is; what is above and below it others move. A
// move that would put a directory below itself must fail, however many are made at the same moment:
// at the end each directory must be found from the top, where the table has it.
//
// Workers are processes or threads: the tasks of a crew share their memory, threads their files,
// too.
//
//     tools/run --preset dev --smp 4 -- env STEPS=5000 /test/stress_tree -s SEED
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/tap.h"
#include "lib/threads.h"

enum {
	WORKERS = 4,
	DIRS = 4,
	NAMES = 10, // of a worker
	FILES = 6,
	FILE_BYTES = 24 * 1024,
	MOVED = 8,
	DEFAULT_STEPS = 120,
};

struct file {
	unsigned links; // 0: there is none
	uint32_t size;
	uint8_t data[FILE_BYTES]; // zero behind the size
};

struct worker {
	unsigned me;
	uint64_t random;
	struct file file[FILES];
	struct {
		int file; // -1: the name is free
		unsigned dir;
	} name[NAMES];
	uint8_t bytes[FILE_BYTES]; // to read and write with
	unsigned moves;
};

static struct worker workers[WORKERS];
static unsigned steps;

static unsigned below(struct worker *w, unsigned n)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	return (unsigned)((z ^ z >> 31) >> 16) % n;
}

// --- Running them

static void (*thread_work)(unsigned me);

static void run_in_thread(void *arg)
{
	thread_work(((struct worker *)arg)->me);
}

static void run_threads(void (*work)(unsigned me))
{
	static struct thread threads[WORKERS];

	memset(threads, 0, sizeof threads);
	thread_work = work;
	for (unsigned i = 0; i < WORKERS; i++)
		thread_begin(&threads[i], run_in_thread, &workers[i]);
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
	memset(workers, 0, sizeof workers);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].me = i;
		workers[i].random = random_u64();
		for (unsigned n = 0; n < NAMES; n++)
			workers[i].name[n].file = -1;
	}
}

// --- Files

static void path_of(const struct worker *w, unsigned n, unsigned dir, char path[32])
{
	static const char digits[] = "0123456789abcdef";

	memcpy(path, "d?/w?n?", 8);
	path[1] = digits[dir];
	path[4] = digits[w->me];
	path[6] = digits[n];
}

static int open_name(const struct worker *w, unsigned n)
{
	char path[32];

	path_of(w, n, w->name[n].dir, path);
	return (int)CHECK_OK(open(path, O_RDWR));
}

static void make_file_at(struct worker *w, unsigned n, unsigned f)
{
	char path[32];

	w->name[n].dir = below(w, DIRS);
	path_of(w, n, w->name[n].dir, path);
	CHECK_OK(close((int)CHECK_OK(open(path, O_RDWR | O_CREAT | O_EXCL, 0644))));
	w->name[n].file = (int)f;
	memset(&w->file[f], 0, sizeof w->file[f]);
	w->file[f].links = 1;
}

static void link_name(struct worker *w, unsigned n, unsigned old)
{
	char from[32], to[32];

	if (w->name[old].file < 0)
		return;
	w->name[n].dir = below(w, DIRS);
	path_of(w, old, w->name[old].dir, from);
	path_of(w, n, w->name[n].dir, to);
	CHECK_OK(link(from, to));
	w->name[n].file = w->name[old].file;
	w->file[w->name[n].file].links++;
}

// A free name gets a file: a new one if there may be one more, else one that has a name.
static void fill_name(struct worker *w, unsigned n)
{
	unsigned f = below(w, FILES);

	if (w->file[f].links == 0)
		make_file_at(w, n, f);
	else
		link_name(w, n, below(w, NAMES));
}

static void unlink_name(struct worker *w, unsigned n)
{
	char path[32];

	path_of(w, n, w->name[n].dir, path);
	CHECK_OK(unlink(path));
	w->file[w->name[n].file].links--;
	w->name[n].file = -1;
}

// To another directory, as the same name or as another one, which may be in use.
static void rename_name(struct worker *w, unsigned n)
{
	unsigned to = below(w, 2) ? n : below(w, NAMES);
	unsigned dir = w->name[to].file < 0 || to == n ? below(w, DIRS) : w->name[to].dir;
	char from[32], onto[32];
	int file = w->name[n].file, replaced = to == n ? -1 : w->name[to].file;

	path_of(w, n, w->name[n].dir, from);
	path_of(w, to, dir, onto);
	CHECK_OK(rename(from, onto));
	if (replaced == file) // two names of one file: both stay
		return;
	if (replaced >= 0)
		w->file[replaced].links--;
	w->name[n].file = -1;
	w->name[to].file = file;
	w->name[to].dir = dir;
}

static uint32_t fill_bytes(struct worker *w, uint32_t at, uint32_t most)
{
	uint32_t n = 1 + below(w, most < FILE_BYTES - at ? most : FILE_BYTES - at);
	uint8_t first = (uint8_t)below(w, 256);

	for (uint32_t i = 0; i < n; i++)
		w->bytes[i] = (uint8_t)(first + i * 7);
	return n;
}

static void write_some(struct worker *w, int fd, struct file *f)
{
	uint32_t at = below(w, 2) ? f->size % FILE_BYTES : below(w, FILE_BYTES);
	uint32_t n = fill_bytes(w, at, 9000);

	CHECK_EQ(pwrite(fd, w->bytes, n, at), n);
	memcpy(f->data + at, w->bytes, n);
	f->size = f->size < at + n ? at + n : f->size;
}

static void store_some(struct worker *w, int fd, struct file *f)
{
	uint32_t at = f->size ? below(w, f->size) : 0, n;
	uint8_t *map;

	if (!f->size)
		return;
	n = fill_bytes(w, at, 3000);
	n = n < f->size - at ? n : f->size - at;
	map = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memcpy(map + at, w->bytes, n);
	memcpy(f->data + at, w->bytes, n);
	if (below(w, 4) == 0)
		CHECK_OK(msync(map, f->size, MS_SYNC));
	CHECK_OK(munmap(map, f->size));
}

static void cut(struct worker *w, int fd, struct file *f)
{
	uint32_t size = below(w, FILE_BYTES + 1);

	CHECK_OK(ftruncate(fd, size));
	memset(f->data + size, 0, FILE_BYTES - size);
	f->size = size;
}

static void punch(struct worker *w, int fd, struct file *f)
{
	uint32_t at = below(w, FILE_BYTES), n = 1 + below(w, FILE_BYTES - at);

	if (on_core())
		return;
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n));
	memset(f->data + at, 0, n);
}

static void check_file(struct worker *w, int fd, const struct file *f)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, f->size);
	CHECK_EQ(st.st_nlink, f->links);
	CHECK_EQ(pread(fd, w->bytes, FILE_BYTES, 0), f->size);
	for (uint32_t i = 0; i < f->size; i++)
		if (w->bytes[i] != f->data[i])
			FAIL("worker %u: byte %u is %u, should be %u", w->me, i, w->bytes[i],
				f->data[i]);
}

static void change_file(struct worker *w, unsigned n)
{
	static void (*const change[])(struct worker *, int, struct file *) = {
		write_some, write_some, store_some, cut, punch};
	struct file *f = &w->file[w->name[n].file];
	int fd = open_name(w, n);

	change[below(w, sizeof change / sizeof *change)](w, fd, f);
	if (below(w, 3) == 0)
		check_file(w, fd, f);
	if (below(w, 10) == 0)
		CHECK_OK(below(w, 2) ? fsync(fd) : fdatasync(fd));
	CHECK_OK(close(fd));
}

static void work_on_files(unsigned me)
{
	struct worker *w = &workers[me];

	for (unsigned i = 0; i < steps; i++) {
		unsigned n = below(w, NAMES), what = below(w, 10);

		if (w->name[n].file < 0)
			fill_name(w, n);
		else if (what == 0)
			unlink_name(w, n);
		else if (what < 3)
			rename_name(w, n);
		else
			change_file(w, n);
	}
}

// Each name is there, with its file; how many there are.
static unsigned check_names(struct worker *w)
{
	ino_t inode[FILES] = {0};
	unsigned count = 0;

	for (unsigned n = 0; n < NAMES; n++) {
		int f = w->name[n].file, fd;
		char path[32];

		if (f < 0)
			continue;
		path_of(w, n, w->name[n].dir, path);
		CHECK(inode[f] == 0 || inode[f] == inode_of(path));
		inode[f] = inode_of(path);
		fd = open_name(w, n);
		check_file(w, fd, &w->file[f]);
		CHECK_OK(close(fd));
		count++;
	}
	return count;
}

static unsigned count_entries(const char *dir)
{
	static char buffer[4096];
	int fd = (int)CHECK_OK(open(dir, O_RDONLY | O_DIRECTORY));
	unsigned count = 0;
	long n;

	while ((n = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0)
		for (long at = 0; at < n; count++)
			at += *(uint16_t *)(buffer + at + 16); // its length
	CHECK_OK(close(fd));
	return count - 2; // "." and ".."
}

static void work_and_check_files(void (*run)(void (*work)(unsigned me)))
{
	unsigned names = 0, entries = 0;
	char dir[8];

	prepare();
	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(dir, sizeof dir, "d%u", i);
		CHECK_OK(mkdir(dir, 0755));
	}
	run(work_on_files);
	drop_caches('3');
	for (unsigned i = 0; i < WORKERS; i++)
		names += check_names(&workers[i]);
	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(dir, sizeof dir, "d%u", i);
		entries += count_entries(dir);
	}
	CHECK_EQ(entries, names);
}

static void processes_on_files(void)
{
	work_and_check_files(run_crew);
}

static void threads_on_files(void)
{
	work_and_check_files(run_threads);
}

// --- Directories

enum { TOP = MOVED };

static int moved_fd[MOVED + 1];  // of each directory, and of the top
static unsigned moved_in[MOVED]; // in which it is: of who moves it
static unsigned moving[MOVED];   // 1: somebody does
static const char *const moved_name[MOVED] = {"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"};

static void move_directories(unsigned me)
{
	struct worker *w = &workers[me];

	for (unsigned i = 0; i < steps * 4; i++) {
		unsigned what = below(w, MOVED), into = below(w, MOVED + 1);

		if (what == into || __atomic_exchange_n(&moving[what], 1, __ATOMIC_ACQUIRE))
			continue;
		if (renameat(moved_fd[moved_in[what]], moved_name[what], moved_fd[into],
			    moved_name[what]) == 0) {
			moved_in[what] = into;
			w->moves++;
		}
		__atomic_store_n(&moving[what], 0, __ATOMIC_RELEASE);
	}
}

// From the top to this one: no more steps than there are directories.
static void check_reached(unsigned i, const ino_t *inode)
{
	unsigned n = 0;

	for (unsigned at = i; at != TOP; at = moved_in[at], n++) {
		struct stat st;

		if (n == MOVED)
			FAIL("%s is below itself", moved_name[i]);
		CHECK_OK(fstatat(moved_fd[moved_in[at]], moved_name[at], &st, AT_SYMLINK_NOFOLLOW));
		CHECK_EQ(st.st_ino, inode[at]);
		CHECK_OK(fstatat(moved_fd[at], "..", &st, 0));
		CHECK_EQ(st.st_ino, inode[moved_in[at]]);
	}
}

static void check_directories(void)
{
	unsigned links[MOVED + 1] = {0};
	ino_t inode[MOVED + 1];
	struct stat st;

	for (unsigned i = 0; i <= MOVED; i++) {
		CHECK_OK(fstat(moved_fd[i], &st));
		inode[i] = st.st_ino;
	}
	for (unsigned i = 0; i < MOVED; i++) {
		check_reached(i, inode);
		links[moved_in[i]]++;
	}
	for (unsigned i = 0; i <= MOVED; i++) {
		CHECK_OK(fstat(moved_fd[i], &st));
		CHECK_EQ(st.st_nlink, 2 + links[i]);
	}
}

static void work_and_check_directories(void (*run)(void (*work)(unsigned me)))
{
	unsigned moves = 0;

	prepare();
	CHECK_OK(mkdir("top", 0755));
	moved_fd[TOP] = (int)CHECK_OK(open("top", O_RDONLY | O_DIRECTORY));
	for (unsigned i = 0; i < MOVED; i++) {
		CHECK_OK(mkdirat(moved_fd[TOP], moved_name[i], 0755));
		moved_in[i] = TOP;
		moved_fd[i] =
			(int)CHECK_OK(openat(moved_fd[TOP], moved_name[i], O_RDONLY | O_DIRECTORY));
	}
	run(move_directories);
	for (unsigned i = 0; i < WORKERS; i++)
		moves += workers[i].moves;
	CHECK(moves >= steps);
	check_directories();
	for (unsigned i = 0; i <= MOVED; i++)
		CHECK_OK(close(moved_fd[i]));
}

static void processes_on_directories(void)
{
	work_and_check_directories(run_crew);
}

static void threads_on_directories(void)
{
	work_and_check_directories(run_threads);
}

static const struct test tests[] = {
	{"processes_on_files", processes_on_files},
	{"threads_on_files", threads_on_files},
	{"processes_on_directories", processes_on_directories},
	{"threads_on_directories", threads_on_directories},
};

TEST_MAIN(tests)
