// SPDX-License-Identifier: MIT
// What an operation costs, in instructions, when there is more of what it works among: tools/growth
// runs it, and draws what it prints for docs/growth.md.
//
//     growth areas SIZE...       SIZE areas, alternately protected, nothing resident:
//         fault                  a first store to a page of one of them
//         split, merge           an mprotect() that cuts one in three, and what takes it back
//         fork                   fork, exit and wait
//     growth pages SIZE...       SIZE pages of one area, resident:
//         fork                   the same
//         munmap                 of all of it
//     growth again SIZE...       SIZE pages of one area, resident; each figure is of one page:
//         protect                made read-only, writable again, then a store to each in turn
//         hide                   made inaccessible, accessible again, then a load of each in turn
//         scattered              as protect, with the stores in random order
//         child                  after a fork the child's load of each in turn
//     growth names DIR SIZE...   a folder in DIR that has SIZE files:
//         create                 of one more
//         unlink                 of any of them, looked at before
//         look-up                stat() of a name that is not there, another one each time
//         list                   read all of it
//     growth turns DIR SIZE...   SIZE folders in DIR, each with a file:
//         stat                   of each file in turn, by a path
//
// Sizes ascend. A line "OPERATION <tab> SIZE <tab> INSTRUCTIONS" is printed for each, the mean of
// one operation. Run under QEMU's instruction clock (tools/run --icount).
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE    4096ul
#define SAMPLES 256 // operations, of which the mean is taken
#define FORKS   4   // likewise
#define CUT     4   // pages of what `split` works on: three of one area, one of the next
#define FOLDER  "growth"
#define AREAS   200000 // that a space may have, while this program runs
#define SEED    88172645463325252ul

static uint64_t instructions(void)
{
	uint64_t n;

	__asm__ volatile("rdinstret %0" : "=r"(n)::"memory");
	return n;
}

static uint64_t random_state;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static void print(const char *operation, size_t size, uint64_t sum, size_t n)
{
	printf("%s\t%zu\t%lu\n", operation, size, (unsigned long)((sum + n / 2) / n));
	fflush(stdout);
}

// --- Memory --------------------------------------------------------------------------------------

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap of %zu pages", pages);
	return p;
}

static void unmap(char *p, size_t pages)
{
	if (munmap(p, pages * PAGE))
		err(1, "munmap");
}

static void protect(char *p, size_t pages, int rights)
{
	if (mprotect(p, pages * PAGE, rights))
		err(1, "mprotect");
}

// n areas: of `wide` pages to write to, and of one page to read, by turns.
static char *map_areas(size_t n, size_t wide)
{
	char *p = map((n + 1) / 2 * (wide + 1));

	for (size_t i = 0; i < n / 2; i++)
		protect(p + (i * (wide + 1) + wide) * PAGE, 1, PROT_READ);
	return p;
}

static void unmap_areas(char *p, size_t n, size_t wide)
{
	unmap(p, (n + 1) / 2 * (wide + 1));
}

static void shuffle(uint32_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n; i-- > 1;) {
		size_t j = random_below(i + 1);
		uint32_t other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
}

// Every area once, so that the tables that the pages need are shared by as many at any size.
static void measure_fault(size_t n)
{
	size_t writable = (n + 1) / 2, rounds = (SAMPLES + writable - 1) / writable;
	uint32_t *order = malloc(writable * sizeof *order);
	char *p = map_areas(n, 1);
	uint64_t sum = 0;

	if (!order)
		errx(1, "no memory");
	shuffle(order, writable);
	for (size_t round = 0; round < rounds; round++) {
		uint64_t began = instructions();

		for (size_t i = 0; i < writable; i++)
			((volatile char *)p)[order[i] * 2 * PAGE] = 1;
		sum += instructions() - began;
		if (madvise(p, writable * 2 * PAGE, MADV_DONTNEED))
			err(1, "madvise");
	}
	unmap_areas(p, n, 1);
	free(order);
	print("fault", n, sum, writable * rounds);
}

static void measure_cut(size_t n)
{
	char *p = map_areas(n, CUT - 1);
	uint64_t split = 0, merge = 0;

	for (int i = 0; i < SAMPLES; i++) {
		char *middle = p + (random_below((n + 1) / 2) * CUT + 1) * PAGE;
		uint64_t began = instructions(), cut;

		protect(middle, 1, PROT_READ);
		cut = instructions();
		protect(middle, 1, PROT_READ | PROT_WRITE);
		split += cut - began;
		merge += instructions() - cut;
	}
	unmap_areas(p, n, CUT - 1);
	print("split", n, split, SAMPLES);
	print("merge", n, merge, SAMPLES);
}

static uint64_t fork_and_wait(void)
{
	uint64_t began = instructions();
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(0);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		err(1, "fork");
	return instructions() - began;
}

static void measure_fork(size_t size)
{
	uint64_t sum = 0;

	fork_and_wait(); // after the first one the parent's own pages are as they stay
	for (int i = 0; i < FORKS; i++)
		sum += fork_and_wait();
	print("fork", size, sum, FORKS);
}

static void with_areas(size_t n)
{
	measure_fault(n);
	measure_cut(n);

	char *p = map_areas(n, 1);
	measure_fork(n);
	unmap_areas(p, n, 1);
}

static char *map_resident(size_t pages)
{
	char *p = map(pages);

	for (size_t i = 0; i < pages; i++)
		((volatile char *)p)[i * PAGE] = 1;
	return p;
}

static void with_pages(size_t pages)
{
	char *p = map_resident(pages);

	measure_fork(pages);

	uint64_t began = instructions();
	unmap(p, pages);
	print("munmap", pages, instructions() - began, 1);
}

static uint64_t load_all(const char *p, size_t pages)
{
	uint64_t began = instructions();

	for (size_t i = 0; i < pages; i++)
		(void)((const volatile char *)p)[i * PAGE];
	return instructions() - began;
}

// Whatever the calls leave to the accesses after them is counted.
static void measure_rights(char *p, size_t pages)
{
	uint64_t began = instructions();

	protect(p, pages, PROT_READ);
	protect(p, pages, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < pages; i++)
		((volatile char *)p)[i * PAGE] = 2;
	print("protect", pages, instructions() - began, pages);

	began = instructions();
	protect(p, pages, PROT_NONE);
	protect(p, pages, PROT_READ | PROT_WRITE);
	load_all(p, pages);
	print("hide", pages, instructions() - began, pages);
}

// As protect, but for the stores' order.
static void measure_scattered(char *p, size_t pages)
{
	uint32_t *order = malloc(pages * sizeof *order);
	uint64_t began;

	if (!order)
		errx(1, "no memory");
	shuffle(order, pages);
	began = instructions();
	protect(p, pages, PROT_READ);
	protect(p, pages, PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < pages; i++)
		((volatile char *)p)[order[i] * PAGE] = 2;
	print("scattered", pages, instructions() - began, pages);
	free(order);
}

static void measure_child(char *p, size_t pages)
{
	int to[2];
	uint64_t sum;
	pid_t child = pipe(to) ? -1 : fork();

	if (child == 0) {
		sum = load_all(p, pages);
		_exit(write(to[1], &sum, sizeof sum) != sizeof sum);
	}
	if (child < 0 || read(to[0], &sum, sizeof sum) != sizeof sum ||
		waitpid(child, NULL, 0) != child)
		err(1, "fork");
	close(to[0]);
	close(to[1]);
	print("child", pages, sum, pages);
}

static void with_rights(size_t pages)
{
	char *p = map_resident(pages);

	measure_rights(p, pages);
	measure_scattered(p, pages);
	measure_child(p, pages);
	unmap(p, pages);
}

static void allow_areas(void)
{
	FILE *limit = fopen("/proc/sys/vm/max_map_count", "w");

	if (!limit || fprintf(limit, "%d\n", AREAS) < 0 || fclose(limit))
		err(1, "max_map_count");
}

// --- Names ---------------------------------------------------------------------------------------

static size_t n_files;

static void make(const char *kind, size_t i)
{
	char name[40];

	snprintf(name, sizeof name, "%s-%07zu", kind, i);
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || close(fd))
		err(1, "%s", name);
}

// A file more and another one less, whose name it takes.
static void measure_more(size_t n)
{
	uint64_t create = 0, remove = 0;
	char name[40], other[40];
	struct stat st;

	for (size_t i = 0; i < SAMPLES; i++) {
		snprintf(name, sizeof name, "more-%07zu", i);
		snprintf(other, sizeof other, "file-%07zu", random_below(n));
		uint64_t began = instructions();
		int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
		create += instructions() - began;
		if (fd < 0 || close(fd))
			err(1, "%s", name);
		int failed = stat(other, &st);
		began = instructions();
		failed |= unlink(other);
		remove += instructions() - began;
		if (failed || rename(name, other))
			err(1, "%s", other);
	}
	print("create", n, create, SAMPLES);
	print("unlink", n, remove, SAMPLES);
}

static void measure_look_up(size_t n)
{
	uint64_t sum = 0;
	char name[40];
	struct stat st;

	for (size_t i = 0; i < SAMPLES; i++) {
		snprintf(name, sizeof name, "absent-%07zu-%zu", n, i);
		uint64_t began = instructions();
		int there = stat(name, &st) == 0;
		sum += instructions() - began;
		if (there)
			errx(1, "%s is there", name);
	}
	print("look-up", n, sum, SAMPLES);
}

static void measure_list(size_t n)
{
	uint64_t began = instructions();
	DIR *folder = opendir(".");
	size_t found = 0;

	while (folder && readdir(folder))
		found++;
	if (!folder || closedir(folder))
		err(1, FOLDER);
	uint64_t sum = instructions() - began;
	if (found != n + 2)
		errx(1, FOLDER " has %zu entries", found);
	print("list", n, sum, 1);
}

static void with_names(size_t n)
{
	while (n_files < n)
		make("file", n_files++);
	measure_more(n);
	measure_look_up(n);
	measure_list(n);
}

static void enter_folder(const char *dir)
{
	if (chdir(dir) || mkdir(FOLDER, 0700) || chdir(FOLDER))
		err(1, "%s/" FOLDER, dir);
}

static void remove_folder(void)
{
	char name[40];

	while (n_files) {
		snprintf(name, sizeof name, "file-%07zu", --n_files);
		if (unlink(name))
			err(1, "%s", name);
	}
	if (chdir("..") || rmdir(FOLDER))
		err(1, FOLDER);
}

// --- Folders by turns ----------------------------------------------------------------------------

static const char *folder_above;

static void folder_of(char *path, size_t i, const char *file)
{
	snprintf(path, 200, "%s/" FOLDER "-%07zu%s", folder_above, i, file);
}

static void make_folder(size_t i)
{
	char path[200];
	int fd;

	folder_of(path, i, "");
	if (mkdir(path, 0755))
		err(1, "%s", path);
	folder_of(path, i, "/file");
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (fd < 0 || close(fd))
		err(1, "%s", path);
}

static void remove_folder_at(size_t i)
{
	char path[200];
	int failed;

	folder_of(path, i, "/file");
	failed = unlink(path);
	folder_of(path, i, "");
	if (failed || rmdir(path))
		err(1, "%s", path);
}

static uint64_t stat_turns(size_t n)
{
	uint64_t sum = 0;
	char path[200];
	struct stat st;

	for (size_t i = 0; i < n; i++) {
		folder_of(path, i, "/file");
		uint64_t began = instructions();
		int failed = stat(path, &st);
		sum += instructions() - began;
		if (failed)
			err(1, "%s", path);
	}
	return sum;
}

static void with_turns(size_t n)
{
	uint64_t sum = 0, done = 0;

	for (size_t i = 0; i < n; i++)
		make_folder(i);
	for (int i = 0; i < 2; i++)
		stat_turns(n);
	for (; done < SAMPLES; done += n)
		sum += stat_turns(n);
	print("stat", n, sum, done);
	for (size_t i = 0; i < n; i++)
		remove_folder_at(i);
}

// -------------------------------------------------------------------------------------------------

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	bool names = strcmp(what, "names") == 0 && argc > 3;
	bool turns = strcmp(what, "turns") == 0 && argc > 3;
	void (*with)(size_t) = names                        ? with_names
			       : turns                      ? with_turns
			       : strcmp(what, "pages") == 0 ? with_pages
			       : strcmp(what, "areas") == 0 ? with_areas
			       : strcmp(what, "again") == 0 ? with_rights
							    : NULL;

	if (!with)
		errx(2, "growth areas|pages|again|names DIR|turns DIR SIZE...");
	folder_above = argv[2];
	if (names)
		enter_folder(argv[2]);
	else if (!turns)
		allow_areas();
	for (char **size = argv + (names || turns ? 3 : 2); *size; size++) {
		random_state = SEED; // so that a figure does not depend on the sizes before it
		with(strtoul(*size, NULL, 0));
	}
	if (names)
		remove_folder();
	return 0;
}
