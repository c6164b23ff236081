// SPDX-License-Identifier: MIT
// F_SETPIPE_SZ: what is in the pipe survives any change of its size that it fits.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/tap.h"

static int ends[2];

static void sizes(void)
{
	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1), 4096);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, 0x80000001u), EINVAL);
	CHECK_ERR(fcntl(make_file("f", 1), F_GETPIPE_SZ), EBADF);
}

static void what_is_in_it_must_fit(void)
{
	char block[3 * PAGE];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	memset(block, 'x', sizeof block);
	CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
	CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, PAGE), EBUSY);
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(write(ends[1], block, sizeof block), PAGE);
}

// Random writes, reads and sizes; byte i of the stream is pattern(i).
static void bytes_survive(void)
{
	static char block[20000];
	size_t written = 0, read_bytes = 0;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	for (int step = 0; step < 3000; step++) {
		size_t n = random_below(sizeof block) + 1;
		ssize_t got;

		switch (random_below(3)) {
		case 0:
			for (size_t i = 0; i < n; i++)
				block[i] = pattern(written + i);
			got = write(ends[1], block, n);
			CHECK(got > 0 || errno == EAGAIN);
			written += got > 0 ? (size_t)got : 0;
			break;
		case 1:
			got = read(ends[0], block, n);
			CHECK(got > 0 || errno == EAGAIN);
			for (ssize_t i = 0; i < got; i++)
				CHECK_EQ(block[i], pattern(read_bytes + (size_t)i));
			read_bytes += got > 0 ? (size_t)got : 0;
			break;
		case 2:
			got = fcntl(ends[0], F_SETPIPE_SZ, PAGE << random_below(6));
			CHECK(got > 0 || errno == EBUSY);
			break;
		}
	}
	CHECK(read_bytes > 100000);
}

static const struct test tests[] = {
	{"sizes", sizes},
	{"what_is_in_it_must_fit", what_is_in_it_must_fit},
	{"bytes_survive", bytes_survive},
};
BEYOND_CORE_MAIN(tests)
