// SPDX-License-Identifier: MIT
// mmap, munmap, mprotect and msync as one process sees them: what is read, what is written back,
// which accesses fail and how. More than one process: t_fork, t_coherence.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void check_pattern(const char *p, size_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != pattern(from + i))
			FAIL("byte %zu is %d, should be %d", from + i, p[i], pattern(from + i));
}

static void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != 0)
			FAIL("byte %zu is %d, should be 0", i, p[i]);
}

// --- laziness, by the counters

static void anonymous_is_lazy(void)
{
	long long before = vmstat("nr_free_pages");
	char *p = map_anon(4096 * PAGE);

	CHECK(before - vmstat("nr_free_pages") < 16);
	for (size_t i = 0; i < 100; i++)
		store(p + i * 40 * PAGE, 1);
	// its 100 pages, and at most two tables and two nodes of the tree for each
	CHECK(before - vmstat("nr_free_pages") >= 100);
	CHECK(before - vmstat("nr_free_pages") < 500);
}

static void file_is_lazy(void)
{
	int fd = make_file("f", 64 * PAGE);
	long long frames, reads;
	char *p;

	close(fd);
	sync();
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	reads = blocks_read();
	frames = vmstat("nr_free_pages");
	p = map(64 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_EQ(blocks_read(), reads);
	CHECK(frames - vmstat("nr_free_pages") < 8);
	check_pattern(p, 0, 64 * PAGE);
}

static void faults_are_counted(void)
{
	char *p = map_anon(64 * PAGE);
	long long before = vmstat("pgfault"), after;

	for (size_t i = 0; i < 64; i++)
		store(p + i * PAGE, 1);
	after = vmstat("pgfault");
	CHECK(after > before);
	before = vmstat("pgfault");
	for (size_t i = 0; i < 64; i++)
		store(p + i * PAGE, 2);
	after = vmstat("pgfault");
	CHECK(after - before <
		32); // all is there: only what the reading of the counter itself takes
}

// --- contents

static void anonymous_is_zero(void)
{
	char *p = map_anon(20 * PAGE);

	check_zero(p, 20 * PAGE);
	memset(p, 7, 20 * PAGE);
	CHECK_OK(munmap(p, 20 * PAGE));
}

static void fresh_pages_hold_nothing_old(void)
{
	for (int round = 0; round < 20; round++) {
		char *p = map_anon(32 * PAGE);

		check_zero(p, 32 * PAGE);
		memset(p, 0xaa, 32 * PAGE);
		CHECK_OK(munmap(p, 32 * PAGE));
	}
}

static void file_is_read(void)
{
	int fd = make_file("f", 10 * PAGE + 123);
	char *p = map(11 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	char *q = map(11 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	CHECK_OK(close(fd)); // the mapping keeps the file
	check_pattern(p, 0, 10 * PAGE + 123);
	check_pattern(q, 0, 10 * PAGE + 123);
}

static void offsets(void)
{
	int fd = make_file("f", 8 * PAGE);

	for (size_t page = 0; page < 8; page++) {
		char *p = map(PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(page * PAGE));

		check_pattern(p, page * PAGE, PAGE);
	}
}

static void offset_past_4_gib(void)
{
	off_t far = 5ll << 30;
	int fd = make_file("f", 100);
	char *p;

	CHECK_EQ(pwrite(fd, "far away", 8, far), 8);
	p = map(PAGE, RW, MAP_SHARED, fd, far);
	CHECK(!memcmp(p, "far away", 8));
	check_zero(p + 8, PAGE - 8);
	store(p + 1, 'A');
	CHECK_OK(msync(p, PAGE, MS_SYNC));
	char back[8];
	CHECK_EQ(pread(fd, back, 8, far), 8);
	CHECK(!memcmp(back, "fAr away", 8));
}

static void file_ends_inside_a_page(void)
{
	int fd = make_file("f", PAGE + 100);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
	struct stat st;
	char back[PAGE + 100];

	check_zero(p + PAGE + 100, PAGE - 100);
	store(p + PAGE + 99, 'x');
	store(p + PAGE + 100, 'y'); // past the end: allowed, and lost
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, PAGE + 100);
	read_file("f", back, sizeof back);
	CHECK_EQ(back[PAGE + 99], 'x');
}

// What was stored behind the end must not appear when the file grows over it.
static void growth_shows_zeros(void)
{
	int fd = make_file("f", 100);
	char *p = map(PAGE, RW, MAP_SHARED, fd, 0), back[200];

	store(p + 150, 'y');
	CHECK_OK(ftruncate(fd, 200));
	CHECK_EQ(pread(fd, back, 200, 0), 200);
	check_zero(back + 100, 100);
}

static void private_write_stays_private(void)
{
	int fd = make_file("f", 3 * PAGE);
	char *p = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0), back[3 * PAGE];

	store(p + PAGE, 'p');
	store(p + 2 * PAGE + 5, 'q');
	CHECK_EQ(load(p + PAGE), 'p');
	CHECK_EQ(load(p + PAGE + 1), pattern(PAGE + 1));
	CHECK_OK(msync(p, 3 * PAGE, MS_SYNC));
	CHECK_OK(munmap(p, 3 * PAGE));
	read_file("f", back, sizeof back);
	check_pattern(back, 0, sizeof back);
}

static void private_sees_writes_until_copied(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	store(p, 'p'); // a copy of its own from now on
	CHECK_EQ(pwrite(fd, "new", 3, 1), 3);
	CHECK_EQ(load(p + 1), pattern(1));
	CHECK_EQ(load(p), 'p');
}

static void shared_write_reaches_the_file(void)
{
	int fd = make_file("f", 5 * PAGE);
	char *p = map(5 * PAGE, RW, MAP_SHARED, fd, 0), back[5 * PAGE];

	store(p + 3 * PAGE + 17, '!');
	CHECK_EQ(pread(fd, back, 1, 3 * PAGE + 17), 1); // at once, without msync
	CHECK_EQ(back[0], '!');
	CHECK_OK(munmap(p, 5 * PAGE));
	read_file("f", back, sizeof back);
	CHECK_EQ(back[3 * PAGE + 17], '!');
	back[3 * PAGE + 17] = pattern(3 * PAGE + 17);
	check_pattern(back, 0, sizeof back);
}

static void two_mappings_of_one_file(void)
{
	int fd = make_file("f", 4 * PAGE), fd2 = (int)CHECK_OK(open("f", O_RDWR));
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = map(2 * PAGE, RW, MAP_SHARED, fd2, PAGE);
	char *r = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd2, 0);

	store(p + PAGE + 5, 'p');
	CHECK_EQ(load(q + 5), 'p');
	CHECK_EQ(load(r + PAGE + 5), 'p');
	store(q + PAGE, 'q');
	CHECK_EQ(load(p + 2 * PAGE), 'q');
	CHECK_EQ(load(r + 2 * PAGE), 'q');
	CHECK_OK(munmap(q, 2 * PAGE));
	CHECK_EQ(load(p + 2 * PAGE), 'q');
}

static void mapping_outlives_unlink(void)
{
	int fd = make_file("f", 8 * PAGE);
	char *p = map(8 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK_OK(unlink("f"));
	CHECK_OK(close(fd));
	check_pattern(p, 0, 8 * PAGE);
	store(p + 3 * PAGE, 'x');
	CHECK_OK(msync(p, 8 * PAGE, MS_SYNC));
	CHECK_EQ(load(p + 3 * PAGE), 'x');
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
}

static void blocks_return_after_unlink_and_unmap(void)
{
	long long before, mapped;
	int fd;
	char *p;

	vmstat("nr_free_pages"); // others use a shared disk
	before = free_blocks();
	fd = make_file("f", 200 * PAGE);
	p = map(200 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK_OK(unlink("f"));
	CHECK_OK(close(fd));
	store(p, 1);
	mapped = free_blocks();
	CHECK(before - mapped >= 200);
	CHECK_OK(munmap(p, 200 * PAGE));
	CHECK_EQ(free_blocks(), before);
}

// --- write-back

static void only_dirty_pages_are_written(void)
{
	int fd = make_file("f", 64 * PAGE);
	char *p = map(64 * PAGE, RW, MAP_SHARED, fd, 0), sum = 0;
	long long before, written;

	CHECK_OK(fsync(fd));
	sync();
	for (size_t i = 0; i < 64; i++)
		sum ^= load(p + i * PAGE);
	store(p + 5 * PAGE, sum);
	store(p + 40 * PAGE, sum);
	before = blocks_written();
	CHECK_OK(msync(p, 64 * PAGE, MS_SYNC));
	written = blocks_written() - before;
	CHECK(written >= 2);
	CHECK(written <= 2 + 8); // and what metadata goes with it
	sync();
	before = blocks_written();
	CHECK_OK(msync(p, 64 * PAGE, MS_SYNC)); // all is clean
	CHECK_OK(munmap(p, 64 * PAGE));
	CHECK(blocks_written() - before <= 4);
}

static void clean_pages_are_not_written_at_unmap(void)
{
	int fd = make_file("f", 64 * PAGE);
	long long before;
	char *p;

	sync();
	p = map(64 * PAGE, RW, MAP_SHARED, fd, 0);
	check_pattern(p, 0, 64 * PAGE);
	before = blocks_written();
	CHECK_OK(munmap(p, 64 * PAGE));
	sync();
	CHECK(blocks_written() - before <= 4);
}

static void msync_cleans(void)
{
	int fd = make_file("f", 16 * PAGE);
	char *p = map(16 * PAGE, RW, MAP_SHARED, fd, 0);
	long long dirty;

	sync();
	dirty = vmstat("nr_dirty");
	for (size_t i = 0; i < 16; i++)
		store(p + i * PAGE, 1);
	CHECK_EQ(vmstat("nr_dirty"), dirty + 16);
	CHECK_OK(msync(p + 4 * PAGE, 4 * PAGE, MS_SYNC));
	CHECK(vmstat("nr_dirty") <= dirty + 12); // others may have been written too
	CHECK_OK(fsync(fd));
	CHECK_EQ(vmstat("nr_dirty"), dirty);
	store(p, 2); // dirty once more
	CHECK_EQ(vmstat("nr_dirty"), dirty + 1);
	CHECK_OK(fsync(fd));
}

static void msync_arguments(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(msync(p, 4 * PAGE, MS_SYNC));
	CHECK_OK(msync(p, 4 * PAGE, MS_ASYNC));
	CHECK_OK(msync(p, 0, MS_SYNC));
	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, 0x100), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(msync(p, 4 * PAGE, MS_SYNC), ENOMEM); // there is a hole
}

// --- unmapping

enum { SUBSET_PAGES = 6 };

// Touches the pages of SUBSET, unmaps [from, to) and looks at every page.
static void one_subset(unsigned subset, int from, int to)
{
	char *p = map_anon(SUBSET_PAGES * PAGE);

	for (int i = 0; i < SUBSET_PAGES; i++)
		if (subset & 1u << i)
			store(p + (size_t)i * PAGE, (char)('a' + i));
	CHECK_OK(munmap(p + (size_t)from * PAGE, (size_t)(to - from) * PAGE));
	for (int i = 0; i < SUBSET_PAGES; i++) {
		char *page = p + (size_t)i * PAGE;

		if (i >= from && i < to)
			CHECK_FAULT(try_load(page), SIGSEGV, SEGV_MAPERR, page);
		else
			CHECK_EQ(load(page), subset & 1u << i ? 'a' + i : 0);
	}
	CHECK_OK(munmap(p, SUBSET_PAGES * PAGE)); // holes are legal
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
}

static void every_subset_then_unmap(void)
{
	static const int ranges[][2] = {{2, 4}, {0, 2}, {4, 6}, {0, 6}, {1, 5}};

	for (unsigned subset = 0; subset < 1u << SUBSET_PAGES; subset++)
		for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++)
			one_subset(subset, ranges[r][0], ranges[r][1]);
}

static void every_subset_of_a_file_then_unmap(void)
{
	int fd = make_file("f", SUBSET_PAGES * PAGE);

	for (unsigned subset = 0; subset < 1u << SUBSET_PAGES; subset++) {
		char *p = map(SUBSET_PAGES * PAGE, RW, MAP_SHARED, fd, 0);

		for (size_t i = 0; i < SUBSET_PAGES; i++)
			if (subset & 1u << i)
				store(p + i * PAGE, (char)subset);
		CHECK_OK(munmap(p + 2 * PAGE, 2 * PAGE));
		for (size_t i = 0; i < SUBSET_PAGES; i++)
			if (i / 2 == 1)
				CHECK_FAULT(try_store(p + i * PAGE), SIGSEGV, SEGV_MAPERR,
					p + i * PAGE);
		CHECK_OK(munmap(p, SUBSET_PAGES * PAGE));
		for (size_t i = 0; i < SUBSET_PAGES; i++) {
			char c;

			CHECK_EQ(pread(fd, &c, 1, (off_t)(i * PAGE)), 1);
			if (subset & 1u << i)
				CHECK_EQ(c, (char)subset);
		}
	}
}

static void unmapped_memory_faults(void)
{
	char *p = map_anon(3 * PAGE);

	memset(p, 1, 3 * PAGE);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_FAULT(try_load(p + PAGE + 123), SIGSEGV, SEGV_MAPERR, p + PAGE + 123);
	CHECK_FAULT(try_store(p + 2 * PAGE - 1), SIGSEGV, SEGV_MAPERR, p + 2 * PAGE - 1);
	CHECK_EQ(load(p + PAGE - 1), 1);
	CHECK_EQ(load(p + 2 * PAGE), 1);
}

static void unmap_arguments(void)
{
	char *p = map_anon(2 * PAGE);

	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK_ERR(munmap(p, SIZE_MAX), EINVAL);
	CHECK_ERR(munmap(p, SIZE_MAX - PAGE), EINVAL);
	CHECK_OK(munmap(p, 1)); // lengths are rounded up
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
	CHECK_EQ(load(p + PAGE), 0);
	CHECK_OK(munmap(p, PAGE)); // nothing is there
}

static void frames_return_after_unmap(void)
{
	long long before = vmstat("nr_free_pages"), after;

	for (int round = 0; round < 10; round++) {
		char *p = map_anon(500 * PAGE);

		memset(p, 1, 500 * PAGE);
		CHECK_OK(munmap(p, 500 * PAGE));
	}
	after = vmstat("nr_free_pages");
	CHECK(before - after < 100);
}

// --- arguments and rights

static void *plain_mmap(size_t bytes, int rights, int flags, int fd, off_t offset)
{
	void *p = mmap(NULL, bytes, rights, flags, fd, offset);

	return p == MAP_FAILED ? (void *)-1 : p;
}

static void mmap_arguments(void)
{
	int fd = make_file("f", PAGE);

	CHECK_ERR(plain_mmap(0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERR(plain_mmap(SIZE_MAX, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(plain_mmap(SIZE_MAX - PAGE + 2, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(plain_mmap(1ul << 62, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(plain_mmap(PAGE, RW, 0, fd, 0), EINVAL); // neither
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE, fd, 1), EINVAL);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE, fd, 100), EINVAL);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE, 999, 0), EBADF);
	CHECK_ERR(plain_mmap(2 * PAGE, RW, MAP_PRIVATE, fd, LLONG_MAX / (off_t)PAGE * (off_t)PAGE),
		EOVERFLOW);
	CHECK_ERR(
		mmap((void *)(PAGE + 1), PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0,
		EINVAL);
	CHECK_ERR(
		mmap((void *)(1ul << 62), PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0,
		ENOMEM);
}

static void mapping_a_pipe_or_folder(void)
{
	int ends[2], fd = (int)CHECK_OK(open(".", O_RDONLY));

	CHECK_OK(pipe(ends));
	CHECK_ERR(plain_mmap(PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
	CHECK_ERR(plain_mmap(PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
}

static void both_kinds_at_once(void)
{
	int fd = make_file("f", PAGE);

	// SHARED and PRIVATE together are SHARED_VALIDATE since Linux 4.15
	char *p = map(PAGE, RW, MAP_SHARED | MAP_PRIVATE, fd, 0);

	store(p, 'v');
	char c;
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'v');
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_SHARED_VALIDATE | 1 << 24, fd, 0), EOPNOTSUPP);
}

static void hints_and_fixed(void)
{
	char *p = map_anon(8 * PAGE), *q;

	memset(p, 5, 8 * PAGE);
	q = mmap(p + 2 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(q == p + 2 * PAGE);
	check_zero(q, 3 * PAGE); // what was there has gone
	CHECK_EQ(load(p + 2 * PAGE - 1), 5);
	CHECK_EQ(load(p + 5 * PAGE), 5);
	q = mmap(p, PAGE, RW, ANON, -1, 0); // a hint that is taken
	CHECK(q != MAP_FAILED && (q < p || q >= p + 8 * PAGE));
	CHECK_OK(munmap(p + 4 * PAGE, PAGE));
	q = mmap(p + 4 * PAGE, PAGE, RW, ANON, -1, 0); // a hint that is free
	CHECK(q == p + 4 * PAGE);
	CHECK_EQ(load(q), 0);
}

static void file_rights(void)
{
	int fd, ro, wo;

	fd = make_file("f", PAGE);
	ro = (int)CHECK_OK(open("f", O_RDONLY));
	wo = (int)CHECK_OK(open("f", O_WRONLY));
	CHECK_ERR(plain_mmap(PAGE, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERR(plain_mmap(PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
	CHECK_ERR(plain_mmap(PAGE, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_SHARED, ro, 0), EACCES);
	store(map(PAGE, RW, MAP_PRIVATE, ro, 0), 'p'); // a private copy may be written
	CHECK_EQ(load(map(PAGE, PROT_READ, MAP_SHARED, ro, 0)), pattern(0));
	close(fd);
}

static void rights_are_enforced(void)
{
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);
	char *none = map(PAGE, PROT_NONE, ANON, -1, 0);

	CHECK_EQ(load(p), 0);
	CHECK_FAULT(try_store(p + 7), SIGSEGV, SEGV_ACCERR, p + 7);
	CHECK_FAULT(try_load(none), SIGSEGV, SEGV_ACCERR, none);
	CHECK_FAULT(try_store(none + 9), SIGSEGV, SEGV_ACCERR, none + 9);
}

static void data_is_not_executed(void)
{
	uint32_t ret = 0x00008067; // jalr zero, 0(ra)
	char *p = map_anon(PAGE);

	memcpy(p, &ret, sizeof ret);
	CHECK_FAULT(try_call(p), SIGSEGV, SEGV_ACCERR, p);
#ifdef __riscv
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_NO_FAULT(try_call(p));
	CHECK_FAULT(try_store(p), SIGSEGV, SEGV_ACCERR, p);
#endif
}

static void protect_takes_and_gives(void)
{
	char *p = map_anon(4 * PAGE);

	memset(p, 3, 4 * PAGE);
	CHECK_OK(mprotect(p + PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(load(p + PAGE), 3);
	CHECK_FAULT(try_store(p + PAGE), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK_FAULT(try_store(p + 3 * PAGE - 1), SIGSEGV, SEGV_ACCERR, p + 3 * PAGE - 1);
	CHECK_NO_FAULT(try_store(p + PAGE - 1));
	CHECK_NO_FAULT(try_store(p + 3 * PAGE));
	CHECK_OK(mprotect(p, 4 * PAGE, PROT_NONE));
	CHECK_FAULT(try_load(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK_OK(mprotect(p, 4 * PAGE, RW));
	CHECK_EQ(load(p + 2 * PAGE), 3); // nothing was lost
	CHECK_NO_FAULT(try_store(p + PAGE));
}

static void protect_arguments(void)
{
	int fd = make_file("f", PAGE), ro = (int)CHECK_OK(open("f", O_RDONLY));
	char *p = map_anon(3 * PAGE), *q = map(PAGE, PROT_READ, MAP_SHARED, ro, 0);

	CHECK_ERR(mprotect(p + 1, PAGE, RW), EINVAL);
	CHECK_OK(mprotect(p, 0, RW));
	CHECK_ERR(mprotect(p, SIZE_MAX - PAGE, RW), ENOMEM);
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
	CHECK_OK(mprotect(map(PAGE, PROT_READ, MAP_PRIVATE, ro, 0), PAGE, RW));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERR(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM); // there is a hole
	close(fd);
}

static void past_the_end_is_sigbus(void)
{
	int fd = make_file("f", PAGE + 1);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *q = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	CHECK_NO_FAULT(try_store(p + 2 * PAGE - 1)); // the rest of the last page
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_FAULT(try_store(p + 3 * PAGE + 77), SIGBUS, BUS_ADRERR, p + 3 * PAGE + 77);
	CHECK_FAULT(try_load(q + 2 * PAGE + 5), SIGBUS, BUS_ADRERR, q + 2 * PAGE + 5);
	CHECK_FAULT(try_store(q + 3 * PAGE), SIGBUS, BUS_ADRERR, q + 3 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE)); // now there is something
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_NO_FAULT(try_store(p + 3 * PAGE + 77));
}

static void truncate_takes_pages_away(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0);

	check_pattern(p, 0, 4 * PAGE);
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(load(p + PAGE + 9), pattern(PAGE + 9));
	check_zero(p + PAGE + 10, PAGE - 10); // the tail is zeroed
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	check_zero(p + PAGE + 10, 3 * PAGE - 10); // what was cut does not come back
}

static void truncate_takes_private_copies_too(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	memset(p, 'c', 4 * PAGE);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(load(p + PAGE), 'c');
	CHECK_FAULT(try_load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	CHECK_OK(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(load(p + 3 * PAGE), 0);
}

static void sparse_file_reads_zero(void)
{
	int fd = make_file("f", 0);
	char *p;

	CHECK_OK(ftruncate(fd, 100 * PAGE));
	p = map(100 * PAGE, RW, MAP_SHARED, fd, 0);
	check_zero(p, 100 * PAGE);
	store(p + 50 * PAGE, 'h');
	CHECK_OK(msync(p, 100 * PAGE, MS_SYNC));
	CHECK_EQ(load(p + 50 * PAGE), 'h');
	CHECK_EQ(load(p + 51 * PAGE), 0);
}

static void null_page_is_never_there(void)
{
	CHECK_FAULT(try_load(NULL), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_FAULT(try_store((char *)8), SIGSEGV, SEGV_MAPERR, 8);
}

#ifdef __riscv
static void kernel_memory_is_out_of_reach(void)
{
	char *high = (char *)0xffffffc000000000ul;

	CHECK_EQ(try_load(high).signo, SIGSEGV);
	CHECK_EQ(try_store(high + 0x80200000ul).signo, SIGSEGV);
	CHECK_EQ(try_load((char *)0x4000000000ul).signo, SIGSEGV);
	CHECK_EQ(try_load((char *)0x0123456789abcdeful).signo, SIGSEGV); // not canonical
	CHECK_EQ(try_load((char *)-8ul).signo, SIGSEGV);
}
#endif

static void killed_by_the_fault(void *arg)
{
	store(arg, 1);
}

static void unhandled_fault_kills(void)
{
	char *p = map(PAGE, PROT_READ, ANON, -1, 0);
	int status = in_child(killed_by_the_fault, p);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

static void dirty_and_exit(void *arg)
{
	char *p = arg;

	for (size_t i = 0; i < 8; i++)
		store(p + i * PAGE, 'e');
}

static void dirty_and_be_killed(void *arg)
{
	dirty_and_exit(arg);
	kill(getpid(), SIGKILL);
}

static void check_dirtied(int fd)
{
	for (size_t i = 0; i < 8; i++) {
		char c;

		CHECK_EQ(pread(fd, &c, 1, (off_t)(i * PAGE)), 1);
		CHECK_EQ(c, 'e');
	}
}

static void exit_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);

	must_exit_well(start_child(dirty_and_exit, map(8 * PAGE, RW, MAP_SHARED, fd, 0)));
	check_dirtied(fd);
}

static void kill_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);
	int status = in_child(dirty_and_be_killed, map(8 * PAGE, RW, MAP_SHARED, fd, 0));

	CHECK_EQ(WTERMSIG(status), SIGKILL);
	check_dirtied(fd);
}

static void exec_something(void *arg)
{
	static char *argv[] = {"true", NULL};

	dirty_and_exit(arg);
	execv("/bin/true", argv);
	_exit(9);
}

static void exec_unmaps_and_keeps(void)
{
	int fd = make_file("f", 8 * PAGE);

	must_exit_well(start_child(exec_something, map(8 * PAGE, RW, MAP_SHARED, fd, 0)));
	check_dirtied(fd);
}

static void touch_forever(void *arg)
{
	char *p = arg;

	for (;;) {
		char *q = map_anon(64 * PAGE);

		for (size_t i = 0; i < 64; i++) {
			store(q + i * PAGE, 1);
			store(p + i * PAGE, 1);
		}
		munmap(q, 64 * PAGE);
	}
}

// The kill arrives somewhere in the middle of a fault, a map or an unmap.
static void kill_during_faults(void)
{
	int fd = make_file("f", 64 * PAGE);
	char *shared = map(64 * PAGE, RW, MAP_SHARED, fd, 0);

	for (int round = 0; round < 30; round++) {
		pid_t pid = start_child(touch_forever, shared);
		unsigned spins = random_below(20000);
		int status;

		for (volatile unsigned i = 0; i < spins; i++)
			;
		CHECK_OK(kill(pid, SIGKILL));
		status = end_child(pid);
		CHECK_EQ(WTERMSIG(status), SIGKILL);
	}
}

// --- many areas

static void checkerboard_of_rights(void)
{
	enum { PAGES = 200 };
	char *p = map_anon(PAGES * PAGE);

	for (size_t i = 0; i < PAGES; i += 2)
		CHECK_OK(mprotect(p + i * PAGE, PAGE, PROT_READ));
	for (size_t i = 0; i < PAGES; i++)
		CHECK_EQ(try_store(p + i * PAGE).signo, i % 2 ? 0 : SIGSEGV);
	CHECK_OK(mprotect(p, PAGES * PAGE, RW));
	for (size_t i = 0; i < PAGES; i++)
		CHECK_NO_FAULT(try_store(p + i * PAGE));
}

// Maps, unmaps and stores at random in a window, against a model of what each page should hold.
static void random_against_a_model(void)
{
	enum { WINDOW = 64, ROUNDS = 3000 };
	char *window = map(WINDOW * PAGE, PROT_NONE, ANON, -1, 0);
	signed char model[WINDOW]; // -1: nothing there
	int fd = make_file("f", WINDOW * PAGE);

	memset(model, -1, sizeof model);
	CHECK_OK(munmap(window, WINDOW * PAGE));
	for (int round = 0; round < ROUNDS; round++) {
		unsigned from = random_below(WINDOW), n = 1 + random_below(WINDOW - from);
		char *p = window + from * PAGE;

		switch (random_below(4)) {
		case 0:
			CHECK_OK(munmap(p, n * PAGE));
			memset(model + from, -1, n);
			break;
		case 1:
			n = n < 8 ? n : 8;
			CHECK(mmap(p, n * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
			memset(model + from, 0, n);
			break;
		case 2:
			n = n < 8 ? n : 8;
			CHECK(mmap(p, n * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd,
				      (off_t)(from * PAGE)) == p);
			for (unsigned i = from; i < from + n; i++)
				model[i] = (signed char)(pattern(i * PAGE) & 127);
			break;
		default:
			if (model[from] != -1)
				store(p, (char)(model[from] = (signed char)random_below(128)));
		}
		from = random_below(WINDOW);
		p = window + from * PAGE;
		if (model[from] == -1)
			CHECK_FAULT(try_load(p), SIGSEGV, SEGV_MAPERR, p);
		else
			CHECK_EQ(load(p) & 127, model[from]);
	}
}

static const struct test tests[] = {
	{"anonymous_is_lazy", anonymous_is_lazy},
	{"file_is_lazy", file_is_lazy},
	{"faults_are_counted", faults_are_counted},
	{"anonymous_is_zero", anonymous_is_zero},
	{"fresh_pages_hold_nothing_old", fresh_pages_hold_nothing_old},
	{"file_is_read", file_is_read},
	{"offsets", offsets},
	{"offset_past_4_gib", offset_past_4_gib},
	{"file_ends_inside_a_page", file_ends_inside_a_page},
	{"growth_shows_zeros", growth_shows_zeros},
	{"private_write_stays_private", private_write_stays_private},
	{"private_sees_writes_until_copied", private_sees_writes_until_copied},
	{"shared_write_reaches_the_file", shared_write_reaches_the_file},
	{"two_mappings_of_one_file", two_mappings_of_one_file},
	{"mapping_outlives_unlink", mapping_outlives_unlink},
	{"blocks_return_after_unlink_and_unmap", blocks_return_after_unlink_and_unmap},
	{"only_dirty_pages_are_written", only_dirty_pages_are_written},
	{"clean_pages_are_not_written_at_unmap", clean_pages_are_not_written_at_unmap},
	{"msync_cleans", msync_cleans},
	{"msync_arguments", msync_arguments},
	{"every_subset_then_unmap", every_subset_then_unmap},
	{"every_subset_of_a_file_then_unmap", every_subset_of_a_file_then_unmap},
	{"unmapped_memory_faults", unmapped_memory_faults},
	{"unmap_arguments", unmap_arguments},
	{"frames_return_after_unmap", frames_return_after_unmap},
	{"mmap_arguments", mmap_arguments},
	{"mapping_a_pipe_or_folder", mapping_a_pipe_or_folder},
	{"both_kinds_at_once", both_kinds_at_once},
	{"hints_and_fixed", hints_and_fixed},
	{"file_rights", file_rights},
	{"rights_are_enforced", rights_are_enforced},
	{"data_is_not_executed", data_is_not_executed},
	{"protect_takes_and_gives", protect_takes_and_gives},
	{"protect_arguments", protect_arguments},
	{"past_the_end_is_sigbus", past_the_end_is_sigbus},
	{"truncate_takes_pages_away", truncate_takes_pages_away},
	{"truncate_takes_private_copies_too", truncate_takes_private_copies_too},
	{"sparse_file_reads_zero", sparse_file_reads_zero},
	{"null_page_is_never_there", null_page_is_never_there},
#ifdef __riscv
	{"kernel_memory_is_out_of_reach", kernel_memory_is_out_of_reach},
#endif
	{"unhandled_fault_kills", unhandled_fault_kills},
	{"exit_unmaps_and_keeps", exit_unmaps_and_keeps},
	{"kill_unmaps_and_keeps", kill_unmaps_and_keeps},
	{"exec_unmaps_and_keeps", exec_unmaps_and_keeps},
	{"kill_during_faults", kill_during_faults},
	{"checkerboard_of_rights", checkerboard_of_rights},
	{"random_against_a_model", random_against_a_model},
};

TEST_MAIN(tests)
