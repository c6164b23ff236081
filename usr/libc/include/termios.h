// SPDX-License-Identifier: MIT
/*
 * Terminal modes. -1 and errno (ENOTTY when it is no terminal).
 */
#pragma once

#include <sys/types.h>
#include <abi/termios.h>

typedef uint32_t tcflag_t;
typedef uint32_t speed_t;
typedef uint8_t cc_t;

int tcgetattr(int fd, struct termios *to);
int tcsetattr(int fd, int when, const struct termios *from);
int tcflush(int fd, int which);
int tcflow(int fd, int action);
int tcdrain(int fd);
int tcsendbreak(int fd, int duration);
pid_t tcgetsid(int fd);
void cfmakeraw(struct termios *t);
speed_t cfgetispeed(const struct termios *t);
speed_t cfgetospeed(const struct termios *t);
int cfsetispeed(struct termios *t, speed_t speed);
int cfsetospeed(struct termios *t, speed_t speed);
