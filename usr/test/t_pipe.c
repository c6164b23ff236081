// SPDX-License-Identifier: MIT
// Pipes: every byte arrives once and in order, also when the user's buffer is not there yet, or
// ends in the middle; ends that are closed; writes that must not be torn.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static int ends[2];

static void new_pipe(int flags)
{
	CHECK_OK(pipe2(ends, flags));
}

static void bytes_come_in_order(void)
{
	char back[6];

	new_pipe(0);
	CHECK_EQ(write(ends[1], "ab", 2), 2);
	CHECK_EQ(write(ends[1], "cdef", 4), 4);
	CHECK_EQ(read(ends[0], back, 3), 3);
	CHECK_EQ(read(ends[0], back + 3, 3), 3);
	CHECK(!memcmp(back, "abcdef", 6));
}

static void reader_sees_the_end(void)
{
	char c;

	new_pipe(0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(read(ends[0], &c, 1), 0);
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

static void read_one(void *arg)
{
	char c;

	(void)arg;
	CHECK_EQ(read(ends[0], &c, 1), 1);
}

// How often it has been switched away from, as soon as it sleeps: the last time may not count yet.
static long long sleeps_of(pid_t pid)
{
	static const char key[] = "\nvoluntary_ctxt_switches:\t";
	char name[32], text[4096] = "", *at;

	snprintf(name, sizeof name, "/proc/%d/status", pid);
	while (!strstr(text, "\nState:\tS")) {
		int fd = (int)CHECK_OK(open(name, O_RDONLY));
		ssize_t n = CHECK_OK(read(fd, text, sizeof text - 1));

		text[n] = '\0';
		CHECK_OK(close(fd));
		sched_yield();
	}
	CHECK((at = strstr(text, key)) != NULL);
	return atoll(at + sizeof key - 1);
}

static void nothing_written_wakes_nobody(void)
{
	long long before, after = 0;
	pid_t pid;
	char c;

	new_pipe(0);
	CHECK_EQ(write(ends[1], "x", 1), 1); // it has had bytes
	CHECK_EQ(read(ends[0], &c, 1), 1);
	pid = start_child(read_one, NULL);
	before = sleeps_of(pid);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(write(ends[1], "", 0), 0);
		after = sleeps_of(pid);
	}
	CHECK(after - before <= 1);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	must_exit_well(pid);
}

static void write_without_reader(void *arg)
{
	(void)arg;
	CHECK_OK(close(ends[0]));
	(void)!write(ends[1], "x", 1);
}

static void broken_pipe(void)
{
	int status;

	new_pipe(0);
	CHECK_OK(close(ends[0]));
	ends[0] = (int)CHECK_OK(dup(ends[1])); // something for the child to close
	status = in_child(write_without_reader, NULL);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(ends[1], "x", 1), EPIPE);
}

static void wrong_ends(void)
{
	char c;

	new_pipe(0);
	CHECK_ERR(read(ends[1], &c, 1), EBADF);
	CHECK_ERR(write(ends[0], &c, 1), EBADF);
	CHECK_ERR(lseek(ends[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(ends[0], &c, 1, 0), ESPIPE);
	CHECK_ERR(pipe2(ends, 0x1000000), EINVAL);
}

static void nonblocking(void)
{
	char block[PAGE];
	size_t room = 0;
	ssize_t n;

	new_pipe(O_NONBLOCK);
	CHECK_ERR(read(ends[0], block, 1), EAGAIN);
	memset(block, 'n', sizeof block);
	while ((n = write(ends[1], block, 1000)) > 0)
		room += (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK(room >= PIPE_BUF);
	while ((n = read(ends[0], block, sizeof block)) > 0)
		room -= (size_t)n;
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(room, 0);
	CHECK_OK(fcntl(ends[0], F_SETFL, 0));
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
}

// A write of up to PIPE_BUF bytes goes in whole or not at all.
static void nonblocking_writes_are_whole(void)
{
	char block[PIPE_BUF], c;

	new_pipe(O_NONBLOCK);
	memset(block, 'w', sizeof block);
	while (write(ends[1], block, sizeof block) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
	while (write(ends[1], block, 1) > 0)
		;
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_ERR(write(ends[1], block, PIPE_BUF), EAGAIN);
}

enum { STREAM = 300000 };

static void write_stream(void *arg)
{
	char block[5000];
	size_t at = 0;

	(void)arg;
	CHECK_OK(close(ends[0]));
	while (at < STREAM) {
		size_t n = 1 + random_below(sizeof block);

		if (n > STREAM - at)
			n = STREAM - at;
		for (size_t i = 0; i < n; i++)
			block[i] = pattern(at + i);
		CHECK_EQ(write(ends[1], block, n), n);
		at += n;
	}
}

static void read_stream_through(char *buffer, size_t most, bool fresh)
{
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	new_pipe(0);
	pid = start_child(write_stream, NULL);
	CHECK_OK(close(ends[1]));
	for (;;) {
		if (fresh) // each read faults on its buffer
			CHECK(mmap(buffer, 4 * PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == buffer);
		n = CHECK_OK(read(ends[0], buffer, 1 + random_below((unsigned)most)));
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++, at++)
			if (buffer[i] != pattern(at))
				FAIL("byte %zu is wrong", at);
	}
	CHECK_EQ(at, STREAM);
	must_exit_well(pid);
}

static void stream_of_odd_sizes(void)
{
	char *buffer = map_anon(4 * PAGE);

	read_stream_through(buffer, 4 * PAGE, false);
}

static void no_byte_lost_in_unfaulted_buffers(void)
{
	char *buffer = map_anon(4 * PAGE);

	read_stream_through(buffer + 123, 4 * PAGE - 123, false);
	read_stream_through(buffer, 4 * PAGE, true);
}

// A buffer whose second half is not there: what has been taken out must have been delivered.
static void no_byte_lost_when_the_buffer_ends(void)
{
	char *p = map_anon(3 * PAGE), expected = 0;
	size_t taken = 0;
	ssize_t n;

	CHECK_OK(munmap(p + PAGE, PAGE));
	new_pipe(O_NONBLOCK);
	for (int i = 0; i < 8; i++) {
		char block[512];

		for (size_t k = 0; k < sizeof block; k++)
			block[k] = expected++;
		CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
	}
	expected = 0;
	while (taken < PAGE) {
		char *to = p + PAGE - 100;

		n = read(ends[0], to, 300); // room for 100
		if (n < 0) {
			CHECK_EQ(errno, EFAULT); // nothing was taken
			n = read(ends[0], to, 100);
		}
		CHECK(n > 0 && n <= 100);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(to[i], expected++);
		taken += (size_t)n;
		if (PAGE - taken < 300)
			break;
	}
	CHECK_ERR(read(ends[0], p + PAGE, 10), EFAULT);
	while ((n = read(ends[0], p, 64)) > 0)
		for (ssize_t i = 0; i < n; i++, taken++)
			CHECK_EQ(p[i], expected++);
	CHECK_EQ(taken, PAGE);
}

// The same when writing: what was counted as written arrives, and nothing else.
static void write_from_a_buffer_that_ends(void)
{
	char *p = map_anon(2 * PAGE), back[PAGE];
	size_t written = 0, got = 0;
	ssize_t n;

	for (size_t i = 0; i < PAGE; i++)
		p[i] = pattern(i);
	CHECK_OK(munmap(p + PAGE, PAGE));
	new_pipe(O_NONBLOCK);
	n = write(ends[1], p + PAGE - 50, 100);
	if (n < 0) {
		CHECK_EQ(errno, EFAULT);
		n = 0;
	}
	CHECK(n <= 50);
	written += (size_t)n;
	while ((n = read(ends[0], back, sizeof back)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(back[i], pattern(PAGE - 50 + got + (size_t)i));
		got += (size_t)n;
	}
	CHECK_EQ(got, written);
}

static void unfaulted_source(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), back[PAGE];

	new_pipe(0);
	for (size_t i = 0; i < 4; i++) {
		CHECK_EQ(write(ends[1], p + i * PAGE, PAGE), PAGE); // faults from the file
		for (size_t got = 0; got < PAGE;)
			got += (size_t)CHECK_OK(read(ends[0], back + got, PAGE - got));
		for (size_t k = 0; k < PAGE; k++)
			CHECK_EQ(back[k], pattern(i * PAGE + k));
	}
}

enum { WRITERS = 6, RECORDS = 60 };

// One writer's records: PIPE_BUF bytes of its letter, first its number.
static void write_records(void *arg)
{
	char letter = *(char *)arg, block[PIPE_BUF];

	memset(block, letter, sizeof block);
	for (int i = 0; i < RECORDS; i++) {
		block[0] = (char)i;
		CHECK_EQ(write(ends[1], block, sizeof block), sizeof block);
	}
}

static void many_writers_are_not_torn(void)
{
	pid_t pids[WRITERS];
	char next[WRITERS] = {0}, block[PIPE_BUF];

	new_pipe(0);
	for (int i = 0; i < WRITERS; i++) {
		char letter = (char)('a' + i);

		pids[i] = start_child(write_records, &letter);
	}
	CHECK_OK(close(ends[1]));
	for (int record = 0; record < WRITERS * RECORDS; record++) {
		for (size_t got = 0; got < sizeof block;) {
			ssize_t n = CHECK_OK(read(ends[0], block + got, sizeof block - got));

			CHECK(n > 0);
			got += (size_t)n;
		}
		for (size_t i = 2; i < sizeof block; i++)
			CHECK_EQ(block[i], block[1]);
		CHECK(block[1] >= 'a' && block[1] < 'a' + WRITERS);
		CHECK_EQ(block[0], next[block[1] - 'a']++); // in this writer's order
	}
	CHECK_EQ(read(ends[0], block, 1), 0);
	for (int i = 0; i < WRITERS; i++)
		must_exit_well(pids[i]);
}

static void sleep_in_read(void *arg)
{
	char c;

	(void)arg;
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

// Readers that wait wake up when the last writer goes.
static void waiting_readers_see_the_end(void)
{
	pid_t pids[4];

	new_pipe(0);
	for (int i = 0; i < 4; i++)
		pids[i] = start_child(sleep_in_read, NULL);
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < 4; i++)
		must_exit_well(pids[i]);
}

static void sleep_in_write(void *arg)
{
	char block[PAGE] = {0};

	(void)arg;
	CHECK_OK(close(ends[0]));
	for (;;)
		if (write(ends[1], block, sizeof block) < 0)
			_exit(errno == EPIPE ? 0 : 1);
}

static void waiting_writers_see_the_end(void)
{
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	new_pipe(0);
	pid = start_child(sleep_in_write, NULL);
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK_OK(close(ends[0]));
	must_exit_well(pid);
}

static void waiting_can_be_killed(void)
{
	pid_t pid;

	new_pipe(0);
	pid = start_child(sleep_in_read, NULL);
	for (int i = 0; i < 50; i++)
		sched_yield();
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGKILL);
}

static void ping_pong(void *arg)
{
	int *back = arg;
	int n;

	while (read(ends[0], &n, sizeof n) == sizeof n) {
		n++;
		CHECK_EQ(write(back[1], &n, sizeof n), sizeof n);
	}
}

static void ping_pong_loses_no_wakeup(void)
{
	int back[2], n = 0;
	pid_t pid;

	new_pipe(0);
	CHECK_OK(pipe(back));
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(ends[1]);
		ping_pong(back);
		_exit(0);
	}
	for (int i = 0; i < 2000; i++) {
		CHECK_EQ(write(ends[1], &n, sizeof n), sizeof n);
		CHECK_EQ(read(back[0], &n, sizeof n), sizeof n);
		CHECK_EQ(n, i + 1);
	}
	CHECK_OK(close(ends[1]));
	must_exit_well(pid);
}

static volatile sig_atomic_t signals;

static void on_signal(int signo)
{
	(void)signo;
	signals++;
}

// One that came later would interrupt the next call, with nothing to count before it.
static void until_signals(int n)
{
	while (signals < n)
		sched_yield();
}

// Each time a byte and, at once, a signal; or room for one.
static void act_and_signal(void *arg)
{
	const int *turn = arg;
	char bytes[PIPE_BUF] = {0}, c;

	while (read(turn[0], &c, 1) == 1) {
		if (c == 'w')
			CHECK_EQ(write(ends[1], bytes, 1), 1);
		else
			CHECK_EQ(read(ends[0], bytes, sizeof bytes), sizeof bytes);
		CHECK_OK(kill(getppid(), SIGUSR1));
	}
}

// What was waited for is there when the signal is seen: the call has it, and the handler runs.
static void what_came_counts_before_a_signal(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	int turn[2];
	char page[PIPE_BUF] = {0};
	pid_t pid;

	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	new_pipe(0);
	CHECK_OK(pipe(turn));
	pid = (pid_t)CHECK_OK(fork());
	if (pid == 0) {
		close(turn[1]);
		act_and_signal(turn);
		_exit(0);
	}
	for (int i = 1; i <= 20; i++) {
		CHECK_EQ(write(turn[1], "w", 1), 1);
		CHECK_EQ(read(ends[0], page, 1), 1);
		until_signals(i);
	}
	CHECK_OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
	while (write(ends[1], page, sizeof page) == sizeof page)
		;
	CHECK_OK(fcntl(ends[1], F_SETFL, 0));
	for (int i = 21; i <= 40; i++) {
		CHECK_EQ(write(turn[1], "r", 1), 1);
		CHECK_EQ(write(ends[1], page, sizeof page), sizeof page);
		until_signals(i);
	}
	CHECK_OK(close(turn[1]));
	must_exit_well(pid);
}

// A read takes all that is there, also where the buffer's next page has to be brought in first.
static void read_goes_on_over_a_page(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(pipe(ends));
	store(p, 1); // there; the next page is not
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_EQ(read(ends[0], p + PAGE - 4, 10), 10);
	CHECK(!memcmp(p + PAGE - 4, "0123456789", 10));
}

static const struct test tests[] = {
	{"bytes_come_in_order", bytes_come_in_order},
	{"reader_sees_the_end", reader_sees_the_end},
	{"nothing_written_wakes_nobody", nothing_written_wakes_nobody},
	{"broken_pipe", broken_pipe},
	{"wrong_ends", wrong_ends},
	{"nonblocking", nonblocking},
	{"nonblocking_writes_are_whole", nonblocking_writes_are_whole},
	{"stream_of_odd_sizes", stream_of_odd_sizes},
	{"no_byte_lost_in_unfaulted_buffers", no_byte_lost_in_unfaulted_buffers},
	{"no_byte_lost_when_the_buffer_ends", no_byte_lost_when_the_buffer_ends},
	{"write_from_a_buffer_that_ends", write_from_a_buffer_that_ends},
	{"read_goes_on_over_a_page", read_goes_on_over_a_page},
	{"what_came_counts_before_a_signal", what_came_counts_before_a_signal},
	{"unfaulted_source", unfaulted_source},
	{"many_writers_are_not_torn", many_writers_are_not_torn},
	{"waiting_readers_see_the_end", waiting_readers_see_the_end},
	{"waiting_writers_see_the_end", waiting_writers_see_the_end},
	{"waiting_can_be_killed", waiting_can_be_killed},
	{"ping_pong_loses_no_wakeup", ping_pong_loses_no_wakeup},
};

TEST_MAIN(tests)
