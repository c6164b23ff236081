// SPDX-License-Identifier: MIT
// $((...)): integer arithmetic with C's operators, by precedence climbing.
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "sh.h"

struct arith {
	const char *p;
	bool failed;
	int skip;  // > 0: the value is not wanted, so nothing is assigned and nothing fails
	int depth; // of brackets and signs: the stack is not endless
};

#define DEPTH_MAX 200

static long long ternary(struct arith *a);

static const struct binary {
	const char *text;
	int level; // the higher, the tighter
} binaries[] = {
	{"||", 1},
	{"&&", 2},
	{"==", 6},
	{"!=", 6},
	{"<=", 7},
	{">=", 7},
	{"<<", 8},
	{">>", 8},
	{"|", 3},
	{"^", 4},
	{"&", 5},
	{"<", 7},
	{">", 7},
	{"+", 9},
	{"-", 9},
	{"*", 10},
	{"/", 10},
	{"%", 10},
};

static long long fail(struct arith *a, const char *why)
{
	if (!a->failed && !a->skip)
		complain_plain("arithmetic: %s", why);
	a->failed |= !a->skip;
	return 0;
}

static void skip_blanks(struct arith *a)
{
	while (isspace((unsigned char)*a->p))
		a->p++;
}

static bool accept(struct arith *a, const char *text)
{
	skip_blanks(a);
	if (strncmp(a->p, text, strlen(text)))
		return false;
	a->p += strlen(text);
	return true;
}

static long long divide(struct arith *a, char op, long long x, long long y)
{
	if (y == 0)
		return fail(a, "division by zero");
	if (y == -1) // the one quotient that does not fit wraps
		return op == '/' ? (long long)(0 - (unsigned long long)x) : 0;
	return op == '/' ? x / y : x % y;
}

// Overflow wraps: sums and products are taken without a sign.
static long long apply(struct arith *a, const char *op, long long x, long long y)
{
	unsigned long long ux = (unsigned long long)x, uy = (unsigned long long)y;

	if (op[1] == '=')
		switch (op[0]) {
		case '=':
			return x == y;
		case '!':
			return x != y;
		case '<':
			return x <= y;
		default:
			return x >= y;
		}
	if (!strcmp(op, "<<"))
		return (long long)(ux << (uy & 63));
	if (!strcmp(op, ">>"))
		return x >> (uy & 63);
	switch (op[0]) {
	case '|':
		return op[1] ? x || y : x | y;
	case '&':
		return op[1] ? x && y : x & y;
	case '^':
		return x ^ y;
	case '<':
		return x < y;
	case '>':
		return x > y;
	case '+':
		return (long long)(ux + uy);
	case '-':
		return (long long)(ux - uy);
	case '*':
		return (long long)(ux * uy);
	default:
		return divide(a, op[0], x, y);
	}
}

static long long value_of(struct arith *a, const char *name)
{
	const char *text = var_get(name);
	char *end;
	long long value;

	if (!text || !*text)
		return 0;
	value = strtoll(text, &end, 0);
	return *end ? fail(a, "a variable is not a number") : value;
}

static void assign(struct arith *a, const char *name, long long value)
{
	char text[32];

	if (a->skip || a->failed)
		return;
	snprintf(text, sizeof text, "%lld", value);
	var_set(name, text);
}

// The operator of += -= *= /= %= &= |= ^= <<= >>= when the text is at one.
static const struct binary *compound_at(struct arith *a)
{
	for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++) {
		const struct binary *b = &binaries[i];
		size_t n = strlen(b->text);
		bool logic = b->level == 1 || b->level == 2,
		     compares = b->level == 6 || b->level == 7;

		if (!logic && !compares && !strncmp(a->p, b->text, n) && a->p[n] == '=')
			return b;
	}
	return NULL;
}

// A variable, perhaps with an assignment.
static long long variable(struct arith *a)
{
	char name[64];
	const struct binary *op;
	size_t n = name_length(a->p);
	long long value;

	if (n >= sizeof name)
		return fail(a, "a name is too long");
	memcpy(name, a->p, n);
	name[n] = '\0';
	a->p += n;
	skip_blanks(a);
	op = compound_at(a);
	if (!op && (a->p[0] != '=' || a->p[1] == '='))
		return value_of(a, name);
	a->p += op ? strlen(op->text) + 1 : 1;
	value = ternary(a);
	if (op)
		value = apply(a, op->text, value_of(a, name), value);
	assign(a, name, value);
	return value;
}

static long long unary(struct arith *a)
{
	long long value;
	char *end;

	if (a->depth >= DEPTH_MAX)
		return fail(a, "nested too deeply");
	a->depth++;
	if (accept(a, "-")) {
		value = (long long)(0 - (unsigned long long)unary(a));
	} else if (accept(a, "+")) {
		value = unary(a);
	} else if (accept(a, "!")) {
		value = !unary(a);
	} else if (accept(a, "~")) {
		value = ~unary(a);
	} else if (accept(a, "(")) {
		value = ternary(a);
		if (!accept(a, ")"))
			fail(a, "a bracket is missing");
	} else if (name_length(a->p)) {
		value = variable(a);
	} else {
		value = strtoll(a->p, &end, 0);
		if (end == a->p)
			fail(a, "a number is missing");
		a->p = end;
	}
	a->depth--;
	return value;
}

static const struct binary *binary_at(struct arith *a)
{
	skip_blanks(a);
	for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++)
		if (!strncmp(a->p, binaries[i].text, strlen(binaries[i].text)))
			return &binaries[i];
	return NULL;
}

static long long binary(struct arith *a, int level)
{
	long long left = unary(a), right;
	const struct binary *op;

	while (!a->failed && (op = binary_at(a)) && op->level >= level) {
		bool decided = (op->level == 1 && left) || (op->level == 2 && !left);

		a->p += strlen(op->text);
		a->skip += decided;
		right = binary(a, op->level + 1);
		a->skip -= decided;
		left = apply(a, op->text, left, right);
	}
	return left;
}

static long long ternary(struct arith *a)
{
	long long value = binary(a, 1), yes, no;

	if (a->failed || !accept(a, "?"))
		return value;
	a->skip += !value;
	yes = ternary(a);
	a->skip -= !value;
	if (!accept(a, ":"))
		return fail(a, "a colon is missing");
	a->skip += !!value;
	no = ternary(a);
	a->skip -= !!value;
	return value ? yes : no;
}

bool arith_evaluate(const char *text, long long *value)
{
	struct arith a = {.p = text};

	skip_blanks(&a);
	*value = *a.p ? ternary(&a) : 0;
	skip_blanks(&a);
	if (*a.p && !a.failed)
		fail(&a, "something is left over");
	return !a.failed;
}
