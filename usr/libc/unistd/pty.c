// SPDX-License-Identifier: MIT
/*
 * Pseudo-terminals, and the names of terminals.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <utmp.h>

#define NAME_BYTES 32 /* "/dev/pts/" and a number */

int posix_openpt(int flags)
{
	return open("/dev/ptmx", flags);
}

/* The node is the opener's from the start. */
int grantpt(int fd)
{
	int nr;

	if (ioctl(fd, TIOCGPTN, &nr) == 0)
		return 0;
	if (errno == ENOTTY)
		errno = EINVAL;
	return -1;
}

int unlockpt(int fd)
{
	int locked = 0, err = ioctl(fd, TIOCSPTLCK, &locked);

	if (err && errno == ENOTTY)
		errno = EINVAL;
	return err;
}

/* Returns the error, and sets it. */
static int failed(int error)
{
	errno = error;
	return error;
}

int ptsname_r(int fd, char *to, size_t bytes)
{
	char name[NAME_BYTES];
	int nr, n;

	if (ioctl(fd, TIOCGPTN, &nr) != 0)
		return errno;
	n = snprintf(name, sizeof name, "/dev/pts/%d", nr);
	if ((size_t)n >= bytes)
		return failed(ERANGE);
	memcpy(to, name, (size_t)n + 1);
	return 0;
}

char *ptsname(int fd)
{
	static char name[NAME_BYTES];

	return ptsname_r(fd, name, sizeof name) == 0 ? name : NULL;
}

int openpty(int *master, int *slave, char *name, const struct termios *modes,
	const struct winsize *size)
{
	int m = posix_openpt(O_RDWR | O_NOCTTY), s = -1;

	if (m < 0)
		return -1;
	if (grantpt(m) == 0 && unlockpt(m) == 0)
		s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (s < 0) {
		close(m);
		return -1;
	}
	if (modes)
		tcsetattr(s, TCSANOW, modes);
	if (size)
		ioctl(s, TIOCSWINSZ, size);
	if (name)
		ptsname_r(m, name, NAME_BYTES);
	*master = m;
	*slave = s;
	return 0;
}

int login_tty(int fd)
{
	setsid();
	if (ioctl(fd, TIOCSCTTY, 0) != 0)
		return -1;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	return 0;
}

pid_t forkpty(int *master, char *name, const struct termios *modes, const struct winsize *size)
{
	int slave;
	pid_t pid;

	if (openpty(master, &slave, name, modes, size) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(*master);
		if (login_tty(slave) != 0)
			_exit(1);
		return 0;
	}
	close(slave);
	if (pid < 0)
		close(*master);
	return pid;
}

/* Is `name` the file that fd is? */
static int is_same(const char *name, const struct stat *fd_is)
{
	struct stat st;

	return stat(name, &st) == 0 && S_ISCHR(st.st_mode) && st.st_ino == fd_is->st_ino &&
	       st.st_dev == fd_is->st_dev;
}

static int copy_name(char *to, size_t bytes, const char *name)
{
	if (strlen(name) >= bytes)
		return failed(ERANGE);
	strcpy(to, name);
	return 0;
}

int ttyname_r(int fd, char *to, size_t bytes)
{
	char name[NAME_BYTES];
	struct stat st;

	if (!isatty(fd))
		return errno;
	if (fstat(fd, &st) != 0)
		return errno;
	snprintf(name, sizeof name, "/dev/pts/%u", (unsigned)minor(st.st_rdev));
	if (is_same(name, &st))
		return copy_name(to, bytes, name);
	if (is_same("/dev/console", &st))
		return copy_name(to, bytes, "/dev/console");
	if (is_same("/dev/tty", &st))
		return copy_name(to, bytes, "/dev/tty");
	return failed(ENODEV);
}

char *ttyname(int fd)
{
	static char name[NAME_BYTES];

	return ttyname_r(fd, name, sizeof name) == 0 ? name : NULL;
}

char *ctermid(char *to)
{
	static char name[L_ctermid];

	return strcpy(to ? to : name, "/dev/tty");
}
