// SPDX-License-Identifier: MIT
// A pseudo-terminal whose typist is the test itself. On Linux what is typed takes effect a little
// later, so a test waits for what it shall see, and looks for what must not be there behind that.
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct pair {
	int master, slave;
	char name[32];
};

// Both halves open, the slave in the modes a terminal begins with; the slave's IFLAGS ... are then
// changed by add and remove.
void open_pair(struct pair *p);
void close_pair(struct pair *p);

struct mode_change {
	tcflag_t iflag, oflag, lflag;
};
void set_modes(int fd, struct mode_change add, struct mode_change remove);
void set_control(int fd, int which, char c);
void set_raw(int fd, int min, int time); // no ICANON, no ECHO, no OPOST

#define ADD(...)    ((struct mode_change){__VA_ARGS__})
#define REMOVE(...) ((struct mode_change){__VA_ARGS__})
#define NOTHING     ((struct mode_change){0})

void type_bytes(const struct pair *p, const char *text, size_t n);
void type(const struct pair *p, const char *text);

// The screen, or the next read of the slave, shows exactly this (within some seconds).
void must_show(const struct pair *p, const char *text);
void must_read(const struct pair *p, const char *text);

// What ppoll says of fd at once, and within some seconds.
short poll_now(int fd, short events);
short poll_soon(int fd, short events);
