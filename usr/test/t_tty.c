// SPDX-License-Identifier: MIT
// The terminal, as far as one can see without somebody typing: its modes, its groups, its size.
// What is typed and echoed is tested from outside, by tools/test/.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/tap.h"

static int terminal(void)
{
	int fd = open("/dev/tty", O_RDWR);

	if (fd < 0 || !isatty(fd))
		tap_skip("there is no terminal");
	return fd;
}

static void others_are_no_terminals(void)
{
	int fd = make_file("f", 1), ends[2];
	struct termios t;

	CHECK(!isatty(fd));
	CHECK_ERR(tcgetattr(fd, &t), ENOTTY);
	CHECK_OK(pipe(ends));
	CHECK(!isatty(ends[0]));
	CHECK_ERR(tcgetattr(ends[0], &t), ENOTTY);
	CHECK_ERR(tcgetattr(999, &t), EBADF);
	CHECK_ERR(ioctl(fd, 0xdead, 0), ENOTTY);
}

static void modes_are_kept(void)
{
	int fd = terminal();
	struct termios old, new, again;

	CHECK_OK(tcgetattr(fd, &old));
	new = old;
	new.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	new.c_cc[VMIN] = 3;
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetattr(fd, TCSANOW, &new));
	CHECK_OK(tcgetattr(fd, &again));
	CHECK_EQ(again.c_lflag, new.c_lflag);
	CHECK_EQ(again.c_cc[VMIN], 3);
	CHECK_OK(tcsetattr(fd, TCSANOW, &old));
	CHECK_OK(tcgetattr(fd, &again));
	CHECK_EQ(again.c_lflag, old.c_lflag);
}

static void size_is_known(void)
{
	struct winsize size;

	CHECK_OK(ioctl(terminal(), TIOCGWINSZ, &size));
}

static void bad_pointers(void)
{
	int fd = terminal();

	CHECK_ERR(ioctl(fd, TCGETS, 8), EFAULT);
	CHECK_ERR(ioctl(fd, TCSETS, 8), EFAULT);
	CHECK_ERR(ioctl(fd, TIOCGPGRP, 8), EFAULT);
	CHECK_ERR(ioctl(fd, TIOCGWINSZ, 8), EFAULT);
	CHECK_ERR(ioctl(fd, 0xdead, 0), ENOTTY);
}

static void foreground_group(void)
{
	int fd = terminal();

	CHECK_EQ(tcgetpgrp(fd), getpgrp());
	CHECK_ERR(tcsetpgrp(fd, 0x3ffffff), ESRCH);
}

static void read_in_background(void *arg)
{
	char c;

	CHECK_OK(setpgid(0, 0));
	(void)!read(*(int *)arg, &c, 1);
}

// A group that is not in front is stopped when it reads.
static void background_reads_stop(void)
{
	int fd = terminal(), status;
	pid_t pid = start_child(read_in_background, &fd);

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGTTIN);
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
}

static void read_ignoring(void *arg)
{
	char c;

	CHECK_OK(setpgid(0, 0));
	signal(SIGTTIN, SIG_IGN);
	CHECK_ERR(read(*(int *)arg, &c, 1), EIO);
}

static void background_reads_fail_when_ignored(void)
{
	int fd = terminal();

	must_exit_well(start_child(read_ignoring, &fd));
}

static void leave_session(void *arg)
{
	(void)arg;
	CHECK_OK(setsid());
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
}

static void a_new_session_has_no_terminal(void)
{
	terminal();
	must_exit_well(start_child(leave_session, NULL));
}

static const struct test tests[] = {
	{"others_are_no_terminals", others_are_no_terminals},
	{"modes_are_kept", modes_are_kept},
	{"size_is_known", size_is_known},
	{"bad_pointers", bad_pointers},
	{"foreground_group", foreground_group},
	{"background_reads_stop", background_reads_stop},
	{"background_reads_fail_when_ignored", background_reads_fail_when_ignored},
	{"a_new_session_has_no_terminal", a_new_session_has_no_terminal},
};

TEST_MAIN(tests)
