// SPDX-License-Identifier: MIT
// From bytes to tokens. A word is taken as it is written, with its quotes and dollar signs: only
// its end is found here, which takes following quotes, $(...), ${...} and `...` into each other.
// Where a $(...) ends only the parser knows: a ) may also belong to a case.
#include <ctype.h>
#include <string.h>

#include "sh.h"

static int next(struct lexer *lexer)
{
	int c = source_next(lexer->source);

	if (shell.interrupted)
		lexer->fail(lexer, NULL);
	return c;
}

static void back(struct lexer *lexer, int c)
{
	if (c >= 0)
		source_back(lexer->source);
}

static void scan_until(struct lexer *lexer, struct text *text, char close);

// After "$(": arithmetic, to the parenthesis that closes it, or a command.
static void scan_parenthesis(struct lexer *lexer, struct text *text)
{
	size_t start = lexer->source->at - 1;
	int c = next(lexer);

	back(lexer, c);
	if (c == '(') {
		text_add(text, '(');
		scan_until(lexer, text, ')');
		return;
	}
	parse_substitution(lexer);
	for (; start < lexer->source->at; start++)
		text_add(text, lexer->source->text[start]);
}

// After C, which has been added: takes what it opens, if it opens anything inside CLOSE.
static void scan_nested(struct lexer *lexer, struct text *text, int c, char close)
{
	if (c == '\\') {
		c = next(lexer);
		if (c < 0)
			lexer->fail(lexer, "a backslash at the end");
		if (c == '\n' && close != '`')
			text->n--; // the line goes on
		else
			text_add(text, (char)c);
	} else if (c == '$') {
		c = next(lexer);
		if (c == '(') {
			scan_parenthesis(lexer, text);
		} else if (c == '{') {
			text_add(text, (char)c);
			scan_until(lexer, text, '}');
		} else {
			back(lexer, c);
		}
	} else if (c == '`') {
		scan_until(lexer, text, '`');
	} else if (close != '"' && (c == '\'' || c == '"')) {
		scan_until(lexer, text, (char)c);
	} else if (close == ')' && c == '(') {
		scan_until(lexer, text, ')');
	}
}

static void scan_until(struct lexer *lexer, struct text *text, char close)
{
	for (;;) {
		int c = next(lexer);

		if (c < 0)
			lexer->fail(lexer, "an open quote or bracket at the end");
		text_add(text, (char)c);
		if (c == close)
			return;
		if (close == '\'' || (close == '`' && c != '\\'))
			continue;
		scan_nested(lexer, text, c, close);
	}
}

static void scan_word(struct lexer *lexer, int c)
{
	struct text text = {.arena = lexer->arena};

	for (; c >= 0 && !strchr(" \t\n|&;<>()", c); c = next(lexer)) {
		text_add(&text, (char)c);
		scan_nested(lexer, &text, c, 0);
	}
	back(lexer, c);
	lexer->text = text_end(&text);
	lexer->token = TOKEN_WORD;
	if ((c == '<' || c == '>') && text.n > 0 && strspn(text.s, "0123456789") == text.n)
		lexer->token = TOKEN_IO_NUMBER;
}

static const struct operator
{
	const char *text;
	enum token token;
}
operators[] = {
	// the longest first
	{"<<-", TOKEN_HERE_TABS},
	{"<<", TOKEN_HERE},
	{"<&", TOKEN_DUP_IN},
	{"<>", TOKEN_READ_WRITE},
	{"<", TOKEN_LESS},
	{">>", TOKEN_APPEND},
	{">&", TOKEN_DUP_OUT},
	{">|", TOKEN_CLOBBER},
	{">", TOKEN_GREATER},
	{"&&", TOKEN_AND},
	{"&", TOKEN_AMPERSAND},
	{"||", TOKEN_OR},
	{"|", TOKEN_PIPE},
	{";;", TOKEN_DOUBLE_SEMICOLON},
	{";", TOKEN_SEMICOLON},
	{"(", TOKEN_OPEN},
	{")", TOKEN_CLOSE},
};

static bool scan_operator(struct lexer *lexer, int first)
{
	char text[4] = {(char)first};
	size_t n = 1;

	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		const char *want = operators[i].text;

		if (want[0] != first)
			continue;
		while (n < strlen(want) && !memcmp(text, want, n)) {
			int c = next(lexer);

			if (c < 0)
				break;
			text[n++] = (char)c;
		}
		if (n < strlen(want) || memcmp(text, want, strlen(want)))
			continue;
		for (; n > strlen(want); n--)
			source_back(lexer->source);
		lexer->token = operators[i].token;
		return true;
	}
	return false;
}

// The end mark as it must stand on its line: without its quotes.
static bool unquote(char *mark)
{
	char *to = mark;
	bool quoted = false;

	for (char *from = mark; *from; from++) {
		if (*from == '\'' || *from == '"' || (*from == '\\' && from[1])) {
			quoted = true;
			if (*from != '\\')
				continue;
			from++;
		}
		*to++ = *from;
	}
	*to = '\0';
	return quoted;
}

// One line of a here-document, its newline included; false when the source ends first.
static bool here_line(struct lexer *lexer, struct text *line, bool strip_tabs)
{
	int c = next(lexer);

	line->n = 0;
	while (strip_tabs && c == '\t')
		c = next(lexer);
	for (; c >= 0; c = next(lexer)) {
		text_add(line, (char)c);
		if (c == '\n')
			break;
	}
	text_end(line);
	return line->n > 0;
}

static void read_here(struct lexer *lexer, struct redirect *here)
{
	struct text text = {.arena = lexer->arena}, line = {.arena = lexer->arena};
	size_t n;

	here->literal = unquote(here->target);
	n = strlen(here->target);
	while (here_line(lexer, &line, here->kind == REDIRECT_HERE_TABS)) {
		if (!strncmp(line.s, here->target, n) && (!line.s[n] || line.s[n] == '\n'))
			break;
		text_add_string(&text, line.s);
	}
	here->target = text_end(&text);
}

static void read_pending(struct lexer *lexer)
{
	for (; lexer->here; lexer->here = lexer->here->here_next)
		read_here(lexer, lexer->here);
}

// Skips blanks, comments and continued lines; returns the first byte after them.
static int skip_blanks(struct lexer *lexer)
{
	int c = next(lexer);

	for (;; c = next(lexer)) {
		if (c == '\\') {
			int after = next(lexer);

			if (after == '\n')
				continue;
			back(lexer, after);
			return c;
		}
		if (c == '#')
			while (c >= 0 && c != '\n')
				c = next(lexer);
		if (c != ' ' && c != '\t')
			return c;
	}
}

enum token lex_peek(struct lexer *lexer)
{
	int c;

	if (lexer->have)
		return lexer->token;
	lexer->have = true;
	lexer->text = NULL;
	c = skip_blanks(lexer);
	if (c < 0) {
		lexer->token = TOKEN_END;
	} else if (c == '\n') {
		lexer->token = TOKEN_NEWLINE;
		read_pending(lexer);
	} else if (!scan_operator(lexer, c)) {
		scan_word(lexer, c);
	}
	return lexer->token;
}

void lex_skip(struct lexer *lexer)
{
	lexer->have = false;
}
