// SPDX-License-Identifier: MIT
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define PATIENCE_MS 20000

void open_pair(struct pair *p)
{
	p->master = (int)CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));
	CHECK_OK(grantpt(p->master));
	CHECK_OK(unlockpt(p->master));
	CHECK_EQ(ptsname_r(p->master, p->name, sizeof p->name), 0);
	p->slave = (int)CHECK_OK(open(p->name, O_RDWR | O_NOCTTY));
}

void close_pair(struct pair *p)
{
	CHECK_OK(close(p->slave));
	CHECK_OK(close(p->master));
}

void set_modes(int fd, struct mode_change add, struct mode_change remove)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	t.c_iflag = (t.c_iflag | add.iflag) & ~remove.iflag;
	t.c_oflag = (t.c_oflag | add.oflag) & ~remove.oflag;
	t.c_lflag = (t.c_lflag | add.lflag) & ~remove.lflag;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

void set_control(int fd, int which, char c)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	t.c_cc[which] = (cc_t)c;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

void set_raw(int fd, int min, int time)
{
	struct termios t;

	CHECK_OK(tcgetattr(fd, &t));
	cfmakeraw(&t);
	t.c_cc[VMIN] = (cc_t)min;
	t.c_cc[VTIME] = (cc_t)time;
	CHECK_OK(tcsetattr(fd, TCSANOW, &t));
}

void type_bytes(const struct pair *p, const char *text, size_t n)
{
	CHECK_EQ(write(p->master, text, n), n);
}

void type(const struct pair *p, const char *text)
{
	type_bytes(p, text, strlen(text));
}

static short look(int fd, short events, int ms)
{
	struct pollfd one = {.fd = fd, .events = events};

	CHECK_OK(poll(&one, 1, ms));
	return one.revents;
}

short poll_now(int fd, short events)
{
	return look(fd, events, 0);
}

short poll_soon(int fd, short events)
{
	return look(fd, events, PATIENCE_MS);
}

// Printable, for messages.
static const char *shown(const char *text, size_t n, char *to, size_t room)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 5 < room; i++)
		at += (size_t)snprintf(to + at, room - at,
			text[i] < ' ' || text[i] == 0x7f ? "\\%03o" : "%c", (unsigned char)text[i]);
	to[at] = '\0';
	return to;
}

static void compare(const char *what, const char *is, size_t n, const char *wanted)
{
	char first[160], second[160];

	if (n != strlen(wanted) || memcmp(is, wanted, n) != 0)
		FAIL("%s \"%s\", should be \"%s\"", what, shown(is, n, first, sizeof first),
			shown(wanted, strlen(wanted), second, sizeof second));
}

void must_show(const struct pair *p, const char *text)
{
	char screen[512];
	size_t n = 0, wanted = strlen(text);

	while (n < wanted && poll_soon(p->master, POLLIN) & POLLIN) {
		ssize_t got = CHECK_OK(read(p->master, screen + n, wanted - n));
		n += (size_t)got;
		if (memcmp(screen, text, n) != 0)
			break;
	}
	compare("the screen shows", screen, n, text);
}

void must_read(const struct pair *p, const char *text)
{
	char line[512];

	CHECK(poll_soon(p->slave, POLLIN) & POLLIN);
	compare("a read gives", line, (size_t)CHECK_OK(read(p->slave, line, sizeof line)), text);
}
