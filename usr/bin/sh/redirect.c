// SPDX-License-Identifier: MIT
// Redirections: of a command that runs in a child, for good; of one that runs in the shell itself,
// with the descriptors they replace saved and put back.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

#define HERE_INLINE 4096 // what a pipe takes without a reader

struct saved {
	struct saved *next;
	int fd, copy; // copy -1: the descriptor was closed
};

// A pipe with TEXT in it. A long text needs a process that writes it.
static int open_here(const struct redirect *r)
{
	const char *text = r->literal ? r->target : expand_here(r->target);
	int ends[2];
	size_t n;

	if (!text || pipe2(ends, O_CLOEXEC) != 0) {
		if (text)
			complain("pipe");
		return -1;
	}
	n = strlen(text);
	if (n <= HERE_INLINE) {
		write_all(ends[1], text, n);
	} else if (fork() == 0) {
		signal(SIGPIPE, SIG_DFL);
		_exit(write_all(ends[1], text, n) != 0);
	}
	close(ends[1]);
	return ends[0];
}

static int open_target(const struct redirect *r)
{
	static const int flags[] = {
		[REDIRECT_IN] = O_RDONLY,
		[REDIRECT_OUT] = O_WRONLY | O_CREAT | O_TRUNC,
		[REDIRECT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
		[REDIRECT_READ_WRITE] = O_RDWR | O_CREAT,
		[REDIRECT_CLOBBER] = O_WRONLY | O_CREAT | O_TRUNC,
	};
	const char *path = expand_string(r->target);
	int fd;

	if (!path)
		return -1;
	fd = open(path, flags[r->kind] | O_CLOEXEC, 0666);
	if (fd < 0)
		complain("%s", path);
	return fd;
}

// Saves FD in *SAVED (when that is wanted), so that it can be given another meaning.
static void save_fd(int fd, struct saved **saved)
{
	struct saved *one;

	if (!saved)
		return;
	one = arena_get(&shell.scratch, sizeof *one);
	*one = (struct saved){*saved, fd, fcntl(fd, F_DUPFD_CLOEXEC, FD_KEPT_MIN)};
	*saved = one;
}

static int redirect_copy(const struct redirect *r, struct saved **saved)
{
	const char *from = expand_string(r->target);
	char *end;
	long fd;

	if (!from)
		return -1;
	save_fd(r->fd, saved);
	if (!strcmp(from, "-")) {
		close(r->fd);
		return 0;
	}
	fd = strtol(from, &end, 10);
	if (end == from || *end || dup2((int)fd, r->fd) < 0) {
		errno = EBADF;
		complain("%s", from);
		return -1;
	}
	return 0;
}

static int redirect_one(const struct redirect *r, struct saved **saved)
{
	int fd;

	if (r->kind == REDIRECT_DUP_IN || r->kind == REDIRECT_DUP_OUT)
		return redirect_copy(r, saved);
	fd = r->kind >= REDIRECT_HERE ? open_here(r) : open_target(r);
	if (fd < 0)
		return -1;
	if (fd == r->fd) { // it was closed before
		fcntl(fd, F_SETFD, 0);
		return 0;
	}
	save_fd(r->fd, saved);
	if (dup2(fd, r->fd) < 0) {
		complain("%d", r->fd);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

int redirect_all(const struct redirect *list, struct saved **saved)
{
	for (; list; list = list->next)
		if (redirect_one(list, saved) != 0)
			return -1;
	return 0;
}

void redirect_restore(struct saved *saved)
{
	fflush(stdout);
	for (; saved; saved = saved->next) {
		if (saved->copy >= 0) {
			dup2(saved->copy, saved->fd);
			close(saved->copy);
		} else {
			close(saved->fd);
		}
	}
}

// exec without a command: the redirections stay, their copies are not wanted.
void redirect_forget(struct saved *saved)
{
	for (; saved; saved = saved->next)
		if (saved->copy >= 0)
			close(saved->copy);
}
