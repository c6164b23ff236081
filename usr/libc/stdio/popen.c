// SPDX-License-Identifier: MIT
/*
 * Streams over a shell command, and a file without a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"

FILE *popen(const char *command, const char *mode)
{
	int reading = *mode == 'r', fds[2];
	FILE *f;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return NULL;
	f = __stream_new(fds[!reading], reading ? STREAM_READABLE : STREAM_WRITABLE);
	if (f)
		f->child = fork();
	if (!f || f->child < 0) {
		close(fds[reading]);
		f ? (void)fclose(f) : (void)close(fds[!reading]);
		return NULL;
	}
	if (f->child == 0) {
		dup2(fds[reading], reading);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(fds[reading]);
	return f;
}

int pclose(FILE *f)
{
	pid_t child = f->child, got;
	int status;

	fclose(f);
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -1 : status;
}

FILE *tmpfile(void)
{
	char name[] = "/tmp/tmpXXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);
	FILE *f;

	if (fd < 0)
		return NULL;
	unlink(name);
	f = __stream_new(fd, STREAM_READABLE | STREAM_WRITABLE);
	if (!f)
		close(fd);
	return f;
}
