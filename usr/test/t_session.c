// SPDX-License-Identifier: MIT
// Sessions and their terminals: who owns one, who may use it now, and what a hang-up does. A child
// leads a session on a pseudo-terminal; the test is the typist. "+" on the screen says that the
// leader has come so far.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/pair.h"
#include "lib/tap.h"

// In a child: leads a session with the slave as its terminal; the master is the test's alone.
static void lead(struct pair *p)
{
	CHECK_OK(setsid());
	CHECK_OK(close(p->slave));
	p->slave = (int)CHECK_OK(open(p->name, O_RDWR));
	CHECK_OK(close(p->master));
	set_modes(p->slave, NOTHING, REMOVE(.lflag = ECHO));
}

static void say_plus(const struct pair *p)
{
	CHECK_EQ(write(p->slave, "+", 1), 1);
}

static int received; // the last signal

static void note(int number)
{
	received = number;
}

static void handle(int number)
{
	struct sigaction action = {.sa_handler = note};

	CHECK_OK(sigaction(number, &action, NULL));
}

static void block(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

// Blocked signals come now; the next one that has a handler is the result.
static int next_signal(void)
{
	sigset_t none;

	sigemptyset(&none);
	received = 0;
	while (!received)
		sigsuspend(&none);
	return received;
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR);

	if (fd < 0)
		CHECK_EQ(errno, ENXIO);
	else
		close(fd);
	return fd >= 0;
}

// Runs LEADER in a child. The slave stays open here, too, so that the screen is never without one.
static pid_t start_leader(void (*leader)(void *arg), struct pair *p)
{
	open_pair(p);
	return start_child(leader, p);
}

// --- Whose terminal it is

static void open_and_own(void *arg)
{
	struct pair *p = arg, other;

	CHECK_OK(setsid());
	CHECK(!has_terminal());
	CHECK_ERR(tcgetpgrp(p->slave), ENOTTY);
	CHECK_OK(open(p->name, O_WRONLY)); // who cannot read does not get it
	CHECK(!has_terminal());
	CHECK_OK(open(p->name, O_RDWR));
	CHECK(has_terminal());
	CHECK_EQ(tcgetsid(p->slave), getpid());
	CHECK_EQ(tcgetpgrp(p->slave), getpid());
	open_pair(&other);
	CHECK_OK(open(other.name, O_RDWR)); // one is enough
	CHECK_ERR(tcgetpgrp(other.slave), ENOTTY);
	CHECK_ERR(ioctl(other.slave, TIOCSCTTY, 0), EPERM);
	CHECK_OK(ioctl(p->slave, TIOCSCTTY, 0));
}

static void opening_gives_the_terminal(void)
{
	struct pair p;

	must_exit_well(start_leader(open_and_own, &p));
}

static void ask_and_own(void *arg)
{
	struct pair *p = arg;

	CHECK_ERR(ioctl(p->slave, TIOCSCTTY, 0), EPERM); // no leader
	CHECK_OK(setsid());
	CHECK_OK(open(p->name, O_RDWR | O_NOCTTY));
	CHECK(!has_terminal());
	CHECK_OK(ioctl(p->slave, TIOCSCTTY, 0));
	CHECK(has_terminal());
}

static void asking_gives_the_terminal(void)
{
	struct pair p;

	must_exit_well(start_leader(ask_and_own, &p));
}

static void steal(void *arg)
{
	struct pair *p = arg;

	CHECK_OK(setsid());
	CHECK_ERR(ioctl(p->slave, TIOCSCTTY, 0), EPERM);
	if (geteuid() == 0) {
		CHECK_OK(ioctl(p->slave, TIOCSCTTY, 1));
		CHECK(has_terminal());
	}
}

static void lead_and_lose(void *arg)
{
	struct pair *p = arg;

	lead(p);
	signal(SIGHUP, SIG_IGN); // when the thief's session ends
	must_exit_well(start_child(steal, p));
	if (geteuid() == 0)
		CHECK(!has_terminal());
}

static void only_root_takes_it_from_another(void)
{
	struct pair p;

	must_exit_well(start_leader(lead_and_lose, &p));
}

static void give_up(void *arg)
{
	struct pair *p = arg;

	lead(p);
	block(SIGHUP);
	block(SIGCONT);
	handle(SIGHUP);
	handle(SIGCONT);
	CHECK_OK(ioctl(p->slave, TIOCNOTTY));
	CHECK(!has_terminal());
	sigset_t pending;
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGHUP) && sigismember(&pending, SIGCONT));
	CHECK_ERR(ioctl(p->slave, TIOCNOTTY), ENOTTY);
}

static void giving_it_up(void)
{
	struct pair p;

	must_exit_well(start_leader(give_up, &p));
}

static void leave(void *arg)
{
	struct pair *p = arg;

	CHECK_OK(ioctl(p->slave, TIOCNOTTY));
	CHECK(!has_terminal());
	CHECK_ERR(tcgetpgrp(p->slave), ENOTTY);
	CHECK_ERR(ioctl(p->slave, TIOCNOTTY), ENOTTY);
	if (fork() == 0)
		_exit(has_terminal());
	int status;
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
}

static void lead_who_leaves(void *arg)
{
	lead(arg);
	must_exit_well(start_child(leave, arg));
	CHECK(has_terminal());
}

static void one_can_leave_alone(void)
{
	struct pair p;

	must_exit_well(start_leader(lead_who_leaves, &p));
}

static void close_all(void *arg)
{
	struct pair p;

	(void)arg;
	CHECK_OK(setsid());
	signal(SIGHUP, SIG_IGN);
	open_pair(&p);
	CHECK_OK(ioctl(p.slave, TIOCSCTTY, 0));
	CHECK(has_terminal());
	CHECK_OK(close(p.slave));
	CHECK(has_terminal());
	CHECK_OK(close(p.master));
	CHECK(!has_terminal());
}

// Closing the slave does not give it up: it can still be opened.
static void the_masters_close_takes_it(void)
{
	must_exit_well(start_child(close_all, NULL));
}

static void the_libraries_way(void)
{
	struct pair p;
	char c;
	pid_t pid = forkpty(&p.master, p.name, NULL, NULL);

	CHECK_OK(pid);
	if (pid == 0) {
		bool well = getsid(0) == getpid() && isatty(0) && isatty(2) &&
			    tcgetpgrp(1) == getpid() && has_terminal();
		if (write(1, "+", 1) != 1 || read(0, &c, 1) != 1)
			_exit(2);
		_exit(!well);
	}
	must_show(&p, "+");
	type(&p, "\n");
	CHECK_EQ(end_child(pid), 0);
}

// --- The keyboard's signals

static void wait_for_keys(void *arg)
{
	static const int wanted[] = {SIGINT, SIGQUIT, SIGTSTP, SIGINT};
	struct pair *p = arg;
	char line[16];

	lead(p);
	for (int i = 0; i < 4; i++) {
		block(wanted[i]);
		handle(wanted[i]);
	}
	for (int i = 0; i < 4; i++) {
		say_plus(p);
		CHECK_EQ(next_signal(), wanted[i]);
		if (i == 2)
			set_modes(p->slave, ADD(.lflag = NOFLSH), NOTHING);
	}
	say_plus(p);
	CHECK_EQ(read(p->slave, line, sizeof line), 5);
	CHECK(!memcmp(line, "keep\n", 5));
}

static void keys_are_signals(void)
{
	struct pair p;
	pid_t pid = start_leader(wait_for_keys, &p);

	must_show(&p, "+");
	type(&p, "lost\n\x03");
	must_show(&p, "+");
	type(&p, "\x1c");
	must_show(&p, "+");
	type(&p, "\x1a");
	must_show(&p, "+");
	type(&p, "ke\x03");
	must_show(&p, "+");
	type(&p, "ep\n");
	must_exit_well(pid);
}

static void wait_for_size(void *arg)
{
	struct winsize size = {.ws_row = 1, .ws_col = 2};
	struct pair *p = arg;

	lead(p);
	block(SIGWINCH);
	handle(SIGWINCH);
	CHECK_OK(ioctl(p->slave, TIOCSWINSZ, &size));
	CHECK_EQ(next_signal(), SIGWINCH);
	CHECK_OK(ioctl(p->slave, TIOCSWINSZ, &size)); // the same is no news
	sigset_t pending;
	CHECK_OK(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGWINCH));
	say_plus(p);
	CHECK_EQ(next_signal(), SIGWINCH);
	CHECK_OK(ioctl(p->slave, TIOCGWINSZ, &size));
	CHECK_EQ(size.ws_row, 7);
}

static void a_new_size_is_a_signal(void)
{
	struct winsize size = {.ws_row = 7, .ws_col = 8};
	struct pair p;
	pid_t pid = start_leader(wait_for_size, &p);

	must_show(&p, "+");
	CHECK_OK(ioctl(p.master, TIOCSWINSZ, &size));
	must_exit_well(pid);
}

// --- Job control

static void to_own_group(void)
{
	CHECK_OK(setpgid(0, 0));
}

static void stops_by(pid_t pid, int number)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), number);
}

static void bring_to_front(const struct pair *p, pid_t pid)
{
	signal(SIGTTOU, SIG_IGN);
	CHECK_OK(tcsetpgrp(p->slave, pid));
	CHECK_OK(kill(-pid, SIGCONT));
}

static void read_a_line(void *arg)
{
	struct pair *p = arg;
	char line[8];

	to_own_group();
	CHECK_EQ(read(p->slave, line, sizeof line), 3);
}

// A read in the background stops, and begins again in front.
static void let_read(void *arg)
{
	struct pair *p = arg;
	pid_t pid;

	lead(p);
	pid = start_child(read_a_line, p);
	stops_by(pid, SIGTTIN);
	bring_to_front(p, pid);
	say_plus(p);
	must_exit_well(pid);
}

static void a_read_in_the_background_waits(void)
{
	struct pair p;
	pid_t pid = start_leader(let_read, &p);

	must_show(&p, "+");
	type(&p, "hi\n");
	must_exit_well(pid);
}

static void write_a_bit(void *arg)
{
	struct pair *p = arg;

	to_own_group();
	CHECK_EQ(write(p->slave, "x", 1), 1);
}

static void change_modes(void *arg)
{
	struct pair *p = arg;

	to_own_group();
	set_modes(p->slave, ADD(.lflag = ECHO), NOTHING);
}

static void take_the_front(void *arg)
{
	struct pair *p = arg;

	to_own_group();
	CHECK_OK(tcsetpgrp(p->slave, getpid()));
}

static void let_write(void *arg)
{
	struct pair *p = arg;
	pid_t pid;

	lead(p);
	must_exit_well(start_child(write_a_bit, p)); // nobody minds
	set_modes(p->slave, ADD(.lflag = TOSTOP), NOTHING);
	pid = start_child(write_a_bit, p);
	stops_by(pid, SIGTTOU);
	bring_to_front(p, pid);
	must_exit_well(pid);
	CHECK_OK(tcsetpgrp(p->slave, getpid()));
	must_exit_well(start_child(write_a_bit, p)); // SIGTTOU is ignored
	signal(SIGTTOU, SIG_DFL);
	pid = start_child(change_modes, p);
	stops_by(pid, SIGTTOU);
	bring_to_front(p, pid);
	must_exit_well(pid);
	CHECK_OK(tcsetpgrp(p->slave, getpid()));
	signal(SIGTTOU, SIG_DFL);
	pid = start_child(take_the_front, p);
	stops_by(pid, SIGTTOU);
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
}

static void changes_in_the_background_stop(void)
{
	struct pair p;

	must_exit_well(start_leader(let_write, &p));
}

static void read_ignoring(void *arg)
{
	struct pair *p = arg;
	char c;

	to_own_group();
	signal(SIGTTIN, SIG_IGN);
	CHECK_ERR(read(p->slave, &c, 1), EIO);
	signal(SIGTTIN, SIG_DFL);
	block(SIGTTIN);
	CHECK_ERR(read(p->slave, &c, 1), EIO);
}

static int verdict[2]; // a pipe from a process that is nobody's child any more

static void use_as_orphan(const struct pair *p)
{
	struct termios t;
	bool well;
	char c;

	while (getppid() != 1 && poll_now(verdict[0], 0) == 0)
		usleep(1000);
	well = read(p->slave, &c, 1) == -1 && errno == EIO;
	well = well && tcgetattr(p->slave, &t) == 0;
	well = well && tcsetattr(p->slave, TCSANOW, &t) == -1 && errno == EIO;
	(void)!write(verdict[1], well ? "y" : "n", 1);
	_exit(0);
}

static void leave_an_orphan(void *arg)
{
	pid_t parent = getpid();

	to_own_group();
	if (fork() == 0) {
		while (getppid() == parent)
			usleep(1000);
		use_as_orphan(arg);
	}
}

static void let_orphans_read(void *arg)
{
	struct pair *p = arg;
	char c;

	lead(p);
	must_exit_well(start_child(read_ignoring, p));
	CHECK_OK(pipe(verdict));
	must_exit_well(start_child(leave_an_orphan, p));
	CHECK_EQ(read(verdict[0], &c, 1), 1);
	CHECK_EQ(c, 'y');
}

static void who_cannot_be_continued_fails(void)
{
	struct pair p;

	must_exit_well(start_leader(let_orphans_read, &p));
}

static void wait_in_other_session(void *arg)
{
	(void)arg;
	CHECK_OK(setsid());
	for (;;)
		pause();
}

static void set_fronts(void *arg)
{
	struct pair *p = arg, other;
	pid_t pid;

	lead(p);
	CHECK_ERR(tcsetpgrp(p->slave, 0x3ffffff), ESRCH);
	CHECK_ERR(tcsetpgrp(p->slave, -1), EINVAL);
	pid = start_child(wait_in_other_session, NULL);
	while (getsid(pid) != pid)
		usleep(1000);
	CHECK_ERR(tcsetpgrp(p->slave, pid), EPERM);
	CHECK_OK(kill(pid, SIGKILL));
	end_child(pid);
	open_pair(&other);
	CHECK_ERR(tcsetpgrp(other.slave, getpid()), ENOTTY);
	CHECK_ERR(tcgetsid(other.slave), ENOTTY);
}

static void fronts_that_are_none(void)
{
	struct pair p;

	must_exit_well(start_leader(set_fronts, &p));
}

// --- Hang-ups

static void wait_for_hang_up(void *arg)
{
	struct pair *p = arg;
	char c;

	lead(p);
	block(SIGHUP);
	block(SIGCONT);
	handle(SIGHUP);
	handle(SIGCONT);
	say_plus(p);
	CHECK(poll_soon(p->slave, POLLIN) & POLLHUP);
	sigset_t pending;
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGHUP) && sigismember(&pending, SIGCONT));
	CHECK_EQ(read(p->slave, &c, 1), 0);
	CHECK(!has_terminal());
}

static void a_closed_master_hangs_up(void)
{
	struct pair p;
	pid_t pid = start_leader(wait_for_hang_up, &p);

	must_show(&p, "+");
	CHECK_OK(close(p.master));
	must_exit_well(pid);
}

// Tells what becomes of it: 'H' for SIGHUP, 'C' for SIGCONT.
static void tell(int number)
{
	(void)!write(verdict[1], number == SIGHUP ? "H" : "C", 1);
}

static void handle_and_tell(void)
{
	struct sigaction action = {.sa_handler = tell};

	CHECK_OK(sigaction(SIGHUP, &action, NULL));
	CHECK_OK(sigaction(SIGCONT, &action, NULL));
}

static void must_tell(const char *wanted)
{
	char got[8] = "";
	size_t n = 0;

	while (n < strlen(wanted) && poll_soon(verdict[0], POLLIN) & POLLIN) {
		CHECK_EQ(read(verdict[0], got + n, 1), 1);
		n++;
	}
	if (strcmp(got, wanted))
		FAIL("told \"%s\", should be \"%s\"", got, wanted);
}

static void lead_and_leave(void *arg)
{
	struct pair *p = arg;
	pid_t pid;
	char c;

	lead(p);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		to_own_group();
		block(SIGHUP);
		handle(SIGHUP);
		CHECK_OK(tcsetpgrp(p->slave, getpid()));
		say_plus(p);
		c = next_signal() == SIGHUP ? 'H' : '?';
		(void)!write(verdict[1], &c, 1);
		c = read(p->slave, &c, 1) == 1 ? 'r' : '?';
		(void)!write(verdict[1], &c, 1);
		_exit(0);
	}
	CHECK_OK(pid);
	while (tcgetpgrp(p->slave) != pid)
		usleep(1000);
	CHECK_EQ(read(verdict[0], &c, 1), 1); // the typist says: go
}

static void a_leaders_end_hangs_up(void)
{
	struct pair p;
	pid_t pid;

	CHECK_OK(pipe(verdict));
	pid = start_leader(lead_and_leave, &p);
	must_show(&p, "+");
	CHECK_EQ(write(verdict[1], "g", 1), 1);
	must_exit_well(pid);
	must_tell("H");
	type(&p, "the terminal goes on\n");
	must_tell("r");
}

static void leave_a_stopped_job(void *arg)
{
	struct pair *p = arg;
	pid_t pid;

	lead(p);
	pid = fork();
	if (pid == 0) {
		to_own_group();
		handle_and_tell();
		CHECK_OK(raise(SIGSTOP));
		_exit(0);
	}
	CHECK_OK(pid);
	stops_by(pid, SIGSTOP);
}

// Nobody could continue it any more: it hears of that, and goes on. Of two handlers that are due
// the one of the higher signal runs first.
static void a_stopped_job_that_is_left_goes_on(void)
{
	char got[2];
	struct pair p;

	CHECK_OK(pipe(verdict));
	must_exit_well(start_leader(leave_a_stopped_job, &p));
	for (int i = 0; i < 2; i++) {
		CHECK(poll_soon(verdict[0], POLLIN) & POLLIN);
		CHECK_EQ(read(verdict[0], &got[i], 1), 1);
	}
	CHECK((got[0] == 'H' && got[1] == 'C') || (got[0] == 'C' && got[1] == 'H'));
}

static const struct test tests[] = {
	{"opening_gives_the_terminal", opening_gives_the_terminal},
	{"asking_gives_the_terminal", asking_gives_the_terminal},
	{"only_root_takes_it_from_another", only_root_takes_it_from_another},
	{"giving_it_up", giving_it_up},
	{"one_can_leave_alone", one_can_leave_alone},
	{"the_masters_close_takes_it", the_masters_close_takes_it},
	{"the_libraries_way", the_libraries_way},
	{"keys_are_signals", keys_are_signals},
	{"a_new_size_is_a_signal", a_new_size_is_a_signal},
	{"a_read_in_the_background_waits", a_read_in_the_background_waits},
	{"changes_in_the_background_stop", changes_in_the_background_stop},
	{"who_cannot_be_continued_fails", who_cannot_be_continued_fails},
	{"fronts_that_are_none", fronts_that_are_none},
	{"a_closed_master_hangs_up", a_closed_master_hangs_up},
	{"a_leaders_end_hangs_up", a_leaders_end_hangs_up},
	{"a_stopped_job_that_is_left_goes_on", a_stopped_job_that_is_left_goes_on},
};

BEYOND_CORE_MAIN(tests)
