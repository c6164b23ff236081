// SPDX-License-Identifier: MIT
// Memory that is freed all at once, and the two things the shell builds in it.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "sh.h"

#define CHUNK_BYTES 4000
#define ALIGN       sizeof(void *)

struct chunk {
	struct chunk *older;
	size_t used, room;
	max_align_t bytes[];
};

void *arena_get(struct arena *arena, size_t bytes)
{
	struct chunk *chunk = arena->chunks;
	void *p;

	bytes = (bytes + ALIGN - 1) & ~(ALIGN - 1);
	if (!chunk || chunk->room - chunk->used < bytes) {
		size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

		chunk = need_memory(sizeof *chunk + room);
		*chunk = (struct chunk){.older = arena->chunks, .room = room};
		arena->chunks = chunk;
	}
	p = (char *)chunk->bytes + chunk->used;
	chunk->used += bytes;
	return p;
}

char *arena_string(struct arena *arena, const char *s, size_t n)
{
	char *copy = arena_get(arena, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

struct arena_mark arena_mark(const struct arena *arena)
{
	struct chunk *chunk = arena->chunks;

	return (struct arena_mark){chunk, chunk ? chunk->used : 0};
}

void arena_cut(struct arena *arena, struct arena_mark mark)
{
	while (arena->chunks != mark.chunk) {
		struct chunk *older = arena->chunks->older;

		free(arena->chunks);
		arena->chunks = older;
	}
	if (mark.chunk)
		mark.chunk->used = mark.used;
}

void arena_free(struct arena *arena)
{
	arena_cut(arena, (struct arena_mark){NULL, 0});
}

// A larger copy of an array in an arena; the old one stays behind until the arena goes.
static void *grow(struct arena *arena, void *old, size_t used, size_t room)
{
	void *new = arena_get(arena, room);

	if (used)
		memcpy(new, old, used);
	return new;
}

void text_add(struct text *text, char c)
{
	if (text->n == text->room) {
		text->room = text->room ? text->room * 2 : 32;
		text->s = grow(text->arena, text->s, text->n, text->room);
	}
	text->s[text->n++] = c;
}

void text_add_string(struct text *text, const char *s)
{
	while (*s)
		text_add(text, *s++);
}

char *text_end(struct text *text)
{
	text_add(text, '\0');
	text->n--;
	return text->s;
}

void strings_add(struct strings *list, char *s)
{
	if (list->n == list->room) {
		list->room = list->room ? list->room * 2 : 16;
		list->s = grow(list->arena, list->s, list->n * sizeof s, list->room * sizeof s);
	}
	list->s[list->n++] = s;
}

char **strings_end(struct strings *list)
{
	strings_add(list, NULL);
	list->n--;
	return list->s;
}
