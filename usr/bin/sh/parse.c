// SPDX-License-Identifier: MIT
// From tokens to a tree, by recursive descent over the grammar of POSIX.1 XCU 2.10:
//
//   line      list newline
//   list      and_or { (';' | '&' | newline) and_or }
//   and_or    pipeline { ('&&' | '||') pipeline }
//   pipeline  ['!'] command { '|' command }
//   command   simple | compound redirects | NAME '(' ')' compound
//   compound  '{' list '}' | '(' list ')' | if | while | until | for | case
//
// Reserved words are words in command position. A mistake leaves by longjmp: the tree built so far
// is in the arena and goes with it.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "sh.h"

struct parser {
	struct lexer lexer; // the first member: fail() gets from it to the parser
	jmp_buf *failed;
	int depth; // of compound commands: the stack is not endless
};

#define DEPTH_MAX 500

static struct node *parse_list(struct parser *p, bool in_line);
static struct node *parse_pipeline(struct parser *p);

// WHAT is NULL when it was the user, with Ctrl-C.
static _Noreturn void fail(struct lexer *lexer, const char *what)
{
	struct parser *p = (struct parser *)lexer;

	if (what)
		complain_plain("line %d: syntax error: %s", lexer->source->line, what);
	longjmp(*p->failed, 1);
}

static const char *token_text(struct parser *p)
{
	static const char *const texts[] = {
		[TOKEN_END] = "the end",
		[TOKEN_NEWLINE] = "newline",
		[TOKEN_SEMICOLON] = ";",
		[TOKEN_DOUBLE_SEMICOLON] = ";;",
		[TOKEN_AMPERSAND] = "&",
		[TOKEN_AND] = "&&",
		[TOKEN_OR] = "||",
		[TOKEN_PIPE] = "|",
		[TOKEN_OPEN] = "(",
		[TOKEN_CLOSE] = ")",
		[TOKEN_LESS] = "<",
		[TOKEN_GREATER] = ">",
		[TOKEN_APPEND] = ">>",
		[TOKEN_READ_WRITE] = "<>",
		[TOKEN_CLOBBER] = ">|",
		[TOKEN_DUP_IN] = "<&",
		[TOKEN_DUP_OUT] = ">&",
		[TOKEN_HERE] = "<<",
		[TOKEN_HERE_TABS] = "<<-",
	};

	return p->lexer.text ? p->lexer.text : texts[p->lexer.token];
}

static _Noreturn void unexpected(struct parser *p)
{
	char what[128];

	lex_peek(&p->lexer);
	snprintf(what, sizeof what, "unexpected %s", token_text(p));
	fail(&p->lexer, what);
}

static enum token peek(struct parser *p)
{
	return lex_peek(&p->lexer);
}

static bool accept(struct parser *p, enum token token)
{
	if (peek(p) != token)
		return false;
	lex_skip(&p->lexer);
	return true;
}

static bool at_word(struct parser *p, const char *word)
{
	return peek(p) == TOKEN_WORD && !strcmp(p->lexer.text, word);
}

static bool accept_word(struct parser *p, const char *word)
{
	if (!at_word(p, word))
		return false;
	lex_skip(&p->lexer);
	return true;
}

static void expect_word(struct parser *p, const char *word)
{
	if (!accept_word(p, word))
		unexpected(p);
}

static void skip_newlines(struct parser *p)
{
	while (accept(p, TOKEN_NEWLINE))
		;
}

static struct node *node_new(
	struct parser *p, enum node_kind kind, struct node *left, struct node *right)
{
	struct node *node = arena_get(p->lexer.arena, sizeof *node);

	*node = (struct node){.kind = kind, .left = left, .right = right};
	return node;
}

// Appends the current word to a list whose last link is **END.
static void take_word(struct parser *p, struct word ***end)
{
	struct word *word = arena_get(p->lexer.arena, sizeof *word);

	if (peek(p) != TOKEN_WORD)
		unexpected(p);
	*word = (struct word){.text = p->lexer.text};
	lex_skip(&p->lexer);
	**end = word;
	*end = &word->next;
}

// Takes one redirection if there is one. A here-document is only noted: its text comes after the
// newline, see lex_peek.
static bool take_redirect(struct parser *p, struct redirect ***end)
{
	struct redirect *r, **here;
	enum token token = peek(p);
	int fd = -1;

	if (token == TOKEN_IO_NUMBER) {
		fd = atoi(p->lexer.text);
		lex_skip(&p->lexer);
		token = peek(p);
	}
	if (token < TOKEN_LESS)
		return false;
	lex_skip(&p->lexer);
	if (peek(p) != TOKEN_WORD)
		unexpected(p);
	r = arena_get(p->lexer.arena, sizeof *r);
	*r = (struct redirect){.kind = (enum redirect_kind)(token - TOKEN_LESS)};
	r->target = p->lexer.text;
	if (fd >= 0)
		r->fd = fd;
	else
		r->fd = token == TOKEN_GREATER || token == TOKEN_APPEND || token == TOKEN_CLOBBER ||
			token == TOKEN_DUP_OUT;
	**end = r;
	*end = &r->next;
	if (token >= TOKEN_HERE) {
		for (here = &p->lexer.here; *here; here = &(*here)->here_next)
			;
		*here = r;
	}
	lex_skip(&p->lexer);
	return true;
}

static bool is_assignment(const char *word)
{
	size_t n = name_length(word);

	return n > 0 && word[n] == '=';
}

static struct node *parse_function(struct parser *p, char *name);

static struct node *parse_simple(struct parser *p)
{
	struct node *node = node_new(p, NODE_SIMPLE, NULL, NULL);
	struct word **assignments = &node->assignments, **words = &node->words;
	struct redirect **redirects = &node->redirects;
	bool any = false;

	for (;; any = true) {
		if (take_redirect(p, &redirects))
			continue;
		if (peek(p) != TOKEN_WORD)
			break;
		if (!node->words && is_assignment(p->lexer.text)) {
			take_word(p, &assignments);
			continue;
		}
		take_word(p, &words);
		if (!any && accept(p, TOKEN_OPEN))
			return parse_function(p, node->words->text);
	}
	if (!any)
		unexpected(p);
	return node;
}

static struct node *parse_if(struct parser *p)
{
	struct node *node = node_new(p, NODE_IF, NULL, NULL);

	node->left = parse_list(p, false);
	expect_word(p, "then");
	node->right = parse_list(p, false);
	if (accept_word(p, "elif")) {
		node->other = parse_if(p);
		return node;
	}
	if (accept_word(p, "else"))
		node->other = parse_list(p, false);
	expect_word(p, "fi");
	return node;
}

static struct node *parse_do(struct parser *p)
{
	struct node *body;

	expect_word(p, "do");
	body = parse_list(p, false);
	expect_word(p, "done");
	return body;
}

static struct node *parse_for(struct parser *p)
{
	struct node *node = node_new(p, NODE_FOR, NULL, NULL);
	struct word **words = &node->words;

	if (peek(p) != TOKEN_WORD || !is_name(p->lexer.text, strlen(p->lexer.text)))
		unexpected(p);
	node->name = p->lexer.text;
	lex_skip(&p->lexer);
	node->all_params = true;
	if (!accept(p, TOKEN_SEMICOLON)) {
		skip_newlines(p);
		if (accept_word(p, "in")) {
			node->all_params = false;
			while (peek(p) == TOKEN_WORD)
				take_word(p, &words);
			if (!accept(p, TOKEN_SEMICOLON) && !accept(p, TOKEN_NEWLINE))
				unexpected(p);
		}
	}
	skip_newlines(p);
	node->right = parse_do(p);
	return node;
}

static struct case_item *parse_case_item(struct parser *p)
{
	struct case_item *item = arena_get(p->lexer.arena, sizeof *item);
	struct word **patterns = &item->patterns;

	*item = (struct case_item){0};
	patterns = &item->patterns;
	accept(p, TOKEN_OPEN);
	do {
		take_word(p, &patterns);
	} while (accept(p, TOKEN_PIPE));
	if (!accept(p, TOKEN_CLOSE))
		unexpected(p);
	skip_newlines(p);
	if (peek(p) != TOKEN_DOUBLE_SEMICOLON && !at_word(p, "esac"))
		item->body = parse_list(p, false);
	return item;
}

static struct node *parse_case(struct parser *p)
{
	struct node *node = node_new(p, NODE_CASE, NULL, NULL);
	struct word **words = &node->words;
	struct case_item **items = &node->items;

	take_word(p, &words);
	skip_newlines(p);
	expect_word(p, "in");
	skip_newlines(p);
	while (!accept_word(p, "esac")) {
		*items = parse_case_item(p);
		items = &(*items)->next;
		if (!accept(p, TOKEN_DOUBLE_SEMICOLON)) {
			expect_word(p, "esac");
			break;
		}
		skip_newlines(p);
	}
	return node;
}

static struct node *parse_loop(struct parser *p, enum node_kind kind)
{
	struct node *node = node_new(p, kind, NULL, NULL);

	node->left = parse_list(p, false);
	node->right = parse_do(p);
	return node;
}

// A compound command without its redirections, or NULL.
static struct node *parse_bare_compound(struct parser *p)
{
	struct node *node;

	if (accept(p, TOKEN_OPEN)) {
		node = node_new(p, NODE_SUBSHELL, parse_list(p, false), NULL);
		if (!accept(p, TOKEN_CLOSE))
			unexpected(p);
		return node;
	}
	if (accept_word(p, "{")) {
		node = node_new(p, NODE_GROUP, parse_list(p, false), NULL);
		expect_word(p, "}");
		return node;
	}
	if (accept_word(p, "if"))
		return parse_if(p);
	if (accept_word(p, "while"))
		return parse_loop(p, NODE_WHILE);
	if (accept_word(p, "until"))
		return parse_loop(p, NODE_UNTIL);
	if (accept_word(p, "for"))
		return parse_for(p);
	if (accept_word(p, "case"))
		return parse_case(p);
	return NULL;
}

static struct node *parse_compound(struct parser *p)
{
	struct redirect **redirects;
	struct node *node;

	if (++p->depth > DEPTH_MAX)
		fail(&p->lexer, "nested too deeply");
	node = parse_bare_compound(p);
	if (node)
		for (redirects = &node->redirects; take_redirect(p, &redirects);)
			;
	p->depth--;
	return node;
}

// After NAME '('.
static struct node *parse_function(struct parser *p, char *name)
{
	struct node *node = node_new(p, NODE_FUNCTION, NULL, NULL);

	if (!accept(p, TOKEN_CLOSE) || !is_name(name, strlen(name)))
		unexpected(p);
	skip_newlines(p);
	node->name = name;
	node->left = parse_compound(p);
	if (!node->left)
		unexpected(p);
	return node;
}

static bool at_closing_word(struct parser *p)
{
	static const char *const words[] = {
		"then", "else", "elif", "fi", "do", "done", "esac", "}"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (at_word(p, words[i]))
			return true;
	return false;
}

static struct node *parse_pipeline(struct parser *p)
{
	bool negate = false;
	struct node *node, *right;

	while (accept_word(p, "!"))
		negate = !negate;
	if (at_closing_word(p))
		unexpected(p);
	node = parse_compound(p);
	if (!node)
		node = parse_simple(p);
	if (accept(p, TOKEN_PIPE)) {
		skip_newlines(p);
		right = parse_pipeline(p);
		node = node_new(p, NODE_PIPE, node, right);
	}
	return negate ? node_new(p, NODE_NOT, node, NULL) : node;
}

static struct node *parse_and_or(struct parser *p)
{
	struct node *node = parse_pipeline(p);

	for (;;) {
		enum node_kind kind = NODE_AND;

		if (!accept(p, TOKEN_AND)) {
			if (!accept(p, TOKEN_OR))
				return node;
			kind = NODE_OR;
		}
		skip_newlines(p);
		node = node_new(p, kind, node, parse_pipeline(p));
	}
}

static bool at_list_end(struct parser *p)
{
	enum token token = peek(p);

	return token == TOKEN_END || token == TOKEN_CLOSE || token == TOKEN_DOUBLE_SEMICOLON ||
	       at_closing_word(p);
}

// IN_LINE: the list ends at its newline, which is not passed: to look behind it would be to read
// another line before this one has run.
static struct node *parse_list(struct parser *p, bool in_line)
{
	struct node *list = NULL, *node;

	if (!in_line)
		skip_newlines(p);
	do {
		bool background;

		node = parse_and_or(p);
		background = accept(p, TOKEN_AMPERSAND);
		if (background)
			node = node_new(p, NODE_BACKGROUND, node, NULL);
		list = list ? node_new(p, NODE_SEQUENCE, list, node) : node;
		if (!background && !accept(p, TOKEN_SEMICOLON) &&
			(in_line || peek(p) != TOKEN_NEWLINE))
			break;
		if (in_line && peek(p) == TOKEN_NEWLINE)
			break;
		if (!in_line)
			skip_newlines(p);
	} while (!at_list_end(p));
	return list;
}

void parse_substitution(struct lexer *lexer)
{
	struct parser *outer = (struct parser *)lexer;
	struct parser p = {
		.lexer = {.source = lexer->source, .arena = lexer->arena, .fail = fail},
		.failed = outer->failed,
		.depth = outer->depth + 1,
	};

	if (p.depth > DEPTH_MAX)
		fail(lexer, "nested too deeply");
	skip_newlines(&p);
	if (peek(&p) != TOKEN_CLOSE)
		parse_list(&p, false);
	if (!accept(&p, TOKEN_CLOSE))
		unexpected(&p);
}

size_t substitution_length(const char *text)
{
	struct arena arena = {NULL};
	struct source source;
	jmp_buf failed;
	struct parser p = {
		.lexer = {.source = &source, .arena = &arena, .fail = fail}, .failed = &failed};
	size_t n;

	source_string(&source, text);
	if (!setjmp(failed))
		parse_substitution(&p.lexer);
	n = source.at;
	source_free(&source);
	arena_free(&arena);
	return n;
}

enum parse_result parse_command(struct source *source, struct arena *arena, struct node **node)
{
	jmp_buf failed;
	struct parser p = {
		.lexer = {.source = source, .arena = arena, .fail = fail},
		.failed = &failed,
	};

	*node = NULL;
	source_discard(source);
	if (setjmp(failed))
		return PARSE_ERROR;
	if (accept(&p, TOKEN_NEWLINE))
		return PARSE_OK;
	if (peek(&p) == TOKEN_END)
		return PARSE_END;
	*node = parse_list(&p, true);
	if (peek(&p) != TOKEN_NEWLINE && peek(&p) != TOKEN_END)
		unexpected(&p);
	return PARSE_OK;
}
