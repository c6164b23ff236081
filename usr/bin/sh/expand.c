// SPDX-License-Identifier: MIT
// What a word stands for. Each character of the result is kept with one bit: was it quoted? Only
// unquoted ones can split the word (where they came out of a variable or a command) or make it a
// pattern. The order is POSIX's: tilde, parameters, commands and arithmetic from left to right,
// then fields, then file names; quotes disappear on the way.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "sh.h"

struct expansion {
	struct text field, quoted; // characters, and '1' for each that was quoted
	bool exists;               // the field is one even when it is empty: "" or '' stood there
	bool split;                // make fields and file names
	bool here;                 // a here-document: " is like any other
	bool after_blank;          // the last field was ended by a blank out of a variable
	bool failed;
	struct strings *out;
};

static void expand_range(struct expansion *x, const char *p, const char *end, bool quoted);

static void add(struct expansion *x, char c, bool quoted)
{
	text_add(&x->field, c);
	text_add(&x->quoted, quoted ? '1' : '0');
	x->exists = true;
	x->after_blank = false;
}

static void add_string(struct expansion *x, const char *s, bool quoted)
{
	while (*s)
		add(x, *s++, quoted);
}

// The field so far as a pattern: what was quoted stands behind a backslash.
static char *field_pattern(const struct expansion *x)
{
	struct text pattern = {.arena = x->field.arena};

	for (size_t i = 0; i < x->field.n; i++) {
		if (x->quoted.s[i] == '1' || x->field.s[i] == '\\')
			text_add(&pattern, '\\');
		text_add(&pattern, x->field.s[i]);
	}
	return text_end(&pattern);
}

static void end_field(struct expansion *x)
{
	size_t before = x->out->n;

	pattern_files(field_pattern(x), x->out);
	if (x->out->n == before)
		strings_add(x->out, arena_string(x->field.arena, text_end(&x->field), x->field.n));
	x->field.n = x->quoted.n = 0;
	x->exists = false;
}

static bool is_separator(char c, bool *blank)
{
	const char *ifs = var_get("IFS");

	if (!ifs)
		ifs = " \t\n";
	*blank = isspace((unsigned char)c);
	return strchr(ifs, c);
}

// A character out of an unquoted variable or command. Blanks of IFS around another separator
// belong to it; each other separator ends a field, even an empty one.
static void add_splitting(struct expansion *x, char c)
{
	bool blank, joined;

	if (!x->split || !is_separator(c, &blank)) {
		add(x, c, false);
		return;
	}
	joined = x->after_blank && !blank && !x->exists;
	if (x->exists || (!blank && !joined))
		end_field(x);
	x->after_blank = blank;
}

static void add_value(struct expansion *x, const char *value, bool quoted)
{
	for (; *value; value++)
		if (quoted)
			add(x, *value, true);
		else
			add_splitting(x, *value);
}

// $@ and $*. "$@" is one field for each parameter, and none without parameters; "$*" is one field.
static void add_params(struct expansion *x, char which, bool quoted)
{
	const char *ifs = var_get("IFS");
	bool fields = x->split && (which == '@' || !quoted);

	for (int i = 0; i < shell.params_n; i++) {
		if (i > 0 && fields && (x->exists || quoted))
			end_field(x);
		else if (i > 0 && !fields && (!ifs || *ifs))
			add(x, ifs && which == '*' ? *ifs : ' ', quoted);
		add_value(x, shell.params[i], quoted);
		x->exists |= quoted;
	}
}

static const char *skip_to(const char *p, const char *end, char close);

// P is behind "$(": past the parenthesis that closes it.
static const char *skip_parenthesis(const char *p, const char *end)
{
	if (*p == '(')
		return skip_to(p, end, ')');
	return p + substitution_length(p);
}

// Past the CLOSE that belongs to what has been opened before P. The lexer has seen to it that
// there is one.
static const char *skip_to(const char *p, const char *end, char close)
{
	while (p < end) {
		char c = *p++;

		if (c == close)
			return p;
		if (close == '\'' || (close == '`' && c != '\\'))
			continue;
		if (c == '\\')
			p++;
		else if (c == '$' && p < end && *p == '(')
			p = skip_parenthesis(p + 1, end);
		else if (c == '$' && p < end && *p == '{')
			p = skip_to(p + 1, end, '}');
		else if (c == '`')
			p = skip_to(p, end, '`');
		else if (close != '"' && (c == '\'' || c == '"'))
			p = skip_to(p, end, c);
		else if (close == ')' && c == '(')
			p = skip_to(p, end, ')');
	}
	return p < end ? p : end;
}

static void fail(struct expansion *x, const char *name, const char *why)
{
	if (!x->failed)
		complain_plain("%s: %s", name, why);
	x->failed = true;
}

// A word inside ${...}, on its own, as one string.
static char *expand_part(struct expansion *x, const char *p, const char *end, bool pattern)
{
	struct strings none = {.arena = &shell.scratch};
	struct expansion part = {.field = {.arena = &shell.scratch},
		.quoted = {.arena = &shell.scratch},
		.out = &none};

	expand_range(&part, p, end, false);
	x->failed |= part.failed;
	return pattern ? field_pattern(&part) : text_end(&part.field);
}

// ${name%pattern} and the like: VALUE without its shortest or longest matching start or end.
static const char *cut_match(const char *value, const char *pattern, char which, bool longest)
{
	size_t n = strlen(value);
	struct arena *arena = &shell.scratch;

	for (size_t i = 0; i <= n; i++) {
		size_t cut = longest ? n - i : i; // how much is taken away
		const char *part = which == '#' ? arena_string(arena, value, cut) : value + n - cut;

		if (!pattern_match(pattern, part))
			continue;
		return which == '#' ? value + cut : arena_string(arena, value, n - cut);
	}
	return value;
}

// The value of a parameter that is not a list, or NULL when it is unset.
static const char *param_value(const char *name)
{
	static char number[24];
	long long value;

	if (isdigit((unsigned char)name[0])) {
		int i = atoi(name);

		if (i == 0)
			return shell.name;
		return i <= shell.params_n ? shell.params[i - 1] : NULL;
	}
	switch (name[0]) {
	case '?':
		value = shell.status;
		break;
	case '$':
		value = shell.pid;
		break;
	case '!':
		if (!shell.background)
			return NULL;
		value = shell.background;
		break;
	case '#':
		value = shell.params_n;
		break;
	case '-':
		return shell.interactive ? "i" : "";
	default:
		return var_get(name);
	}
	snprintf(number, sizeof number, "%lld", value);
	return number;
}

static size_t param_name_length(const char *p)
{
	size_t n = name_length(p);

	if (n)
		return n;
	while (isdigit((unsigned char)p[n]))
		n++;
	return n ? n : *p && strchr("?$!#@*-", *p) ? 1 : 0;
}

static void add_param(struct expansion *x, const char *name, bool quoted)
{
	const char *value;

	if (*name == '@' || *name == '*') {
		add_params(x, *name, quoted);
		return;
	}
	value = param_value(name);
	if (!value && shell.no_unset)
		fail(x, name, "not set");
	add_value(x, value ? arena_string(&shell.scratch, value, strlen(value)) : "", quoted);
}

static bool param_is_set(const char *name, bool *empty)
{
	const char *value;

	if (*name == '@' || *name == '*') {
		*empty = shell.params_n == 0;
		return shell.params_n > 0;
	}
	value = param_value(name);
	*empty = !value || !*value;
	return value;
}

// ${name:-word} and its like; [P, END) is what follows the name.
static void expand_choice(
	struct expansion *x, const char *name, const char *p, const char *end, bool quoted)
{
	bool colon = *p == ':', empty, there;
	char op = p[colon];
	char *word;

	there = param_is_set(name, &empty) && !(colon && empty);
	p += colon + 1;
	if (op == '+') {
		if (there)
			expand_range(x, p, end, quoted);
	} else if (there) {
		add_param(x, name, quoted);
	} else if (op == '-') {
		expand_range(x, p, end, quoted);
	} else {
		word = expand_part(x, p, end, false);
		if (op == '?')
			fail(x, name, *word ? word : "not set");
		else if (!is_name(name, strlen(name)))
			fail(x, name, "cannot be assigned to");
		else if (!x->failed)
			var_set(name, word);
		add_value(x, word, quoted);
	}
}

static void expand_cut(
	struct expansion *x, const char *name, const char *p, const char *end, bool quoted)
{
	bool longest = p[1] == p[0];
	const char *value = param_value(name);
	char *pattern = expand_part(x, p + 1 + longest, end, true);

	value = value ? arena_string(&shell.scratch, value, strlen(value)) : "";
	add_value(x, cut_match(value, pattern, *p, longest), quoted);
}

static void add_length(struct expansion *x, const char *name, bool quoted)
{
	const char *value = param_value(name);
	char number[24];

	if (*name == '@' || *name == '*')
		snprintf(number, sizeof number, "%d", shell.params_n);
	else
		snprintf(number, sizeof number, "%zu", value ? strlen(value) : 0);
	add_value(x, number, quoted);
}

// [P, END) is what stands between ${ and }.
static void expand_braces(struct expansion *x, const char *p, const char *end, bool quoted)
{
	bool length = *p == '#' && p + 1 < end && param_name_length(p + 1) > 0;
	const char *start = p + length;
	size_t n = param_name_length(start);
	const char *name = arena_string(&shell.scratch, start, n);

	p = start + n;
	if (n > 0 && length && p == end)
		add_length(x, name, quoted);
	else if (n > 0 && !length && p == end)
		add_param(x, name, quoted);
	else if (n > 0 && !length && strchr("-=?+", p[*p == ':']))
		expand_choice(x, name, p, end, quoted);
	else if (n > 0 && !length && (*p == '%' || *p == '#'))
		expand_cut(x, name, p, end, quoted);
	else
		fail(x, "${}", "bad substitution");
}

static void expand_arithmetic(struct expansion *x, const char *p, const char *end, bool quoted)
{
	char *text = expand_part(x, p, end, false), number[24];
	long long value;

	if (x->failed || !arith_evaluate(text, &value)) {
		x->failed = true;
		return;
	}
	snprintf(number, sizeof number, "%lld", value);
	add_value(x, number, quoted);
}

static void expand_command(struct expansion *x, const char *command, bool quoted)
{
	char *output = exec_substitution(command);

	add_value(x, output, quoted);
	free(output);
}

// Inside backquotes a backslash quotes only itself, a backquote and a dollar sign.
static void expand_backquotes(struct expansion *x, const char *p, const char *end, bool quoted)
{
	struct text command = {.arena = &shell.scratch};

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end && strchr("\\`$", p[1]))
			p++;
		text_add(&command, *p);
	}
	expand_command(x, text_end(&command), quoted);
}

// P is behind a dollar sign; returns what follows.
static const char *expand_dollar(struct expansion *x, const char *p, const char *end, bool quoted)
{
	const char *after;
	size_t n;

	if (p < end && *p == '{') {
		after = skip_to(p + 1, end, '}');
		expand_braces(x, p + 1, after - 1, quoted);
		return after;
	}
	if (p < end && *p == '(') {
		after = skip_parenthesis(p + 1, end);
		if (p[1] == '(' && after - p >= 4 && after[-2] == ')')
			expand_arithmetic(x, p + 2, after - 2, quoted);
		else
			expand_command(x,
				arena_string(&shell.scratch, p + 1, (size_t)(after - p - 2)),
				quoted);
		return after;
	}
	n = p < end ? param_name_length(p) : 0;
	if (n == 0) {
		add(x, '$', quoted);
		return p;
	}
	if (!name_length(p))
		n = 1; // $12 is $1 and a 2
	add_param(x, arena_string(&shell.scratch, p, n), quoted);
	return p + n;
}

// A double-quoted part makes a field even when it is empty, except for "$@" without parameters.
static void expand_quoted(struct expansion *x, const char *p, const char *end)
{
	bool only_params =
		(end - p == 2 && !memcmp(p, "$@", 2)) || (end - p == 4 && !memcmp(p, "${@}", 4));

	if (!only_params)
		x->exists = true;
	expand_range(x, p, end, true);
}

static void expand_range(struct expansion *x, const char *p, const char *end, bool quoted)
{
	const char *after;

	while (p < end && !x->failed) {
		char c = *p++;

		if (c == '\\') {
			bool special = p < end &&
				       (!quoted || strchr("$`\\\n", *p) || (*p == '"' && !x->here));

			if (special && *p == '\n' && quoted)
				p++;
			else
				add(x, special ? *p++ : c, true);
		} else if (c == '\'' && !quoted) {
			after = skip_to(p, end, '\'');
			for (x->exists = true; p < after - 1; p++)
				add(x, *p, true);
			p = after;
		} else if (c == '"' && !x->here) {
			after = skip_to(p, end, '"');
			expand_quoted(x, p, after - 1);
			p = after;
		} else if (c == '$') {
			p = expand_dollar(x, p, end, quoted);
		} else if (c == '`') {
			after = skip_to(p, end, '`');
			expand_backquotes(x, p, after - 1, quoted);
			p = after;
		} else {
			add(x, c, quoted);
		}
	}
}

// ~ and ~/path: the home folder. There are no others to look up.
static const char *expand_tilde(struct expansion *x, const char *word)
{
	const char *home = var_get("HOME");

	if (word[0] != '~' || (word[1] && word[1] != '/') || !home)
		return word;
	add_string(x, home, true);
	return word + 1;
}

static struct expansion expansion_new(struct strings *out)
{
	return (struct expansion){.field = {.arena = &shell.scratch},
		.quoted = {.arena = &shell.scratch},
		.out = out};
}

bool expand_words(const struct word *words, struct strings *out)
{
	for (; words; words = words->next) {
		struct expansion x = expansion_new(out);
		const char *p = expand_tilde(&x, words->text);

		x.split = true;
		expand_range(&x, p, words->text + strlen(words->text), false);
		if (x.failed)
			return false;
		if (x.exists)
			end_field(&x);
	}
	return true;
}

char *expand_string(const char *word)
{
	struct strings none = {.arena = &shell.scratch};
	struct expansion x = expansion_new(&none);
	const char *p = expand_tilde(&x, word);

	expand_range(&x, p, word + strlen(word), false);
	return x.failed ? NULL : text_end(&x.field);
}

char *expand_pattern(const char *word)
{
	struct strings none = {.arena = &shell.scratch};
	struct expansion x = expansion_new(&none);
	const char *p = expand_tilde(&x, word);

	expand_range(&x, p, word + strlen(word), false);
	return x.failed ? NULL : field_pattern(&x);
}

char *expand_here(const char *text)
{
	struct strings none = {.arena = &shell.scratch};
	struct expansion x = expansion_new(&none);

	x.here = true;
	expand_range(&x, text, text + strlen(text), true);
	return x.failed ? NULL : text_end(&x.field);
}
