// SPDX-License-Identifier: MIT
// /dev/kmsg: what can be written to the kernel's log. That it arrives there,
// tools/tests/test_crash.py sees.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/tap.h"

static int open_log(int how)
{
	if (!on_mapache())
		tap_skip("the log is this machine's own");
	return (int)CHECK_OK(open("/dev/kmsg", how));
}

static void takes_lines(void)
{
	int fd = open_log(O_WRONLY);
	char longest[225];

	memset(longest, 'x', sizeof longest);
	CHECK_EQ(write(fd, "a line\n", 7), 7);
	CHECK_EQ(write(fd, "<6>", 3), 3);
	CHECK_EQ(write(fd, "<", 1), 1);
	CHECK_EQ(write(fd, longest, 224), 224);
	CHECK_ERR(write(fd, longest, 225), EINVAL);
	CHECK_ERR(write(fd, (void *)8, 1), EFAULT);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
}

static void gives_none_back(void)
{
	int fd = open_log(O_RDWR);
	char byte;

	CHECK_ERR(read(fd, &byte, 1), EINVAL);
}

static void is_roots(void)
{
	CHECK_OK(close(open_log(O_WRONLY)));
	CHECK_OK(setuid(1000));
	CHECK_ERR(open("/dev/kmsg", O_WRONLY), EACCES);
}

static const struct test tests[] = {
	{"takes_lines", takes_lines},
	{"gives_none_back", gives_none_back},
	{"is_roots", is_roots},
};

BEYOND_CORE_MAIN(tests)
