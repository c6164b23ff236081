// SPDX-License-Identifier: MIT
// Waiting for descriptors: ppoll and pselect6 tell exactly what is possible, sleep until something
// is, and can be interrupted under a mask of their own.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/threads.h"

static int ends[2];

static int poll_one(int fd, int events, int milliseconds)
{
	struct pollfd p = {.fd = fd, .events = (short)events, .revents = 0x5555};

	CHECK_EQ(CHECK_OK(poll(&p, 1, milliseconds)), p.revents != 0);
	return p.revents;
}

// --- What is possible

static void pipes(void)
{
	char block[PIPE_BUF];
	int filler;

	CHECK_OK(pipe(ends));
	CHECK_EQ(poll_one(ends[0], POLLIN | POLLOUT, 0), 0);
	CHECK_EQ(poll_one(ends[1], POLLIN | POLLOUT, 0), POLLOUT);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(poll_one(ends[0], POLLIN, 0), POLLIN);
	CHECK_EQ(poll_one(ends[0], POLLRDNORM | POLLRDHUP | POLLPRI, 0), POLLRDNORM);
	CHECK_EQ(poll_one(ends[0], 0, 0), 0);
	CHECK_EQ(read(ends[0], block, 1), 1);

	CHECK_OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
	memset(block, 'b', sizeof block);
	while ((filler = (int)write(ends[1], block, sizeof block)) > 0)
		;
	CHECK_EQ(poll_one(ends[1], POLLOUT, 0), 0);
	CHECK_EQ(read(ends[0], block, sizeof block), sizeof block);
	CHECK_EQ(poll_one(ends[1], POLLOUT, 0), POLLOUT);
}

static void pipes_hang_up(void)
{
	char c;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(poll_one(ends[0], POLLIN, 0), POLLIN | POLLHUP);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(poll_one(ends[0], POLLIN, 0), POLLHUP);
	CHECK_EQ(poll_one(ends[0], 0, -1), POLLHUP);

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHECK_EQ(poll_one(ends[1], POLLOUT, 0), POLLOUT | POLLERR);
}

static void files_are_always_ready(void)
{
	int fd = make_file("f", 10), folder = (int)CHECK_OK(open(".", O_RDONLY));
	int null = (int)CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(poll_one(fd, POLLIN | POLLOUT | POLLPRI, 0), POLLIN | POLLOUT);
	CHECK_EQ(poll_one(folder, POLLIN, -1), POLLIN);
	CHECK_EQ(poll_one(null, POLLIN | POLLOUT, -1), POLLIN | POLLOUT);
}

static void eventfds(void)
{
	int fd = (int)CHECK_OK(eventfd(0, EFD_NONBLOCK));
	uint64_t almost = UINT64_MAX - 1;

	CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, 0), POLLOUT);
	CHECK_OK(eventfd_write(fd, 1));
	CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
	CHECK_OK(eventfd_write(fd, almost - 1));
	CHECK_EQ(poll_one(fd, POLLIN | POLLOUT, 0), POLLIN);
}

static void what_is_not_open(void)
{
	static struct pollfd *volatile nowhere = (struct pollfd *)8;
	struct pollfd p[17] = {{.fd = 77, .events = POLLIN}, {.fd = -5, .events = POLLIN},
		{.fd = -1, .events = 0, .revents = POLLIN}};
	struct rlimit few = {16, 16};

	CHECK_EQ(poll(p, 3, -1), 1);
	CHECK_EQ(p[0].revents, POLLNVAL);
	CHECK_EQ(p[1].revents, 0);
	CHECK_EQ(p[2].revents, 0);
	CHECK_EQ(poll(p + 1, 2, 0), 0);
	CHECK_ERR(poll(nowhere, 1, 0), EFAULT);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &few));
	CHECK_ERR(poll(p, 17, 0), EINVAL);
}

// --- Waiting

static void write_one(void *arg)
{
	CHECK_EQ(write(*(int *)arg, "w", 1), 1);
}

static void a_write_wakes(void)
{
	for (int i = 0; i < 50; i++) {
		CHECK_OK(pipe(ends));
		pid_t child = start_child(write_one, &ends[1]);
		CHECK_EQ(poll_one(ends[0], POLLIN, -1), POLLIN);
		must_exit_well(child);
		CHECK_OK(close(ends[0]));
		CHECK_OK(close(ends[1]));
	}
}

static void exit_at_once(void *arg)
{
	(void)arg;
}

static void the_last_close_wakes(void)
{
	pid_t child;

	CHECK_OK(pipe(ends));
	child = start_child(exit_at_once, NULL); // has the writing end, too
	CHECK_OK(close(ends[1]));
	CHECK_EQ(poll_one(ends[0], POLLIN, -1), POLLHUP);
	must_exit_well(child);
}

// One of many: every queue is left again, and none is missed.
enum { MANY = 60 };

static void one_of_many(void)
{
	struct pollfd p[MANY];
	int writers[MANY];
	char c;

	for (int i = 0; i < MANY; i++) {
		CHECK_OK(pipe(ends));
		p[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
		writers[i] = ends[1];
	}
	for (int i = 0; i < MANY; i += 7) {
		pid_t child = start_child(write_one, &writers[i]);
		CHECK_EQ(poll(p, MANY, -1), 1);
		for (int k = 0; k < MANY; k++)
			CHECK_EQ(p[k].revents, k == i ? POLLIN : 0);
		CHECK_EQ(read(p[i].fd, &c, 1), 1);
		must_exit_well(child);
	}
}

// The first of the files is written to as the others are asked, from another hart. A wake-up that
// is lost is the end of it: the alarm.
#define RACES     1000
#define RACE_FDS  8
#define LONG_SPIN 3000

static uint32_t race; // which is on

static void run_on_hart(int hart)
{
	uint64_t mask = 1ul << hart;

	(void)syscall(SYS_sched_setaffinity, 0, sizeof mask, &mask); // where there are so many
}

static void write_when_race_begins(void *arg)
{
	run_on_hart(1);
	for (uint32_t i = 1; i <= RACES; i++) {
		while (__atomic_load_n(&race, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		for (volatile unsigned n = random_below(LONG_SPIN); n > 0; n--)
			;
		write_one(arg);
	}
}

static void a_write_while_others_are_asked(void)
{
	struct thread writer = {0};
	struct pollfd p[RACE_FDS];
	int to = 0;
	char c;

	alarm(60);
	run_on_hart(0);
	for (int i = RACE_FDS - 1; i >= 0; i--) {
		CHECK_OK(pipe(ends));
		p[i] = (struct pollfd){.fd = ends[0], .events = POLLIN};
		to = ends[1];
	}
	thread_begin(&writer, write_when_race_begins, &to);
	for (uint32_t i = 1; i <= RACES; i++) {
		__atomic_store_n(&race, i, __ATOMIC_RELEASE);
		CHECK_EQ(poll(p, RACE_FDS, -1), 1);
		CHECK_EQ(p[0].revents, POLLIN);
		CHECK_EQ(read(p[0].fd, &c, 1), 1);
	}
	thread_join(&writer);
}

static void time_limits(void)
{
	struct timespec limit = {.tv_nsec = 20000000}, wrong = {.tv_nsec = 1000000000};
	struct pollfd p = {.events = POLLIN};
	struct timespec before, after;
	int64_t ns;

	CHECK_OK(pipe(ends));
	p.fd = ends[0];
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &before));
	CHECK_EQ(ppoll(&p, 1, &limit, NULL), 0);
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &after));
	ns = (after.tv_sec - before.tv_sec) * 1000000000l + after.tv_nsec - before.tv_nsec;
	CHECK(ns >= limit.tv_nsec);
	CHECK_ERR(ppoll(&p, 1, &wrong, NULL), EINVAL);
	// The call itself, unlike the library's, writes back what is left: nothing.
	CHECK_EQ(syscall(SYS_ppoll, &p, 1, &limit, NULL, 0), 0);
	CHECK_EQ(limit.tv_sec, 0);
	CHECK_EQ(limit.tv_nsec, 0);
	limit = (struct timespec){.tv_sec = 1000};
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(syscall(SYS_ppoll, &p, 1, &limit, NULL, 0), 1);
	CHECK(limit.tv_sec > 900 && limit.tv_sec < 1000);
}

static volatile sig_atomic_t rings;

static void ring(int sig)
{
	(void)sig;
	rings++;
}

// SIGUSR1 is blocked, and pending: only the call's mask lets it in, and only there.
static void the_mask_holds_for_the_call(void)
{
	struct sigaction sa = {.sa_handler = ring};
	sigset_t blocked, old, none;
	struct pollfd p = {.events = POLLIN};

	CHECK_OK(pipe(ends));
	p.fd = ends[0];
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(rings, 0);
	CHECK_ERR(ppoll(&p, 1, NULL, &none), EINTR);
	CHECK_EQ(rings, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK(sigismember(&old, SIGUSR1));

	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_ERR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
	CHECK_EQ(rings, 2);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &old));
	CHECK(sigismember(&old, SIGUSR1));

	// A look, too, lets it in.
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_ERR(ppoll(&p, 1, &(struct timespec){0}, &none), EINTR);
	CHECK_EQ(rings, 3);

	// What is ready comes before the signal, which stays pending.
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(ppoll(&p, 1, NULL, &none), 1);
	CHECK_EQ(rings, 3);
	CHECK_OK(sigpending(&old));
	CHECK(sigismember(&old, SIGUSR1));
	CHECK_ERR(syscall(SYS_ppoll, &p, 1, NULL, &none, 7), EINVAL);
}

static void interrupted_though_restarting(void *arg)
{
	struct sigaction sa = {.sa_handler = ring, .sa_flags = SA_RESTART};
	struct itimerval often = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000};

	(void)arg;
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
	CHECK_ERR(poll(NULL, 0, -1), EINTR);
	CHECK(rings > 0);
}

static void a_handler_ends_it(void)
{
	must_exit_well(start_child(interrupted_though_restarting, NULL));
}

// --- select

static void select_tells_three_sets(void)
{
	struct timeval zero = {0, 0};
	fd_set r, w, e;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(ends[0], &r);
	FD_SET(ends[1], &r);
	FD_SET(ends[1], &w);
	FD_SET(ends[0], &e);
	CHECK_EQ(select(ends[1] + 1, &r, &w, &e, NULL), 2);
	CHECK(FD_ISSET(ends[0], &r) && !FD_ISSET(ends[1], &r) && FD_ISSET(ends[1], &w));
	CHECK(!FD_ISSET(ends[0], &e));

	// A hang-up makes readable, and is no exception.
	CHECK_OK(close(ends[1]));
	FD_ZERO(&e);
	FD_SET(ends[0], &e);
	CHECK_EQ(select(ends[0] + 1, NULL, NULL, &e, &zero), 0);
	CHECK(!FD_ISSET(ends[0], &e));
	FD_SET(ends[0], &r);
	CHECK_EQ(select(ends[0] + 1, &r, NULL, NULL, NULL), 1);
}

static void select_errors(void)
{
	struct timeval zero = {0, 0};
	fd_set r;

	FD_ZERO(&r);
	CHECK_ERR(select(-1, &r, NULL, NULL, NULL), EINVAL);
	FD_SET(77, &r);
	CHECK_ERR(select(78, &r, NULL, NULL, NULL), EBADF);
	CHECK_EQ(select(77, &r, NULL, NULL, &zero), 0); // only those below it
	CHECK_ERR(select(78, (fd_set *)8, NULL, NULL, NULL), EFAULT);
}

// Sets longer than any C library makes them.
static void huge_sets(void)
{
	struct rlimit r;
	uint64_t set[4000 / 64 + 1] = {0};
	int fd = 3999;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &r));
	if (r.rlim_max < 4000)
		tap_skip("a process may have too few descriptors");
	r.rlim_cur = 4000;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &r));
	CHECK_OK(pipe(ends));
	CHECK_EQ(dup2(ends[1], fd), fd);
	set[fd / 64] |= UINT64_C(1) << fd % 64;
	CHECK_EQ(syscall(SYS_pselect6, fd + 1, NULL, set, NULL, NULL, NULL), 1);
	CHECK_EQ(set[fd / 64], UINT64_C(1) << fd % 64);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(syscall(SYS_pselect6, fd + 1, set, NULL, NULL, NULL, NULL), 1);
}

static const struct test tests[] = {
	{"pipes", pipes},
	{"pipes_hang_up", pipes_hang_up},
	{"files_are_always_ready", files_are_always_ready},
	{"eventfds", eventfds},
	{"what_is_not_open", what_is_not_open},
	{"a_write_wakes", a_write_wakes},
	{"the_last_close_wakes", the_last_close_wakes},
	{"one_of_many", one_of_many},
	{"a_write_while_others_are_asked", a_write_while_others_are_asked},
	{"time_limits", time_limits},
	{"the_mask_holds_for_the_call", the_mask_holds_for_the_call},
	{"a_handler_ends_it", a_handler_ends_it},
	{"select_tells_three_sets", select_tells_three_sets},
	{"select_errors", select_errors},
	{"huge_sets", huge_sets},
};
BEYOND_CORE_MAIN(tests)
