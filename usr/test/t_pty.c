// SPDX-License-Identifier: MIT
// Pseudo-terminals: the two halves, their queues and settings. What the line discipline makes of
// bytes is t_pty_line.c's, sessions and job control are t_session.c's.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/tap.h"

#ifndef TIOCGEXCL
#define TIOCGEXCL 0x80045440U
#endif

// --- Pairs

static void a_node_comes_and_goes(void)
{
	struct pair p;
	struct stat st;
	int nr, again;

	open_pair(&p);
	CHECK_OK(ioctl(p.master, TIOCGPTN, &nr));
	CHECK_OK(stat(p.name, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(major(st.st_rdev), 136);
	CHECK_EQ(minor(st.st_rdev), nr);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_mode & 0707, 0600);
	CHECK(!strcmp(ttyname(p.slave), p.name));
	close_pair(&p);
	if (!on_mapache())
		return; // others may have the number by now
	CHECK_ERR(stat(p.name, &st), ENOENT);
	open_pair(&p);
	CHECK_OK(ioctl(p.master, TIOCGPTN, &again));
	CHECK_EQ(again, nr);
}

static void locked_until_unlocked(void)
{
	int master = (int)CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY)), locked = 1;
	char name[32];

	CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
	CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);
	CHECK_ERR(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
	CHECK_OK(unlockpt(master));
	CHECK_OK(close((int)CHECK_OK(open(name, O_RDWR | O_NOCTTY))));
	CHECK_OK(ioctl(master, TIOCSPTLCK, &locked));
	locked = 0;
	CHECK_OK(ioctl(master, TIOCGPTLCK, &locked));
	CHECK_EQ(locked, 1);
	CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);
}

static void names(void)
{
	struct pair p;
	char small[4];

	open_pair(&p);
	CHECK_EQ(ptsname_r(p.master, small, sizeof small), ERANGE);
	CHECK(!ptsname(p.slave));
	CHECK_EQ(errno, ENOTTY);
	CHECK_EQ(ptsname_r(999, small, sizeof small), EBADF);
	CHECK_ERR(unlockpt(p.slave), EINVAL);
}

static void the_peer_without_a_name(void)
{
	struct pair p;
	int peer;

	open_pair(&p);
	peer = (int)CHECK_OK(ioctl(p.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(peer, "x", 1), 1);
	must_show(&p, "x");
}

static void initial_modes(void)
{
	struct pair p;
	struct termios t;
	struct winsize size;

	open_pair(&p);
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK_EQ(t.c_iflag, ICRNL | IXON);
	CHECK_EQ(t.c_oflag, OPOST | ONLCR);
	CHECK_EQ(t.c_cflag, B38400 | CS8 | CREAD);
	CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
	CHECK_EQ(t.c_cc[VINTR], 3);
	CHECK_EQ(t.c_cc[VERASE], 0x7f);
	CHECK_EQ(t.c_cc[VMIN], 1);
	CHECK_EQ(t.c_cc[VTIME], 0);
	CHECK_OK(ioctl(p.slave, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row, 0);
	CHECK_EQ(size.ws_col, 0);
}

static void the_masters_settings_are_the_slaves(void)
{
	struct winsize size = {.ws_row = 3, .ws_col = 70}, is;
	struct termios t;
	struct pair p;

	open_pair(&p);
	set_modes(p.master, NOTHING, REMOVE(.lflag = ECHO));
	CHECK_OK(tcgetattr(p.slave, &t));
	CHECK(!(t.c_lflag & ECHO));
	CHECK_OK(ioctl(p.master, TIOCSWINSZ, &size));
	CHECK_OK(ioctl(p.slave, TIOCGWINSZ, &is));
	CHECK(!memcmp(&size, &is, sizeof size));
}

static void a_closed_slave(void)
{
	struct pair p;
	char c;

	open_pair(&p);
	CHECK(!(poll_now(p.master, POLLIN) & POLLHUP));
	CHECK_EQ(write(p.slave, "rest", 4), 4);
	CHECK_OK(close(p.slave));
	must_show(&p, "rest");
	CHECK_ERR(read(p.master, &c, 1), EIO);
	CHECK(poll_now(p.master, POLLIN) & POLLHUP);
	p.slave = (int)CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
	CHECK(!(poll_now(p.master, POLLIN) & POLLHUP));
	type(&p, "again\n");
	must_read(&p, "again\n");
}

static void a_closed_master(void)
{
	struct termios t;
	struct pair p;
	int group = 1;
	char c;

	open_pair(&p);
	type(&p, "lost\n");
	CHECK_OK(close(p.master));
	CHECK_EQ(read(p.slave, &c, 1), 0);
	CHECK_ERR(write(p.slave, "x", 1), EIO);
	CHECK_ERR(tcgetattr(p.slave, &t), EIO);
	CHECK_ERR(ioctl(p.slave, TIOCSPGRP, &group), ENOTTY);
	CHECK_EQ(poll_now(p.slave, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
}

static void read_until_hung_up(void *arg)
{
	struct pair *p = arg;
	char c;

	CHECK_OK(close(p->master));
	// EIO if it waits when that happens, the end if it comes later.
	ssize_t got = read(p->slave, &c, 1);
	CHECK(got == 0 || (got < 0 && errno == EIO));
}

static void a_master_that_closes_ends_a_read(void)
{
	struct pair p;
	pid_t pid;

	open_pair(&p);
	pid = start_child(read_until_hung_up, &p);
	usleep(20000);
	CHECK_OK(close(p.master));
	must_exit_well(pid);
}

static void many_pairs(void)
{
	enum { PAIRS = 100 };
	static struct pair p[PAIRS];

	for (int i = 0; i < PAIRS; i++)
		open_pair(&p[i]);
	for (int i = 0; i < PAIRS; i++)
		type(&p[i], "here\n");
	for (int i = PAIRS; i-- > 0;) {
		must_read(&p[i], "here\n");
		close_pair(&p[i]);
	}
}

static void use_pairs(void *arg)
{
	(void)arg;
	for (int i = 0; i < 60; i++) {
		struct pair p;

		open_pair(&p);
		type(&p, "mine\n");
		must_read(&p, "mine\n");
		if (i % 2)
			CHECK_OK(close(p.slave));
		CHECK_OK(close(p.master));
		if (!(i % 2))
			CHECK_OK(close(p.slave));
	}
}

// Numbers are given, found and taken back by several at once, and nobody gets another's terminal.
static void pairs_of_several_processes(void)
{
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = start_child(use_pairs, NULL);
	for (int i = 0; i < 4; i++)
		must_exit_well(pids[i]);
}

static void one_call(void)
{
	struct winsize size = {.ws_row = 5, .ws_col = 6}, is;
	struct pair p;

	CHECK_OK(openpty(&p.master, &p.slave, p.name, NULL, &size));
	CHECK_OK(ioctl(p.slave, TIOCGWINSZ, &is));
	CHECK_EQ(is.ws_col, 6);
	CHECK(!strcmp(p.name, ttyname(p.slave)));
}

// --- Queues

static void counts_and_flushes(void)
{
	struct pair p;
	int n;

	open_pair(&p);
	set_modes(p.slave, NOTHING, REMOVE(.lflag = ECHO));
	type(&p, "ab\n\x04");
	CHECK(poll_soon(p.slave, POLLIN) & POLLIN);
	CHECK_OK(ioctl(p.slave, FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_OK(tcflush(p.slave, TCIFLUSH));
	CHECK_OK(ioctl(p.slave, FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(write(p.slave, "xyz", 3), 3);
	CHECK_OK(tcdrain(p.slave));
	CHECK(poll_soon(p.master, POLLIN) & POLLIN);
	CHECK_OK(ioctl(p.master, FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_ERR(tcflush(p.slave, 9), EINVAL);
	CHECK_ERR(tcflow(p.slave, 9), EINVAL);
}

static void flow_by_keys(void)
{
	struct pair p;

	open_pair(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	type(&p, "x");
	must_show(&p, "x");
	type(&p, "\x13");
	for (int tries = 0; poll_now(p.slave, POLLOUT) && tries < 10000; tries++)
		usleep(1000); // the stop arrives
	CHECK_ERR(write(p.slave, "later", 5), EAGAIN);
	type(&p, "\x11");
	CHECK(poll_soon(p.slave, POLLOUT) & POLLOUT);
	CHECK_EQ(write(p.slave, "now", 3), 3);
	must_show(&p, "now");
}

static void flow_by_call(void)
{
	struct pair p;

	open_pair(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_OK(tcflow(p.slave, TCOOFF));
	CHECK_ERR(write(p.slave, "x", 1), EAGAIN);
	CHECK_OK(tcflow(p.slave, TCOON));
	CHECK_EQ(write(p.slave, "x", 1), 1);
	must_show(&p, "x");
	CHECK_OK(tcflow(p.slave, TCIOFF));
	must_show(&p, "\x13");
	CHECK_OK(tcflow(p.slave, TCION));
	must_show(&p, "\x11");
}

// A writer that does not wait leaves nothing behind that it was told was written.
static void output_without_waiting(void)
{
	struct pair p;

	open_pair(&p);
	CHECK_OK(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CHECK_EQ(write(p.slave, "x\n", 2), 2);
	must_show(&p, "x\r\n");
	CHECK_EQ(write(p.slave, "\n", 1), 1);
	must_show(&p, "\r\n");
	set_modes(p.slave, ADD(.oflag = TAB3), NOTHING);
	CHECK_EQ(write(p.slave, "\t", 1), 1);
	must_show(&p, "        ");
	CHECK(poll_now(p.slave, POLLOUT) & POLLOUT);
}

#define MUCH 60000

static void write_much(void *arg)
{
	static char text[MUCH];
	struct pair *p = arg;

	memset(text, '\n', sizeof text);
	CHECK_EQ(write(p->slave, text, sizeof text), sizeof text);
}

// The writer waits for the reader, and no half of what a byte became is lost.
static void much_output(void)
{
	char screen[700];
	struct pair p;
	size_t n = 0;
	pid_t pid;

	open_pair(&p);
	pid = start_child(write_much, &p);
	while (n < 2 * MUCH) {
		ssize_t got = CHECK_OK(read(p.master, screen, sizeof screen));
		for (ssize_t i = 0; i < got; i++, n++)
			CHECK_EQ(screen[i], n % 2 ? '\n' : '\r');
	}
	must_exit_well(pid);
}

static void type_much(void *arg)
{
	static char text[MUCH];
	struct pair *p = arg;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	CHECK_EQ(write(p->master, text, sizeof text), sizeof text);
}

static void much_input(void)
{
	char bytes[700];
	struct pair p;
	size_t n = 0;
	pid_t pid;

	open_pair(&p);
	set_raw(p.slave, 1, 0);
	pid = start_child(type_much, &p);
	while (n < MUCH) {
		ssize_t got = CHECK_OK(read(p.slave, bytes, sizeof bytes));
		for (ssize_t i = 0; i < got; i++, n++)
			CHECK_EQ(bytes[i], (char)n);
	}
	must_exit_well(pid);
}

static void write_for_ever(void *arg)
{
	static char text[MUCH];
	struct pair *p = arg;

	for (;;)
		CHECK_OK(write(p->slave, text, sizeof text));
}

// Two writers to a terminal that takes nothing: a signal ends the one that waits for the line, and
// the one that waits for its turn.
static void signals_end_writers(void)
{
	pid_t first, second;
	struct pair p;

	open_pair(&p);
	first = start_child(write_for_ever, &p);
	second = start_child(write_for_ever, &p);
	while (poll_now(p.slave, POLLOUT) & POLLOUT)
		usleep(1000);
	usleep(20000);
	CHECK_OK(kill(first, SIGTERM));
	CHECK_OK(kill(second, SIGTERM));
	CHECK_EQ(end_child(first), SIGTERM);
	CHECK_EQ(end_child(second), SIGTERM);
}

static void exclusive_use(void)
{
	struct pair p;
	int is = 0;

	open_pair(&p);
	CHECK_OK(ioctl(p.slave, TIOCEXCL));
	CHECK_OK(ioctl(p.slave, TIOCGEXCL, &is));
	CHECK_EQ(is, 1);
	if (geteuid() == 0) {
		CHECK_OK(chmod(p.name, 0666));
		CHECK_OK(setuid(1000));
	}
	CHECK_ERR(open(p.name, O_RDWR | O_NOCTTY), EBUSY);
	CHECK_OK(ioctl(p.slave, TIOCNXCL));
	CHECK_OK(open(p.name, O_RDWR | O_NOCTTY));
}

static void what_is_refused(void)
{
	struct pair p;
	int n = 1;

	open_pair(&p);
	CHECK_ERR(ioctl(p.master, 0xdead, 0), ENOTTY);
	CHECK_ERR(ioctl(p.slave, TIOCGPTN, &n), ENOTTY);
	CHECK_ERR(ioctl(p.master, TIOCGPTN, 8), EFAULT);
	CHECK_ERR(ioctl(p.master, TIOCSPTLCK, 8), EFAULT);
	CHECK_ERR(lseek(p.slave, 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(p.master, &n, 1, 0), ESPIPE);
}

static const struct test tests[] = {
	{"a_node_comes_and_goes", a_node_comes_and_goes},
	{"locked_until_unlocked", locked_until_unlocked},
	{"names", names},
	{"the_peer_without_a_name", the_peer_without_a_name},
	{"initial_modes", initial_modes},
	{"the_masters_settings_are_the_slaves", the_masters_settings_are_the_slaves},
	{"a_closed_slave", a_closed_slave},
	{"a_closed_master", a_closed_master},
	{"a_master_that_closes_ends_a_read", a_master_that_closes_ends_a_read},
	{"many_pairs", many_pairs},
	{"pairs_of_several_processes", pairs_of_several_processes},
	{"one_call", one_call},
	{"counts_and_flushes", counts_and_flushes},
	{"flow_by_keys", flow_by_keys},
	{"flow_by_call", flow_by_call},
	{"output_without_waiting", output_without_waiting},
	{"much_output", much_output},
	{"much_input", much_input},
	{"signals_end_writers", signals_end_writers},
	{"exclusive_use", exclusive_use},
	{"what_is_refused", what_is_refused},
};

BEYOND_CORE_MAIN(tests)
