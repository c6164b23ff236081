// SPDX-License-Identifier: MIT
// Where commands come from. Standard input is read byte by byte when it is not a terminal: what
// follows a command belongs to that command, which may read it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

void source_string(struct source *source, const char *text)
{
	*source = (struct source){.fd = -1, .line = 1};
	source->n = source->room = strlen(text);
	source->text = need_string(text);
}

void source_fd(struct source *source, int fd, bool interactive)
{
	*source = (struct source){.fd = fd, .interactive = interactive, .fresh = true, .line = 1};
	source->one_by_one = fd == STDIN_FILENO;
}

void source_free(struct source *source)
{
	free(source->text);
	if (source->fd > STDERR_FILENO)
		close(source->fd);
}

static void append(struct source *source, const char *bytes, size_t n)
{
	if (source->n + n > source->room) {
		source->room = (source->n + n) * 2;
		source->text = realloc(source->text, source->room);
		if (!source->text)
			die("%zu bytes", source->room);
	}
	memcpy(source->text + source->n, bytes, n);
	source->n += n;
}

static ssize_t read_bytes(struct source *source)
{
	char block[4096];
	ssize_t n;

	do {
		n = read(source->fd, block, source->one_by_one ? 1 : sizeof block);
	} while (n < 0 && errno == EINTR && !shell.interrupted);
	if (n > 0)
		append(source, block, (size_t)n);
	return n;
}

// A line typed at a terminal that the kernel edits; an interrupted one counts as empty.
static ssize_t read_cooked(struct source *source, const char *prompt)
{
	char block[4096];
	ssize_t n;

	write_all(STDERR_FILENO, prompt, strlen(prompt));
	n = read(source->fd, block, sizeof block);
	if (n < 0 && errno == EINTR) {
		write_all(STDERR_FILENO, "\n", 1);
		block[0] = '\n';
		n = 1;
	}
	if (n > 0)
		append(source, block, (size_t)n);
	return n;
}

static const char *prompt_text(const struct source *source)
{
	const char *text = var_get(source->fresh ? "PS1" : "PS2");
	char *expanded = text ? expand_here(text) : NULL;

	return expanded ? expanded : "";
}

static ssize_t read_edited(struct source *source)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	const char *prompt = prompt_text(source);
	bool interrupted = false;
	char *line = NULL;
	ssize_t n = edit_line(prompt, &line, &interrupted);

	if (n > 0)
		append(source, line, (size_t)n);
	else if (n < 0)
		n = read_cooked(source, prompt);
	if (interrupted)
		shell.interrupted = 1;
	free(line);
	arena_cut(&shell.scratch, mark);
	source->fresh = false;
	return n;
}

int source_next(struct source *source)
{
	ssize_t n;

	if (source->at == source->n) {
		if (source->fd < 0 || source->ended)
			return -1;
		n = source->interactive ? read_edited(source) : read_bytes(source);
		if (n <= 0) {
			source->ended = true;
			return -1;
		}
	}
	if (source->text[source->at] == '\n')
		source->line++;
	return (unsigned char)source->text[source->at++];
}

void source_back(struct source *source)
{
	source->at--;
	if (source->text[source->at] == '\n')
		source->line--;
}

void source_discard(struct source *source)
{
	if (source->fd >= 0 && source->at > 0) {
		source->n -= source->at;
		memmove(source->text, source->text + source->at, source->n);
		source->at = 0;
	}
	source->fresh = true;
}

void source_discard_line(struct source *source)
{
	source->at = source->n;
	source_discard(source);
	if (source->interactive)
		source->ended = false;
}
