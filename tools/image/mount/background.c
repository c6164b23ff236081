// SPDX-License-Identifier: MIT
/*
 * Into the background, but not before it is known whether it works.  The fork comes first, as
 * threads do not survive one; the parent waits for a word from the child, and speaks for it to the
 * shell.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static int word = -1; /* the child's end of the pipe */

static void wait_for_child(int from, pid_t child) __attribute__((noreturn));

static void wait_for_child(int from, pid_t child)
{
	int status;
	char ready;

	if (read(from, &ready, 1) == 1)
		exit(0);
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 8);
}

void background_begin(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0)
		image_die_errno(8, "going into the background", -errno);
	if (child) {
		close(ends[1]);
		wait_for_child(ends[0], child);
	}
	close(ends[0]);
	word = ends[1];
	setsid();
}

static ssize_t to_syslog(void *cookie, const char *text, size_t bytes)
{
	(void)cookie;
	syslog(LOG_WARNING, "%.*s", (int)bytes, text);
	return (ssize_t)bytes;
}

void background_ready(void)
{
	static const cookie_io_functions_t functions = {.write = to_syslog};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *log = fopencookie(NULL, "w", functions);

	if (word < 0)
		return;
	if (chdir("/") < 0 || null < 0 || !log)
		image_die_errno(8, "going into the background", -errno);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	setvbuf(log, NULL, _IOLBF, BUFSIZ);
	stderr = log;
	if (write(word, "", 1) != 1)
		image_die_errno(8, "going into the background", -errno);
	close(word);
}
