// SPDX-License-Identifier: MIT
#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static char whole[16384];

char *text_of(const char *path)
{
	int fd = (int)CHECK_OK(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while ((got = CHECK_OK(read(fd, whole + n, sizeof whole - 1 - n))) > 0)
		n += (size_t)got;
	whole[n] = '\0';
	CHECK_OK(close(fd));
	return whole;
}

void put_text(const char *name, const char *text)
{
	int fd = (int)CHECK_OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_OK(close(fd));
}

void check_text(const char *name, const char *text)
{
	char back[64];

	CHECK(strlen(text) <= sizeof back);
	read_file(name, back, strlen(text));
	if (memcmp(back, text, strlen(text)))
		FAIL("%s does not hold \"%s\"", name, text);
}
