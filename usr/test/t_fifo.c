// SPDX-License-Identifier: MIT
// Fifos: who waits for whom at open, and pipes by another name.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static int open_end(int flags)
{
	return (int)CHECK_OK(open("fifo", flags));
}

static short events_of(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

static void expect_byte(int fd, char wanted)
{
	char c = 0;

	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, wanted);
}

// --- who waits

static void child_writes(void *arg)
{
	int fd = open_end(O_WRONLY);

	(void)arg;
	CHECK_EQ(write(fd, "w", 1), 1);
}

static void a_reader_waits_for_a_writer(void)
{
	pid_t child;
	char c;
	int fd;

	CHECK_OK(mkfifo("fifo", 0600));
	child = start_child(child_writes, NULL);
	fd = open_end(O_RDONLY);
	expect_byte(fd, 'w');
	must_exit_well(child);
	CHECK_EQ(read(fd, &c, 1), 0); // the last writer is gone
}

static void child_reads(void *arg)
{
	int fd = open_end(O_RDONLY);

	(void)arg;
	expect_byte(fd, 'r');
}

static void a_writer_waits_for_a_reader(void)
{
	pid_t child;
	int fd;

	CHECK_OK(mkfifo("fifo", 0600));
	child = start_child(child_reads, NULL);
	fd = open_end(O_WRONLY);
	CHECK_EQ(write(fd, "r", 1), 1);
	must_exit_well(child);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(fd, "x", 1), EPIPE);
}

// Each meets the other, though either may be gone before the other wakes up.
static void child_opens_and_closes(void *arg)
{
	for (int i = 0; i < 50; i++)
		CHECK_OK(close(open_end(*(int *)arg)));
}

static void passing_by_is_enough(void)
{
	int writes = O_WRONLY, reads = O_RDONLY, status, fd;

	CHECK_OK(mkfifo("fifo", 0600));
	start_child(child_opens_and_closes, &writes);
	start_child(child_opens_and_closes, &reads);
	CHECK_OK(wait(&status)); // they never wait both
	CHECK_EQ(status, 0);
	fd = open_end(O_RDWR); // the other may lack somebody for its last opens
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
	CHECK_OK(close(fd));
}

static void nobody_waits_without_blocking(void)
{
	char c;
	int reader, writer;

	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	reader = open_end(O_RDONLY | O_NONBLOCK);
	CHECK_EQ(read(reader, &c, 1), 0); // no writer: the end
	CHECK_EQ(events_of(reader), 0);   // but nobody has hung up
	writer = open_end(O_WRONLY | O_NONBLOCK);
	CHECK_ERR(read(reader, &c, 1), EAGAIN);
	CHECK_EQ(write(writer, "a", 1), 1);
	CHECK_EQ(events_of(reader), POLLIN);
	CHECK_OK(close(writer));
	CHECK_EQ(events_of(reader), POLLIN | POLLHUP);
	expect_byte(reader, 'a');
	CHECK_EQ(events_of(reader), POLLHUP);
	CHECK_OK(close(reader));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

static void both_ends_in_one(void)
{
	int both, reader;

	CHECK_OK(mkfifo("fifo", 0600));
	both = open_end(O_RDWR);
	CHECK_EQ(write(both, "xy", 2), 2);
	expect_byte(both, 'x');
	reader = open_end(O_RDONLY); // there is a writer
	CHECK_OK(close(both));
	expect_byte(reader, 'y'); // bytes stay while an end is open
	CHECK_OK(close(reader));
	reader = open_end(O_RDONLY | O_NONBLOCK);
	CHECK_EQ(read(reader, &(char){0}, 1), 0);
}

// --- interrupted

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void a_wait_can_be_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval often = {{.tv_usec = 20000}, {.tv_usec = 20000}}, never = {0};

	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
	CHECK_ERR(open("fifo", O_RDONLY), EINTR);
	CHECK_ERR(open("fifo", O_WRONLY), EINTR);
	CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
	CHECK(alarms >= 2);
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO); // nothing is left of them
}

// --- a file, besides

static void a_file_besides(void)
{
	struct stat st;
	int fd;

	CHECK_OK(mkfifo("fifo", 0640));
	fd = open_end(O_RDWR);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
	CHECK_OK(fchmod(fd, 0600));
	CHECK_OK(stat("fifo", &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0600);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_OK(rename("fifo", "other"));
	CHECK_OK(link("other", "fifo"));
	CHECK_EQ(write(fd, "z", 1), 1);
	int again = (int)CHECK_OK(open("other", O_RDONLY | O_NONBLOCK | O_TRUNC));
	expect_byte(again, 'z');
	CHECK_OK(unlink("fifo"));
	CHECK_OK(unlink("other"));
	CHECK_EQ(write(fd, "q", 1), 1);
	expect_byte(again, 'q');
	// Two fifos, two pipes.
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

// A pipe has no name, but it can be opened again.
static void a_pipe_by_its_descriptor(void)
{
	char path[32], c;
	struct stat st, again_st;
	int pair[2], writer, reader;

	CHECK_OK(pipe(pair));
	snprintf(path, sizeof path, "/proc/self/fd/%d", pair[1]);
	writer = (int)CHECK_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)); // as a shell does
	CHECK_OK(close(pair[1]));
	CHECK_EQ(write(writer, "p", 1), 1);
	expect_byte(pair[0], 'p');
	snprintf(path, sizeof path, "/proc/self/fd/%d", pair[0]);
	reader = (int)CHECK_OK(open(path, O_RDONLY | O_NONBLOCK));
	CHECK_ERR(read(reader, &c, 1), EAGAIN);
	CHECK_OK(fstat(reader, &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_OK(stat(path, &again_st));
	CHECK_EQ(st.st_uid, again_st.st_uid);
	CHECK_OK(close(writer));
	CHECK_EQ(read(reader, &c, 1), 0);
	CHECK_EQ(read(pair[0], &c, 1), 0);
	CHECK_OK(chmod(path, 0));
	CHECK_OK(setresuid(1000, 1000, 0));
	CHECK_ERR(open(path, O_RDONLY | O_NONBLOCK), EACCES);
}

static void rights(void)
{
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_OK(chmod("fifo", 0644));
	CHECK_OK(setresuid(1000, 1000, 0));
	CHECK_ERR(open("fifo", O_RDWR), EACCES);
	CHECK_OK(close(open_end(O_RDONLY | O_NONBLOCK)));
}

static const struct test tests[] = {
	{"a_reader_waits_for_a_writer", a_reader_waits_for_a_writer},
	{"a_writer_waits_for_a_reader", a_writer_waits_for_a_reader},
	{"passing_by_is_enough", passing_by_is_enough},
	{"nobody_waits_without_blocking", nobody_waits_without_blocking},
	{"both_ends_in_one", both_ends_in_one},
	{"a_wait_can_be_interrupted", a_wait_can_be_interrupted},
	{"a_file_besides", a_file_besides},
	{"a_pipe_by_its_descriptor", a_pipe_by_its_descriptor},
	{"rights", rights},
};

BEYOND_CORE_MAIN(tests)
