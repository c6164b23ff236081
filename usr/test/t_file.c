// SPDX-License-Identifier: MIT
// The calls on files and folders, with good arguments and with bad ones.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/text.h"

static off_t size_of(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_size;
}

static void open_modes(void)
{
	int fd;
	char c = 'x';

	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	fd = (int)CHECK_OK(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_OK(close(fd));
	CHECK_ERR(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_OK(close(fd));
	CHECK_ERR(close(fd), EBADF);
	fd = (int)CHECK_OK(open("f", O_RDWR | O_TRUNC));
	CHECK_EQ(size_of("f"), 0);
	CHECK_EQ(write(fd, &c, 1), 1);
	CHECK_OK(close(fd));
}

static void open_bad_paths(void)
{
	char longest[NAME_MAX + 3];

	put_text("f", "x");
	memset(longest, 'n', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("none/x", O_WRONLY | O_CREAT, 0644), ENOENT);
	CHECK_ERR(open(longest, O_WRONLY | O_CREAT, 0644), ENAMETOOLONG);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	longest[NAME_MAX] = '\0';
	CHECK_OK(close((int)CHECK_OK(open(longest, O_WRONLY | O_CREAT, 0644))));
	CHECK_OK(unlink(longest));
}

static void append_goes_to_the_end(void)
{
	int a, b;

	put_text("f", "start");
	a = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND));
	b = (int)CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(lseek(b, 0, SEEK_END), 5);
	CHECK_EQ(write(b, "-b", 2), 2);
	CHECK_EQ(write(a, "-a", 2), 2);
	check_text("f", "start-b-a");
}

static void positions(void)
{
	int fd = make_file("f", 1000);
	char c;

	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1000);
	CHECK_EQ(lseek(fd, 10, SEEK_SET), 10);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, pattern(10));
	CHECK_EQ(lseek(fd, -1, SEEK_CUR), 10);
	CHECK_EQ(lseek(fd, -5, SEEK_END), 995);
	CHECK_EQ(lseek(fd, 5000, SEEK_SET), 5000);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, INT64_MAX, SEEK_CUR), EINVAL);
	CHECK_ERR(lseek(fd, INT64_MAX, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5000);
	CHECK_ERR(lseek(999, 0, SEEK_SET), EBADF);
}

static void positioned_io(void)
{
	int fd = make_file("f", 100);
	char c;

	CHECK_EQ(lseek(fd, 50, SEEK_SET), 50);
	CHECK_EQ(pread(fd, &c, 1, 20), 1);
	CHECK_EQ(c, pattern(20));
	CHECK_EQ(pwrite(fd, "P", 1, 30), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 50);
	CHECK_EQ(pread(fd, &c, 1, 30), 1);
	CHECK_EQ(c, 'P');
	CHECK_EQ(pread(fd, &c, 1, 100), 0);
	CHECK_ERR(pread(fd, &c, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, &c, 1, -1), EINVAL);
}

static void vectors(void)
{
	int fd = make_file("f", 0);
	char a[5] = "hell", b[4] = "o wo", c[4];
	struct iovec out[3] = {{a, 4}, {NULL, 0}, {b, 4}}, in[2] = {{c, 3}, {a, 5}};

	CHECK_EQ(writev(fd, out, 3), 8);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, in, 2), 8);
	CHECK(!memcmp(c, "hel", 3) && !memcmp(a, "lo wo", 5));
	CHECK_EQ(readv(fd, in, 2), 0);
	CHECK_EQ(writev(fd, out, 0), 0);
	CHECK_ERR(writev(fd, out, -1), EINVAL);
	CHECK_ERR(writev(fd, out, 5000), EINVAL);
	out[0].iov_len = SIZE_MAX / 2 + 2;
	CHECK_ERR(writev(fd, out, 1), EINVAL);
}

// Sizes that do not fit the blocks, at offsets that do not either.
static void odd_sizes(void)
{
	int fd = make_file("f", 0);
	static char block[3 * PAGE + 5], back[3 * PAGE + 5];
	off_t at = 0;

	for (size_t n = 1; n < sizeof block; n = n * 3 + 1, at += (off_t)n / 2) {
		for (size_t i = 0; i < n; i++)
			block[i] = (char)(n + i);
		CHECK_EQ(pwrite(fd, block, n, at), n);
		CHECK_EQ(pread(fd, back, n, at), n);
		CHECK(!memcmp(block, back, n));
	}
}

static void sparse_files(void)
{
	int fd = make_file("f", 0);
	struct stat st;
	char c = 'x', back[100];

	CHECK_EQ(pwrite(fd, &c, 1, 1000 * PAGE), 1);
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 1000 * PAGE + 1);
	CHECK(st.st_blocks < 500 * 8); // 512-byte units: most of it is not there
	CHECK_EQ(pread(fd, back, 100, 500 * PAGE - 50), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(back[i], 0);
}

static void past_4_gib(void)
{
	static const off_t places[] = {(1ll << 32) - 1, 1ll << 32, 5ll << 30, 100ll << 30};
	int fd = make_file("f", 3);

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char c = (char)('a' + i), back = 0;

		CHECK_EQ(pwrite(fd, &c, 1, places[i]), 1);
		CHECK_EQ(size_of("f"), places[i] + 1);
		CHECK_EQ(pread(fd, &back, 1, places[i]), 1);
		CHECK_EQ(back, c);
		CHECK_EQ(lseek(fd, 0, SEEK_END), places[i] + 1);
	}
	char c;
	CHECK_EQ(pread(fd, &c, 1, 0), 1); // nothing wrapped round
	CHECK_EQ(c, pattern(0));
	CHECK_OK(ftruncate(fd, 3));
	CHECK_EQ(size_of("f"), 3);
}

static void truncate_both_ways(void)
{
	int fd = make_file("f", 3 * PAGE);
	char back[2 * PAGE];

	CHECK_OK(ftruncate(fd, PAGE + 7));
	CHECK_EQ(size_of("f"), PAGE + 7);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	read_file("f", back, sizeof back);
	for (size_t i = 0; i < sizeof back; i++)
		CHECK_EQ(back[i], i < PAGE + 7 ? pattern(i) : 0);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(ftruncate((int)CHECK_OK(open("f", O_RDONLY)), 0), EINVAL);
	CHECK_ERR(ftruncate(999, 0), EBADF);
}

static void truncate_returns_blocks(void)
{
	long long before;
	int fd;

	vmstat("nr_free_pages"); // on other disks others write too
	fd = make_file("f", 0);
	before = free_blocks();
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 100; i++)
			CHECK_EQ(pwrite(fd, "block", 5, i * (off_t)PAGE), 5);
		CHECK(before - free_blocks() >= 100);
		CHECK_OK(ftruncate(fd, 0));
		CHECK_EQ(free_blocks(), before);
	}
}

static void descriptors(void)
{
	int fd = make_file("f", 10), copy, high;

	copy = (int)CHECK_OK(dup(fd));
	CHECK_EQ(lseek(copy, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5); // one position
	high = (int)CHECK_OK(fcntl(fd, F_DUPFD, 100));
	CHECK(high >= 100);
	CHECK_EQ(dup2(fd, 77), 77);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERR(dup3(fd, 78, 1), EINVAL);
	CHECK_EQ(dup3(fd, 78, O_CLOEXEC), 78);
	CHECK_EQ(fcntl(78, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(77, F_GETFD), 0);
	CHECK_OK(fcntl(77, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(77, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_ERR(dup(999), EBADF);
	CHECK_ERR(dup2(999, 5), EBADF);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
}

static void descriptors_run_out(void)
{
	int fd, n = 0, first = make_file("f", 1);

	while ((fd = dup(first)) >= 0 && n < 2000000)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK(n >= 200);
	CHECK_ERR(open("f", O_RDONLY), EMFILE);
	CHECK_OK(close(first));
	CHECK_EQ(open("f", O_RDONLY), first); // the lowest one free
}

static void status_of_files(void)
{
	struct stat st;
	int fd = make_file("f", PAGE + 1);

	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0644);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_size, PAGE + 1);
	CHECK_EQ(st.st_uid, getuid());
	CHECK(st.st_blksize >= 512);
	CHECK_OK(stat(".", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_OK(stat("/dev/null", &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_ERR(stat("none", &st), ENOENT);
	CHECK_ERR(fstat(999, &st), EBADF);
}

static void creation_mask(void)
{
	struct stat st;

	umask(027);
	CHECK_OK(close((int)CHECK_OK(open("f", O_WRONLY | O_CREAT, 0666))));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK_EQ(umask(0), 027);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode & 0777, 0777);
}

static void special_files(void)
{
	int null = (int)CHECK_OK(open("/dev/null", O_RDWR));
	int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR));
	char bytes[PAGE];

	CHECK_EQ(write(null, bytes, PAGE), PAGE);
	CHECK_EQ(read(null, bytes, PAGE), 0);
	memset(bytes, 1, PAGE);
	CHECK_EQ(read(zero, bytes, PAGE), PAGE);
	for (size_t i = 0; i < PAGE; i++)
		CHECK_EQ(bytes[i], 0);
	CHECK_EQ(write(zero, bytes, 10), 10);
}

static void syncing(void)
{
	int fd = make_file("f", 10 * PAGE), ends[2];

	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	sync();
	CHECK_ERR(fsync(999), EBADF);
	CHECK_OK(pipe(ends));
	CHECK_ERR(fsync(ends[0]), EINVAL);
}

static void dirty_pages_reach_the_disk(void)
{
	int fd = make_file("f", 0);
	long long before, flushes;
	char block[PAGE] = {1};

	sync();
	before = blocks_written();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pwrite(fd, block, PAGE, i * (off_t)PAGE), PAGE);
	flushes = vmstat("mapache_blk_flushes");
	CHECK_OK(fsync(fd));
	CHECK(blocks_written() - before >= 20);
	CHECK(vmstat("mapache_blk_flushes") > flushes);
}

// What a call costs in flushes: the least of several, for others write to the disk, too.
static long long flushes_of(int fd, off_t at, int (*then)(int fd))
{
	static char block[PAGE];
	long long least = 1000;

	for (int i = 0; i < 5; i++, at += PAGE) {
		long long before = vmstat("mapache_blk_flushes"), n;

		CHECK_EQ(pwrite(fd, block, PAGE, at), PAGE);
		if (then)
			CHECK_OK(then(fd));
		n = vmstat("mapache_blk_flushes") - before;
		least = n < least ? n : least;
	}
	return least;
}

static int msync_all(int fd)
{
	char *p = map(5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK_OK(msync(p, 5 * PAGE, MS_SYNC));
	return munmap(p, 5 * PAGE);
}

static void flushes_are_few(void)
{
	int fd = make_file("f", 0), sync_fd, dsync_fd;

	if (!on_mapache())
		tap_skip("the disk's counts are Mapache's");
	sync_fd = (int)CHECK_OK(open("f", O_RDWR | O_SYNC));
	dsync_fd = (int)CHECK_OK(open("f", O_RDWR | O_DSYNC));
	CHECK_EQ(flushes_of(sync_fd, 0, NULL), 2);
	CHECK_EQ(flushes_of(dsync_fd, 5 * PAGE, NULL), 2);
	CHECK_EQ(flushes_of(fd, 10 * PAGE, fsync), 2);
	CHECK_EQ(flushes_of(dsync_fd, 0, NULL), 1);
	CHECK_EQ(flushes_of(fd, 0, fdatasync), 1);
	CHECK_EQ(flushes_of(fd, 0, msync_all), 1);
	CHECK_EQ(flushes_of(fd, 15 * PAGE, NULL), 0);
	CHECK_EQ(flushes_of(fd, 20 * PAGE, syncfs), 2);
}

static void file_system_numbers(void)
{
	struct statfs st;

	CHECK_OK(statfs(".", &st));
	CHECK(st.f_blocks > 0 && st.f_bfree <= st.f_blocks && st.f_bsize >= 512);
	CHECK_ERR(statfs("none", &st), ENOENT);
}

static void large_counts(void)
{
	int fd = make_file("f", 10);
	char *p = map_anon(PAGE);

	CHECK_EQ(pread(fd, p, PAGE, 0), 10);
	CHECK_EQ(read(fd, p, 0), 0);
	CHECK_EQ(write(fd, p, 0), 0);
	CHECK_EQ(size_of("f"), 10);
}

// Writes, reads, truncates and maps one file at random, against an array.
static void random_against_a_model(void)
{
	enum { SIZE = 200000, ROUNDS = 1500 };
	static char model[SIZE], block[SIZE], back[SIZE];
	int fd = make_file("f", 0);
	size_t size = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t at = random_below(SIZE), n = random_below(20000);

		if (at + n > SIZE)
			n = SIZE - at;
		switch (random_below(4)) {
		case 0:
			CHECK_OK(ftruncate(fd, (off_t)at));
			if (at < size)
				memset(model + at, 0, size - at);
			size = at;
			break;
		case 1:
			for (size_t i = 0; i < n; i++)
				block[i] = (char)random_u64();
			CHECK_EQ(pwrite(fd, block, n, (off_t)at), n);
			memcpy(model + at, block, n);
			if (n && at + n > size)
				size = at + n;
			break;
		case 2:
			if (size > 0) {
				char *p = map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

				at %= size;
				p[at] = model[at] = (char)round;
				CHECK_OK(munmap(p, size));
			}
			break;
		default:
			n = at >= size ? 0 : at + n > size ? size - at : n;
			CHECK_EQ(pread(fd, back, n, (off_t)at), n);
			CHECK(!memcmp(back, model + at, n));
		}
	}
	CHECK_EQ(size_of("f"), size);
	read_file("f", back, size);
	CHECK(!memcmp(back, model, size));
}

static long blocks_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_blocks;
}

// What was written counts before it is on the disk: by this tar and cp find holes.
static void blocks_count_at_once(void)
{
	int fd = make_file("f", 10000);
	long before = blocks_of(fd);

	CHECK(before >= 20);
	CHECK_EQ(pwrite(fd, "again", 5, 0), 5);
	CHECK_EQ(blocks_of(fd), before);
	CHECK_OK(fsync(fd));
	CHECK_EQ(blocks_of(fd), before);
	CHECK_EQ(pwrite(fd, "again", 5, 0), 5);
	CHECK_EQ(pwrite(fd, "far away", 8, 1 << 20), 8);
	CHECK_EQ(blocks_of(fd), before + 8);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(blocks_of(fd), 0);
}

static const struct test tests[] = {
	{"open_modes", open_modes},
	{"open_bad_paths", open_bad_paths},
	{"append_goes_to_the_end", append_goes_to_the_end},
	{"positions", positions},
	{"positioned_io", positioned_io},
	{"vectors", vectors},
	{"odd_sizes", odd_sizes},
	{"sparse_files", sparse_files},
	{"past_4_gib", past_4_gib},
	{"truncate_both_ways", truncate_both_ways},
	{"truncate_returns_blocks", truncate_returns_blocks},
	{"descriptors", descriptors},
	{"descriptors_run_out", descriptors_run_out},
	{"status_of_files", status_of_files},
	{"creation_mask", creation_mask},
	{"special_files", special_files},
	{"syncing", syncing},
	{"dirty_pages_reach_the_disk", dirty_pages_reach_the_disk},
	{"flushes_are_few", flushes_are_few},
	{"file_system_numbers", file_system_numbers},
	{"large_counts", large_counts},
	{"random_against_a_model", random_against_a_model},
	{"blocks_count_at_once", blocks_count_at_once},
};

TEST_MAIN(tests)
