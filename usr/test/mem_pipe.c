// SPDX-License-Identifier: MIT
// What pipes hold is memory like any other: it comes from where there is some to be had.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/tap.h"

enum { LEAVE_KIB = 20 << 10, CACHED = 24 << 20, BLOCK = 1 << 16, PIPES = 96 };

static char block[BLOCK];

// More than there is left, in a file, so that what is left is the page cache's.
static void fill_the_cache(void)
{
	int fd = (int)CHECK_OK(open("big", O_RDWR | O_CREAT, 0600));

	for (size_t n = 0; n < CACHED; n += BLOCK)
		CHECK_EQ(write(fd, block, BLOCK), BLOCK);
	CHECK_OK(fsync(fd));
}

static void pipes_take_it_from_the_cache(void)
{
	int ends[2];

	(void)squeeze_memory(LEAVE_KIB);
	fill_the_cache();
	for (int i = 0; i < PIPES; i++) {
		CHECK_OK(pipe2(ends, O_NONBLOCK));
		CHECK_EQ(write(ends[1], block, BLOCK), BLOCK);
		CHECK_ERR(write(ends[1], block, 1), EAGAIN);
	}
}

static const struct test tests[] = {
	{"pipes_take_it_from_the_cache", pipes_take_it_from_the_cache},
};

TEST_MAIN(tests)
