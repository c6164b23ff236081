// SPDX-License-Identifier: MIT
#include "text.h"

#include <fcntl.h>
#include <unistd.h>

#include "tap.h"

static char text[16384];

char *text_of(const char *path)
{
	int fd = (int)CHECK_OK(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while ((got = CHECK_OK(read(fd, text + n, sizeof text - 1 - n))) > 0)
		n += (size_t)got;
	text[n] = '\0';
	CHECK_OK(close(fd));
	return text;
}
