// SPDX-License-Identifier: MIT
// Variables: a list, for a shell has few.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "sh.h"

struct var {
	struct var *next;
	char *name, *value; // value NULL: exported, but not set
	bool exported;
};

static struct var *vars;

size_t name_length(const char *s)
{
	size_t n = 0;

	if (isdigit((unsigned char)*s))
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

bool is_name(const char *s, size_t n)
{
	return n > 0 && name_length(s) == n;
}

static struct var *find(const char *name)
{
	for (struct var *v = vars; v; v = v->next)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

static struct var *find_or_add(const char *name)
{
	struct var *v = find(name);

	if (v)
		return v;
	v = need_memory(sizeof *v);
	*v = (struct var){.next = vars, .name = need_string(name)};
	vars = v;
	return v;
}

const char *var_get(const char *name)
{
	struct var *v = find(name);

	return v ? v->value : NULL;
}

void var_set(const char *name, const char *value)
{
	struct var *v = find_or_add(name);
	char *old = v->value;

	v->value = need_string(value);
	free(old);
}

void var_unset(const char *name)
{
	for (struct var **link = &vars; *link; link = &(*link)->next) {
		struct var *v = *link;

		if (strcmp(v->name, name))
			continue;
		*link = v->next;
		free(v->name);
		free(v->value);
		free(v);
		return;
	}
}

void var_export(const char *name)
{
	find_or_add(name)->exported = true;
}

bool var_is_exported(const char *name)
{
	struct var *v = find(name);

	return v && v->exported;
}

void vars_import(char **environment)
{
	for (; *environment; environment++) {
		size_t n = name_length(*environment);
		char *name;

		if (n == 0 || (*environment)[n] != '=')
			continue;
		name = need_string(*environment);
		name[n] = '\0';
		var_set(name, name + n + 1);
		var_export(name);
		free(name);
	}
}

static void print_quoted(const char *s)
{
	putchar('\'');
	for (; *s; s++)
		if (*s == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*s);
	putchar('\'');
}

void vars_print(bool exported_only)
{
	for (struct var *v = vars; v; v = v->next) {
		if (exported_only && !v->exported)
			continue;
		printf("%s%s", exported_only ? "export " : "", v->name);
		if (v->value) {
			putchar('=');
			print_quoted(v->value);
		}
		putchar('\n');
	}
}

char **vars_environment(struct arena *arena)
{
	struct strings list = {.arena = arena};

	for (struct var *v = vars; v; v = v->next) {
		struct text text = {.arena = arena};

		if (!v->exported || !v->value)
			continue;
		text_add_string(&text, v->name);
		text_add(&text, '=');
		text_add_string(&text, v->value);
		strings_add(&list, text_end(&text));
	}
	return strings_end(&list);
}
