// SPDX-License-Identifier: MIT
// What a mapping shows: its pages appear when they are touched, as zeros, as the file's bytes,
// shared or as private copies; and what mmap refuses.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

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

static void huge_and_unknown_flags(void)
{
	int fd = make_file("f", PAGE);

	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE | MAP_HUGETLB, fd, 0), EINVAL);
	if (on_mapache()) // others have huge pages, or no memory for them
		CHECK_ERR(plain_mmap(PAGE, RW, ANON | MAP_HUGETLB, -1, 0), EINVAL);
	CHECK_OK(plain_mmap(PAGE, RW, MAP_SHARED | 1 << 24, fd, 0)); // ignored, as ever
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), EINVAL);
	CHECK_ERR(plain_mmap(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL);
	CHECK_OK(plain_mmap(PAGE, RW, ANON | MAP_STACK | MAP_NORESERVE | MAP_DENYWRITE, -1, 0));
	CHECK_ERR(plain_mmap(0, RW, MAP_PRIVATE, 999, 0), EBADF); // the descriptor comes first
}

static void fixed_noreplace(void)
{
	char *p = map_anon(4 * PAGE);

	memset(p, 'n', 4 * PAGE);
	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERR(mmap(p + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1
												: 0,
		EEXIST);
	CHECK_EQ(load(p + PAGE), 'n');
	CHECK(mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 2 * PAGE);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_ERR(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? -1 : 0,
		EINVAL);
}

static void populated_at_once(void)
{
	long long before = vmstat("nr_free_pages"), faults;
	char *p = map(64 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);

	CHECK(before - vmstat("nr_free_pages") >= 64);
	faults = vmstat("pgfault");
	for (size_t i = 0; i < 64; i++)
		store(p + i * PAGE, 1);
	CHECK(vmstat("pgfault") - faults < 32);
}

// What cannot be had in advance is no failure of the call.
static void populating_past_the_end(void)
{
	int fd = make_file("f", PAGE);
	char *p = map(4 * PAGE, RW, MAP_SHARED | MAP_POPULATE, fd, 0);

	CHECK_EQ(load(p), pattern(0));
	CHECK_FAULT(try_load(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
}

// A mapping that may be written to may be read: there is no other kind of memory.
static void write_only_memory_can_be_read(void)
{
	char *p = map(PAGE, PROT_WRITE, ANON, -1, 0);

	store(p, 'w');
	CHECK_EQ(load(p), 'w');
}

// For root on Linux this is a matter of configuration.
static void where_nothing_may_be(void)
{
	if (!on_mapache())
		tap_skip("mmap_min_addr");
	CHECK_ERR(mmap(NULL, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0, EPERM);
	CHECK(mmap((void *)1, PAGE, RW, ANON, -1, 0) != MAP_FAILED); // a hint is only a hint
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
	{"private_write_stays_private", private_write_stays_private},
	{"private_sees_writes_until_copied", private_sees_writes_until_copied},
	{"shared_write_reaches_the_file", shared_write_reaches_the_file},
	{"two_mappings_of_one_file", two_mappings_of_one_file},
	{"mapping_outlives_unlink", mapping_outlives_unlink},
	{"blocks_return_after_unlink_and_unmap", blocks_return_after_unlink_and_unmap},
	{"mmap_arguments", mmap_arguments},
	{"mapping_a_pipe_or_folder", mapping_a_pipe_or_folder},
	{"both_kinds_at_once", both_kinds_at_once},
	{"huge_and_unknown_flags", huge_and_unknown_flags},
	{"fixed_noreplace", fixed_noreplace},
	{"populated_at_once", populated_at_once},
	{"populating_past_the_end", populating_past_the_end},
	{"write_only_memory_can_be_read", write_only_memory_can_be_read},
	{"where_nothing_may_be", where_nothing_may_be},
	{"hints_and_fixed", hints_and_fixed},
	{"file_rights", file_rights},
	{"random_against_a_model", random_against_a_model},
};

TEST_MAIN(tests)
