// SPDX-License-Identifier: MIT
// Bytes that go from descriptor to descriptor, or in several pieces.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

enum { BIG = 200000 };

static off_t position(int fd)
{
	return CHECK_OK(lseek(fd, 0, SEEK_CUR));
}

static void check_file(int fd, off_t at, size_t from, size_t n)
{
	char *p = malloc(n);

	CHECK(p);
	CHECK_EQ(pread(fd, p, n, at), n);
	check_pattern(p, from, n);
	free(p);
}

// --- sendfile

static void whole_file_to_file(void)
{
	int in = make_file("in", BIG), out = (int)CHECK_OK(open("out", O_RDWR | O_CREAT, 0600));
	off_t at = 1000;

	CHECK_OK(lseek(in, 0, SEEK_SET));
	CHECK_EQ(sendfile(out, in, NULL, BIG + 5000), BIG);
	CHECK_EQ(position(in), BIG);
	CHECK_EQ(position(out), BIG);
	check_file(out, 0, 0, BIG);
	CHECK_EQ(sendfile(out, in, NULL, 1), 0);

	CHECK_OK(lseek(in, 7, SEEK_SET));
	CHECK_OK(lseek(out, 0, SEEK_SET));
	CHECK_EQ(sendfile(out, in, &at, 500), 500);
	CHECK_EQ(at, 1500);
	CHECK_EQ(position(in), 7); // not moved
	check_file(out, 0, 1000, 500);
	check_file(out, 500, 500, BIG - 500);
}

static int ends[2];

static void drain(void *arg)
{
	static char block[5000];
	size_t got = 0;
	ssize_t n;

	(void)arg;
	CHECK_OK(close(ends[1]));
	while ((n = read(ends[0], block, sizeof block)) > 0) {
		check_pattern(block, got, (size_t)n);
		got += (size_t)n;
	}
	CHECK_EQ(got, BIG);
}

static void file_to_pipe(void)
{
	int in = make_file("in", BIG);
	off_t at = 0;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = start_child(drain, NULL);
	CHECK_OK(close(ends[0]));
	while (at < BIG)
		CHECK(sendfile(ends[1], in, &at, (size_t)(BIG - at)) > 0);
	CHECK_OK(close(ends[1]));
	must_exit_well(child);
}

static void a_full_pipe_takes_a_part(void)
{
	int in = make_file("in", BIG);
	off_t at = 0;
	ssize_t n;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	n = sendfile(ends[1], in, &at, BIG);
	CHECK(n > 0 && n < BIG);
	CHECK_EQ(at, n);
	CHECK_ERR(sendfile(ends[1], in, &at, BIG), EAGAIN);
	CHECK_OK(close(ends[0]));
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(sendfile(ends[1], in, &at, BIG), EPIPE);
}

static void sendfile_errors(void)
{
	int in = make_file("in", 10), out = (int)CHECK_OK(open("out", O_WRONLY | O_CREAT, 0600));
	int append = (int)CHECK_OK(open("out", O_WRONLY | O_APPEND));
	off_t at = -1;

	CHECK_OK(pipe(ends));
	CHECK_ERR(sendfile(out, 77, NULL, 1), EBADF);
	CHECK_ERR(sendfile(77, in, NULL, 1), EBADF);
	CHECK_ERR(sendfile(in, out, NULL, 1), EBADF);
	CHECK_ERR(sendfile(append, in, NULL, 1), EINVAL);
	CHECK_ERR(sendfile(out, (int)CHECK_OK(open(".", O_RDONLY)), NULL, 1), EINVAL);
	CHECK_ERR(sendfile(out, in, &at, 1), EINVAL);
	CHECK_ERR(sendfile(out, (int)CHECK_OK(open(".", O_RDONLY)), NULL, 1), EINVAL);
	at = 0;
	CHECK_ERR(sendfile(out, ends[0], &at, 1), ESPIPE);
}

// --- copy_file_range

static void ranges_are_copied(void)
{
	int in = make_file("in", BIG), out = make_file("out", 1000);
	off_t from = 5000, to = 100;

	CHECK_EQ(copy_file_range(in, &from, out, &to, 300, 0), 300);
	CHECK_EQ(from, 5300);
	CHECK_EQ(to, 400);
	check_file(out, 0, 0, 100);
	check_file(out, 100, 5000, 300);
	check_file(out, 400, 400, 600);

	// Up to the end, behind the end of the other.
	from = BIG - 100;
	to = 2000;
	CHECK_EQ(copy_file_range(in, &from, out, &to, 5000, 0), 100);
	CHECK_EQ(copy_file_range(in, &from, out, &to, 5000, 0), 0);
	check_file(out, 2000, BIG - 100, 100);
	CHECK_EQ(lseek(out, 0, SEEK_END), 2100);

	CHECK_OK(lseek(in, 0, SEEK_SET));
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, BIG, 0), BIG);
	CHECK_EQ(position(in), BIG);
	CHECK_EQ(position(out), 2100 + BIG);
}

static void one_file_to_itself(void)
{
	int fd = make_file("f", 1000);
	off_t from = 0, to = 1000;

	CHECK_EQ(copy_file_range(fd, &from, fd, &to, 1000, 0), 1000);
	check_file(fd, 1000, 0, 1000);
	from = 0, to = 999;
	CHECK_ERR(copy_file_range(fd, &from, fd, &to, 1000, 0), EINVAL);
	from = 500, to = 0;
	CHECK_ERR(copy_file_range(fd, &from, fd, &to, 501, 0), EINVAL);
	CHECK_EQ(copy_file_range(fd, &from, fd, &to, 500, 0), 500);
}

static void copy_file_range_errors(void)
{
	int in = make_file("in", 10), out = (int)CHECK_OK(open("out", O_WRONLY | O_CREAT, 0600));
	int append = (int)CHECK_OK(open("out", O_WRONLY | O_APPEND));
	int folder = (int)CHECK_OK(open(".", O_RDONLY));
	off_t at = -5;

	CHECK_OK(pipe(ends));
	CHECK_ERR(copy_file_range(in, NULL, 77, NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(out, NULL, in, NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(in, NULL, append, NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(in, NULL, out, NULL, 1, 1), EINVAL);
	CHECK_ERR(copy_file_range(folder, NULL, out, NULL, 1, 0), EISDIR);
	CHECK_ERR(copy_file_range(in, &at, out, NULL, 1, 0), EINVAL);
	at = -1;
	CHECK_ERR(copy_file_range(in, &at, out, NULL, 1, 0), EOVERFLOW);
	CHECK_ERR(copy_file_range(ends[0], NULL, out, NULL, 1, 0), EINVAL);
}

// --- In pieces

static void pieces_at_an_offset(void)
{
	int fd = make_file("f", 100);
	char a[10], b[20];
	struct iovec v[3] = {{a, sizeof a}, {NULL, 0}, {b, sizeof b}};

	CHECK_EQ(preadv(fd, v, 3, 50), 30);
	check_pattern(a, 50, 10);
	check_pattern(b, 60, 20);
	CHECK_EQ(preadv(fd, v, 3, 85), 15);
	CHECK_EQ(pwritev(fd, v, 1, 95), 10);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 105);
	CHECK_EQ(preadv2(fd, v, 3, 20, 0), 30);
	check_pattern(b, 30, 20);
	CHECK_OK(lseek(fd, 10, SEEK_SET));
	CHECK_EQ(preadv2(fd, v, 3, -1, 0), 30); // at the position
	check_pattern(a, 10, 10);
	CHECK_EQ(position(fd), 40);
}

static void durable_pieces(void)
{
	int fd = make_file("f", 100);
	char a[10] = "durable";
	struct iovec v = {a, sizeof a};
	long long before = on_mapache() ? blocks_written() : 0;

	CHECK_EQ(pwritev2(fd, &v, 1, 5, RWF_DSYNC), 10);
	CHECK_EQ(pwritev2(fd, &v, 1, -1, RWF_SYNC), 10);
	CHECK(!on_mapache() || blocks_written() >= before + 2);
	CHECK_ERR(preadv2(fd, &v, 1, 0, 0x40000000), EOPNOTSUPP);
	CHECK_ERR(pwritev2(fd, &v, 1, 0, 0x40000000), EOPNOTSUPP);
	CHECK_ERR(pwritev2(fd, &v, 1, -2, 0), EINVAL);
}

static void limits_of_pieces(void)
{
	static struct iovec v[IOV_MAX + 1];
	int fd = make_file("f", 10), writes = (int)CHECK_OK(open("f", O_WRONLY));
	char c = 0;

	CHECK_ERR(readv(fd, v, IOV_MAX + 1), EINVAL);
	CHECK_ERR(readv(fd, v, -1), EINVAL);
	CHECK_ERR(readv(77, v, -1), EBADF);
	CHECK_EQ(readv(fd, v, IOV_MAX), 0);
	CHECK_EQ(readv(fd, NULL, 0), 0);
	v[0] = (struct iovec){&c, 1};
	v[1] = (struct iovec){&c, (size_t)-1};
	CHECK_ERR(readv(fd, v, 2), EINVAL);
	CHECK_ERR(preadv(fd, v, 1, -1), EINVAL);
	CHECK_ERR(readv(writes, v, 1), EBADF);
	CHECK_OK(pipe(ends));
	CHECK_ERR(preadv(ends[0], v, 1, 0), ESPIPE);
	CHECK_ERR(readv(fd, (struct iovec *)8, 1), EFAULT);
}

static const struct test tests[] = {
	{"whole_file_to_file", whole_file_to_file},
	{"file_to_pipe", file_to_pipe},
	{"a_full_pipe_takes_a_part", a_full_pipe_takes_a_part},
	{"sendfile_errors", sendfile_errors},
	{"ranges_are_copied", ranges_are_copied},
	{"one_file_to_itself", one_file_to_itself},
	{"copy_file_range_errors", copy_file_range_errors},
	{"pieces_at_an_offset", pieces_at_an_offset},
	{"durable_pieces", durable_pieces},
	{"limits_of_pieces", limits_of_pieces},
};
BEYOND_CORE_MAIN(tests)
