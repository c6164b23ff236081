// SPDX-License-Identifier: MIT
// A regular expression becomes a tree, the tree a program for a machine that is in many places at
// once, and the machine reads each byte of the text exactly once (Thompson, CACM 1968): time is
// length of text times length of program, whatever the pattern.
//
//   a         CHAR a               e1e2   code(e1) code(e2)
//   .         ANY                  e*     L: SPLIT M,N; M: code(e); JUMP L; N:
//   [a-z]     SET                  e?     SPLIT M,N; M: code(e); N:
//   ^  $      BEGIN  END           e1|e2  SPLIT M,N; M: code(e1); JUMP O; N: code(e2); O:
//
// e{m,n} is m copies of e and n-m copies of e?; that is why there is a tree in between.
#include "regex.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define REPEAT_MAX 255 // as RE_DUP_MAX
#define CODE_MAX   65536

enum op { OP_CHAR, OP_ANY, OP_SET, OP_BEGIN, OP_END, OP_SPLIT, OP_JUMP, OP_MATCH };

struct set {
	uint8_t bits[32];
};

struct instruction {
	enum op op;
	int a, b; // character or set; targets
};

struct regex {
	struct instruction *code;
	int n, room;
	struct set *sets;
	int sets_n;
	int *now, *next, *stack; // places; a work list
	int *seen;               // by place: the step that reached it last
	int step;
	bool fold;
};

enum kind { ATOM, EMPTY, CONCAT, EITHER, REPEAT };

struct node {
	enum kind kind;
	struct instruction atom;
	struct node *left, *right;
	int least, most; // REPEAT; most -1: no limit
};

struct parser {
	const char *p;
	int flags, depth;
	struct regex *regex;
	const char *error;
};

static struct node *parse_either(struct parser *ps);

static struct node *node_new(enum kind kind, struct node *left, struct node *right)
{
	struct node *node = need_memory(sizeof *node);

	*node = (struct node){.kind = kind, .left = left, .right = right};
	return node;
}

static struct node *atom_new(enum op op, int a)
{
	struct node *node = node_new(ATOM, NULL, NULL);

	node->atom = (struct instruction){.op = op, .a = a};
	return node;
}

static void node_free(struct node *node)
{
	if (!node)
		return;
	node_free(node->left);
	node_free(node->right);
	free(node);
}

static void set_add(struct set *set, int c)
{
	set->bits[(c & 255) / 8] |= (uint8_t)(1 << c % 8);
}

static bool set_has(const struct set *set, int c)
{
	return set->bits[(c & 255) / 8] & 1 << c % 8;
}

static const struct {
	const char *name;
	int (*is)(int c);
} classes[] = {
	{"alpha", isalpha},
	{"digit", isdigit},
	{"alnum", isalnum},
	{"upper", isupper},
	{"lower", islower},
	{"space", isspace},
	{"punct", ispunct},
	{"xdigit", isxdigit},
	{"print", isprint},
	{"graph", isgraph},
	{"cntrl", iscntrl},
};

// At "[:name:]": adds the class and returns what follows, or NULL.
static const char *set_add_class(struct set *set, const char *p)
{
	const char *name = p + 2, *end = strstr(name, ":]");

	for (size_t i = 0; end && i < sizeof classes / sizeof classes[0]; i++) {
		size_t n = strlen(classes[i].name);

		if (n != (size_t)(end - name) || memcmp(name, classes[i].name, n))
			continue;
		for (int c = 0; c < 128; c++)
			if (classes[i].is(c))
				set_add(set, c);
		return end + 2;
	}
	return NULL;
}

static struct node *fail_at(struct parser *ps, const char *why)
{
	if (!ps->error)
		ps->error = why;
	return NULL;
}

static int set_store(struct regex *regex, const struct set *set)
{
	size_t bytes = ((size_t)regex->sets_n + 1) * sizeof *set;

	regex->sets = realloc(regex->sets, bytes);
	if (!regex->sets)
		die("%zu bytes", bytes);
	regex->sets[regex->sets_n] = *set;
	return regex->sets_n++;
}

// One element of a bracket expression: a class, a range or a character.
static const char *parse_element(struct set *set, const char *p)
{
	int first = (unsigned char)p[0], last = first;

	if (p[0] == '[' && p[1] == ':')
		return set_add_class(set, p);
	if (p[1] == '-' && p[2] && p[2] != ']') {
		last = (unsigned char)p[2];
		p += 2;
		if (last < first)
			return NULL;
	}
	for (int c = first; c <= last; c++)
		set_add(set, c);
	return p + 1;
}

static struct node *parse_bracket(struct parser *ps)
{
	const char *p = ps->p + 1;
	bool negate = *p == '^';
	struct set set = {{0}};
	bool first = true;

	for (p += negate; *p != ']' || first; first = false) {
		if (*p == '\0')
			return fail_at(ps, "unmatched [");
		p = parse_element(&set, p);
		if (!p)
			return fail_at(ps, "bad range or class in []");
	}
	ps->p = p + 1;
	for (int c = 0; ps->flags & REGEX_FOLD && c < 128; c++)
		if (set_has(&set, c)) {
			set_add(&set, tolower(c));
			set_add(&set, toupper(c));
		}
	for (int i = 0; negate && i < 32; i++)
		set.bits[i] = (uint8_t)~set.bits[i];
	return atom_new(OP_SET, set_store(ps->regex, &set));
}

// Whether the operator C stands at P: plain in extended, behind a backslash in basic expressions.
static bool at_operator(const struct parser *ps, char c)
{
	if (ps->flags & REGEX_LITERAL)
		return false;
	if (ps->flags & REGEX_EXTENDED)
		return *ps->p == c;
	return ps->p[0] == '\\' && ps->p[1] == c;
}

static void skip_operator(struct parser *ps)
{
	ps->p += ps->flags & REGEX_EXTENDED ? 1 : 2;
}

static bool at_end(const struct parser *ps)
{
	return *ps->p == '\0' || at_operator(ps, '|') || (ps->depth > 0 && at_operator(ps, ')'));
}

static struct node *parse_group(struct parser *ps)
{
	struct node *node;

	skip_operator(ps);
	ps->depth++;
	node = parse_either(ps);
	if (node && !at_operator(ps, ')')) {
		node_free(node);
		return fail_at(ps, "unmatched (");
	}
	ps->depth--;
	if (node)
		skip_operator(ps);
	return node;
}

static struct node *literal(struct parser *ps)
{
	int c = (unsigned char)*ps->p++;

	return atom_new(OP_CHAR, ps->flags & REGEX_FOLD ? tolower(c) : c);
}

// In a basic expression ^ and $ are anchors only at the ends of a branch.
static bool is_anchor(const struct parser *ps, bool first)
{
	const char *p = ps->p;

	if (*p == '^')
		return first || ps->flags & REGEX_EXTENDED;
	if (*p != '$')
		return false;
	return ps->flags & REGEX_EXTENDED || p[1] == '\0' ||
	       (p[1] == '\\' && (p[2] == ')' || p[2] == '|'));
}

static struct node *parse_atom(struct parser *ps, bool first)
{
	if (ps->flags & REGEX_LITERAL)
		return literal(ps);
	if (at_operator(ps, '('))
		return parse_group(ps);
	if (is_anchor(ps, first))
		return atom_new(*ps->p++ == '^' ? OP_BEGIN : OP_END, 0);
	switch (*ps->p) {
	case '.':
		ps->p++;
		return atom_new(OP_ANY, 0);
	case '[':
		return parse_bracket(ps);
	case '\\':
		if (isdigit((unsigned char)ps->p[1]))
			return fail_at(ps, "back-references are not supported");
		if (*++ps->p == '\0')
			return fail_at(ps, "trailing backslash");
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		if (ps->flags & REGEX_EXTENDED)
			return fail_at(ps, "nothing to repeat");
		break;
	}
	return literal(ps);
}

static bool parse_number(struct parser *ps, int *value)
{
	char *end;
	long n = strtol(ps->p, &end, 10);

	if (!isdigit((unsigned char)*ps->p) || n > REPEAT_MAX)
		return false;
	ps->p = end;
	*value = (int)n;
	return true;
}

// At the operator "{": {m}, {m,} or {m,n}.
static bool parse_bounds(struct parser *ps, int *least, int *most)
{
	skip_operator(ps);
	if (!parse_number(ps, least))
		return false;
	*most = *least;
	if (*ps->p == ',') {
		ps->p++;
		*most = -1;
		if (isdigit((unsigned char)*ps->p) && (!parse_number(ps, most) || *most < *least))
			return false;
	}
	if (!at_operator(ps, '}'))
		return false;
	skip_operator(ps);
	return true;
}

static bool parse_repetition(struct parser *ps, int *least, int *most)
{
	*least = 0;
	*most = -1;
	if (ps->flags & REGEX_LITERAL)
		return false;
	if (*ps->p == '*') {
		ps->p++;
		return true;
	}
	if (at_operator(ps, '+')) {
		*least = 1;
	} else if (at_operator(ps, '?')) {
		*most = 1;
	} else if (at_operator(ps, '{')) {
		if (!parse_bounds(ps, least, most))
			fail_at(ps, "bad {}");
		return !ps->error;
	} else {
		return false;
	}
	skip_operator(ps);
	return true;
}

static struct node *parse_branch(struct parser *ps)
{
	struct node *branch = NULL;

	while (!at_end(ps)) {
		bool basic_star = !branch && *ps->p == '*' && !(ps->flags & REGEX_EXTENDED);
		struct node *atom = basic_star ? literal(ps) : parse_atom(ps, !branch);
		int least, most;

		while (atom && parse_repetition(ps, &least, &most)) {
			atom = node_new(REPEAT, atom, NULL);
			atom->least = least;
			atom->most = most;
		}
		if (!atom || ps->error) {
			node_free(atom);
			node_free(branch);
			return NULL;
		}
		branch = branch ? node_new(CONCAT, branch, atom) : atom;
	}
	return branch ? branch : node_new(EMPTY, NULL, NULL);
}

static struct node *parse_either(struct parser *ps)
{
	struct node *left = parse_branch(ps), *right;

	while (left && at_operator(ps, '|')) {
		skip_operator(ps);
		right = parse_branch(ps);
		if (!right) {
			node_free(left);
			return NULL;
		}
		left = node_new(EITHER, left, right);
	}
	return left;
}

// Appends an instruction and returns its place; past CODE_MAX it only counts on.
static int emit(struct regex *regex, enum op op, int a, int b)
{
	if (regex->n == regex->room && regex->n < CODE_MAX) {
		regex->room = regex->room ? regex->room * 2 : 64;
		regex->code = realloc(regex->code, (size_t)regex->room * sizeof *regex->code);
		if (!regex->code)
			die("regular expression");
	}
	if (regex->n < regex->room)
		regex->code[regex->n] = (struct instruction){op, a, b};
	return regex->n < CODE_MAX ? regex->n++ : CODE_MAX - 1;
}

static void generate(struct regex *regex, const struct node *node);

static void generate_repeat(struct regex *regex, const struct node *node)
{
	int split;

	for (int i = 0; i < node->least; i++)
		generate(regex, node->left);
	if (node->most < 0) {
		split = emit(regex, OP_SPLIT, regex->n + 1, 0);
		generate(regex, node->left);
		emit(regex, OP_JUMP, split, 0);
		regex->code[split].b = regex->n;
		return;
	}
	for (int i = node->least; i < node->most; i++) {
		split = emit(regex, OP_SPLIT, regex->n + 1, 0);
		generate(regex, node->left);
		regex->code[split].b = regex->n;
	}
}

static void generate(struct regex *regex, const struct node *node)
{
	int split, jump;

	switch (node->kind) {
	case ATOM:
		emit(regex, node->atom.op, node->atom.a, 0);
		break;
	case EMPTY:
		break;
	case CONCAT:
		generate(regex, node->left);
		generate(regex, node->right);
		break;
	case EITHER:
		split = emit(regex, OP_SPLIT, regex->n + 1, 0);
		generate(regex, node->left);
		jump = emit(regex, OP_JUMP, 0, 0);
		regex->code[split].b = regex->n;
		generate(regex, node->right);
		regex->code[jump].a = regex->n;
		break;
	case REPEAT:
		generate_repeat(regex, node);
		break;
	}
}

struct regex *regex_new(const char *pattern, int flags, const char **error)
{
	struct regex *regex = need_memory(sizeof *regex);
	struct parser ps = {.p = pattern, .flags = flags, .regex = regex};
	struct node *tree;
	size_t places;

	*regex = (struct regex){.fold = flags & REGEX_FOLD};
	tree = parse_either(&ps);
	if (tree) {
		generate(regex, tree);
		emit(regex, OP_MATCH, 0, 0);
		node_free(tree);
		if (regex->n >= CODE_MAX - 1)
			ps.error = "too large";
	}
	*error = ps.error;
	if (ps.error) {
		free(regex->code);
		free(regex->sets);
		free(regex);
		return NULL;
	}
	places = (size_t)regex->n * sizeof(int);
	regex->now = need_memory(places);
	regex->next = need_memory(places);
	regex->stack = need_memory(2 * places);
	regex->seen = need_memory(places);
	memset(regex->seen, 0, places);
	return regex;
}

// Follows jumps, splits and anchors from PLACE, and adds the places that wait for a byte to LIST
// of *N. Returns true when a MATCH is among them.
static bool add_places(struct regex *regex, int place, int *list, int *n, bool begin, bool end)
{
	int top = 0;

	regex->stack[top++] = place;
	while (top > 0) {
		int at = regex->stack[--top];
		const struct instruction *i = &regex->code[at];

		if (regex->seen[at] == regex->step)
			continue;
		regex->seen[at] = regex->step;
		if (i->op == OP_MATCH)
			return true;
		if (i->op == OP_JUMP) {
			regex->stack[top++] = i->a;
		} else if (i->op == OP_SPLIT) {
			regex->stack[top++] = i->b;
			regex->stack[top++] = i->a;
		} else if (i->op == OP_BEGIN || i->op == OP_END) {
			if (i->op == OP_BEGIN ? begin : end)
				regex->stack[top++] = at + 1;
		} else {
			list[(*n)++] = at;
		}
	}
	return false;
}

static bool accepts(const struct regex *regex, const struct instruction *i, int c)
{
	switch (i->op) {
	case OP_CHAR:
		return i->a == (regex->fold ? tolower(c) : c);
	case OP_ANY:
		return true;
	default:
		return set_has(&regex->sets[i->a], c);
	}
}

bool regex_search(struct regex *regex, const char *text, size_t n)
{
	int now_n = 0, next_n, *swap;

	for (size_t at = 0;; at++) {
		// A match may start anywhere: the first place joins those reached so far. They
		// were added under this same step, so a place is listed once.
		if (at == 0)
			regex->step++;
		if (add_places(regex, 0, regex->now, &now_n, at == 0, at == n))
			return true;
		if (at == n)
			return false;
		regex->step++;
		next_n = 0;
		for (int i = 0; i < now_n; i++) {
			const struct instruction *in = &regex->code[regex->now[i]];

			if (accepts(regex, in, (unsigned char)text[at]) &&
				add_places(regex, regex->now[i] + 1, regex->next, &next_n, false,
					at + 1 == n))
				return true;
		}
		swap = regex->now;
		regex->now = regex->next;
		regex->next = swap;
		now_n = next_n;
	}
}
