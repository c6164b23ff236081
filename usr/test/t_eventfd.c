// SPDX-License-Identifier: MIT
// Counters behind descriptors.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/tap.h"

static void *volatile nowhere = (void *)8;

static uint64_t take(int fd)
{
	uint64_t value;

	CHECK_EQ(read(fd, &value, sizeof value), sizeof value);
	return value;
}

static void reads_take_all(void)
{
	int fd = (int)CHECK_OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
	CHECK_OK(eventfd_write(fd, 4));
	CHECK_EQ(take(fd), 7);
	CHECK_ERR(read(fd, &(uint64_t){0}, 8), EAGAIN);
}

static void a_semaphore_gives_one(void)
{
	int fd = (int)CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));

	CHECK_EQ(take(fd), 1);
	CHECK_EQ(take(fd), 1);
	CHECK_ERR(read(fd, &(uint64_t){0}, 8), EAGAIN);
}

static void limits(void)
{
	int fd = (int)CHECK_OK(eventfd(1, EFD_NONBLOCK));
	uint64_t value = UINT64_MAX;
	struct stat st;

	CHECK_ERR(write(fd, &value, 8), EINVAL);
	value--;
	CHECK_ERR(write(fd, &value, 8), EAGAIN);
	CHECK_ERR(write(fd, &value, 7), EINVAL);
	CHECK_ERR(read(fd, &value, 7), EINVAL);
	CHECK_ERR(read(fd, nowhere, 8), EFAULT);
	CHECK_ERR(write(fd, nowhere, 8), EFAULT);
	CHECK_OK(eventfd_write(fd, value));
	CHECK_EQ(take(fd), value);
	CHECK_ERR(eventfd(0, 0x100), EINVAL);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
}

static int there, back;

static void answer(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= 1000; i++) {
		CHECK_EQ(take(there), i);
		CHECK_OK(eventfd_write(back, i));
	}
}

static void both_wait(void)
{
	pid_t child;

	there = (int)CHECK_OK(eventfd(0, 0));
	back = (int)CHECK_OK(eventfd(0, 0));
	child = start_child(answer, NULL);
	for (uint64_t i = 1; i <= 1000; i++) {
		CHECK_OK(eventfd_write(there, i));
		CHECK_EQ(take(back), i);
	}
	must_exit_well(child);
}

static void make_room(void *arg)
{
	CHECK_EQ(take(*(int *)arg), UINT64_MAX - 1);
}

static void a_writer_waits_for_room(void)
{
	int fd = (int)CHECK_OK(eventfd(0, 0));
	pid_t child;

	CHECK_OK(eventfd_write(fd, UINT64_MAX - 1));
	child = start_child(make_room, &fd);
	CHECK_OK(eventfd_write(fd, 5));
	must_exit_well(child);
	CHECK_EQ(take(fd), 5);
}

static void ring(int sig)
{
	(void)sig;
}

static void a_wait_is_interrupted(void)
{
	struct sigaction sa = {.sa_handler = ring};
	struct itimerval often = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000};
	int fd = (int)CHECK_OK(eventfd(0, 0));

	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
	CHECK_ERR(read(fd, &(uint64_t){0}, 8), EINTR);
}

static const struct test tests[] = {
	{"reads_take_all", reads_take_all},
	{"a_semaphore_gives_one", a_semaphore_gives_one},
	{"limits", limits},
	{"both_wait", both_wait},
	{"a_writer_waits_for_room", a_writer_waits_for_room},
	{"a_wait_is_interrupted", a_wait_is_interrupted},
};
BEYOND_CORE_MAIN(tests)
