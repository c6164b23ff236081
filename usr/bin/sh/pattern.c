// SPDX-License-Identifier: MIT
// Patterns: * ? [a-z] [!a-z]; a backslash takes the meaning away from the character behind it.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sh.h"

// At '[': whether C is one of it; *END becomes what follows the bracket, or NULL if it never ends.
static bool bracket_match(const char *p, unsigned char c, const char **end)
{
	bool negate = p[1] == '!' || p[1] == '^', found = false;
	const char *first = p + 1 + negate;

	*end = NULL;
	for (p = first; *p && (*p != ']' || p == first); p++) {
		unsigned char low, high;

		if (*p == '\\' && p[1])
			p++;
		low = high = (unsigned char)*p;
		if (p[1] == '-' && p[2] && p[2] != ']') {
			p += 2;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p;
		}
		found |= low <= c && c <= high;
	}
	if (*p)
		*end = p + 1;
	return found != negate;
}

// Whether the pattern at *P (not a star) accepts C; moves *P behind what it used.
static bool one_match(const char **p, char c)
{
	const char *end;
	bool is;

	if (**p == '[') {
		is = bracket_match(*p, (unsigned char)c, &end);
		if (end) {
			*p = end;
			return is;
		}
	}
	if (**p == '?') {
		(*p)++;
		return true;
	}
	if (**p == '\\' && (*p)[1])
		(*p)++;
	return *(*p)++ == c;
}

// Only the last star needs to be gone back to: an earlier one that took more would leave the
// later ones less to choose from.
bool pattern_match(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL;

	while (*s) {
		const char *p = pattern;

		if (*pattern == '*') {
			star = ++pattern;
			resume = s;
		} else if (*pattern && one_match(&p, *s)) {
			pattern = p;
			s++;
		} else if (star) {
			pattern = star;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool has_operators(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\')
			i++;
		else if (strchr("*?[", s[i]))
			return true;
	}
	return false;
}

struct walk {
	struct strings *out;
	struct text path; // the folder so far, with its slash
};

static void walk_pattern(struct walk *walk, const char *pattern);

static void add_unescaped(struct text *path, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' && i + 1 < n)
			i++;
		text_add(path, s[i]);
	}
}

static void visit(struct walk *walk, const char *rest)
{
	struct stat st;

	while (*rest == '/')
		text_add(&walk->path, *rest++);
	text_end(&walk->path);
	if (*rest)
		walk_pattern(walk, rest);
	else if (lstat(walk->path.s, &st) == 0)
		strings_add(walk->out, arena_string(walk->path.arena, walk->path.s, walk->path.n));
}

static void walk_folder(struct walk *walk, const char *component, const char *rest)
{
	DIR *dir = opendir(walk->path.n ? text_end(&walk->path) : ".");
	size_t base = walk->path.n;
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' && component[0] != '.')
			continue;
		if (!pattern_match(component, entry->d_name))
			continue;
		text_add_string(&walk->path, entry->d_name);
		visit(walk, rest);
		walk->path.n = base;
	}
	closedir(dir);
}

static void walk_pattern(struct walk *walk, const char *pattern)
{
	size_t n = strcspn(pattern, "/"), base = walk->path.n;

	if (has_operators(pattern, n)) {
		walk_folder(walk, arena_string(walk->path.arena, pattern, n), pattern + n);
	} else {
		add_unescaped(&walk->path, pattern, n);
		visit(walk, pattern + n);
	}
	walk->path.n = base;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void pattern_files(const char *pattern, struct strings *out)
{
	struct walk walk = {.out = out, .path = {.arena = out->arena}};
	size_t before = out->n;

	if (!has_operators(pattern, strlen(pattern)))
		return;
	walk_pattern(&walk, pattern);
	if (out->n > before)
		qsort(out->s + before, out->n - before, sizeof *out->s, by_text);
}
