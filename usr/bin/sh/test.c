// SPDX-License-Identifier: MIT
// test and [: POSIX.1 says what few arguments mean by their number; the grammar below agrees with
// it as long as operands do not look like operators.
//
//   or       and { -o and }
//   and      not { -a not }
//   not      '!' not | primary
//   primary  '(' or ')' | OP operand | operand OP operand | operand
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

struct test {
	char **argv;
	int left; // arguments not yet used
	bool failed;
};

static bool either(struct test *t);

static bool fail(struct test *t, const char *what, const char *why)
{
	if (!t->failed)
		complain_plain("test: %s: %s", what, why);
	t->failed = true;
	return false;
}

static char *take(struct test *t)
{
	t->left--;
	return *t->argv++;
}

static bool accept(struct test *t, const char *text)
{
	if (t->left == 0 || strcmp(*t->argv, text))
		return false;
	take(t);
	return true;
}

static long long number(struct test *t, const char *text)
{
	long long value;

	if (!parse_size(text, &value))
		fail(t, text, "not a number");
	return value;
}

static bool test_mode(char op, mode_t mode)
{
	switch (op) {
	case 'b':
		return S_ISBLK(mode);
	case 'c':
		return S_ISCHR(mode);
	case 'd':
		return S_ISDIR(mode);
	case 'f':
		return S_ISREG(mode);
	case 'p':
		return S_ISFIFO(mode);
	case 'S':
		return S_ISSOCK(mode);
	case 'h':
	case 'L':
		return S_ISLNK(mode);
	default:
		return true; // -e
	}
}

static bool unary(struct test *t, char op, const char *operand)
{
	struct stat st;

	switch (op) {
	case 'n':
		return *operand;
	case 'z':
		return !*operand;
	case 'r':
		return access(operand, R_OK) == 0;
	case 'w':
		return access(operand, W_OK) == 0;
	case 'x':
		return access(operand, X_OK) == 0;
	case 't':
		return isatty((int)number(t, operand));
	case 's':
		return stat(operand, &st) == 0 && st.st_size > 0;
	case 'h':
	case 'L':
		return lstat(operand, &st) == 0 && test_mode(op, st.st_mode);
	default:
		return stat(operand, &st) == 0 && test_mode(op, st.st_mode);
	}
}

static bool is_unary(const char *s)
{
	return s[0] == '-' && s[1] && !s[2] && strchr("bcdefhLnprsStwxz", s[1]);
}

static const char *const comparisons[] = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};

static int comparison(const char *s)
{
	for (int i = 0; i < 6; i++)
		if (!strcmp(s, comparisons[i]))
			return i;
	return -1;
}

static bool is_binary(const char *s)
{
	return !strcmp(s, "=") || !strcmp(s, "==") || !strcmp(s, "!=") || !strcmp(s, "-nt") ||
	       !strcmp(s, "-ot") || !strcmp(s, "-ef") || comparison(s) >= 0;
}

static bool compare_numbers(int op, long long x, long long y)
{
	const bool holds[] = {x == y, x != y, x<y, x <= y, x> y, x >= y};

	return holds[op];
}

static bool newer(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

static bool compare_files(char op, const char *left, const char *right)
{
	struct stat a, b;

	if (stat(left, &a) != 0 || stat(right, &b) != 0)
		return false;
	if (op == 'e')
		return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	return op == 'n' ? newer(&a, &b) : newer(&b, &a);
}

static bool binary(struct test *t, const char *left, const char *op, const char *right)
{
	if (comparison(op) >= 0)
		return compare_numbers(comparison(op), number(t, left), number(t, right));
	if (op[0] == '-')
		return compare_files(op[1], left, right);
	return !strcmp(left, right) == (op[0] == '=');
}

static bool primary(struct test *t)
{
	char *first, *op;
	bool value;

	if (t->left == 0)
		return fail(t, "an operand", "missing");
	if (t->left >= 3 && is_binary(t->argv[1])) {
		first = take(t);
		op = take(t);
		return binary(t, first, op, take(t));
	}
	if (t->left >= 3 && accept(t, "(")) {
		value = either(t);
		return accept(t, ")") ? value : fail(t, ")", "missing");
	}
	if (t->left >= 2 && is_unary(*t->argv)) {
		op = take(t);
		return unary(t, op[1], take(t));
	}
	return *take(t);
}

static bool negated(struct test *t)
{
	bool negate = false;

	while (t->left > 1 && !(t->left == 3 && is_binary(t->argv[1])) && accept(t, "!"))
		negate = !negate;
	return primary(t) != negate;
}

static bool both(struct test *t)
{
	bool value = negated(t);

	while (accept(t, "-a"))
		value &= negated(t);
	return value;
}

static bool either(struct test *t)
{
	bool value = both(t);

	while (accept(t, "-o"))
		value |= both(t);
	return value;
}

int builtin_test(int argc, char **argv)
{
	struct test t = {.argv = argv + 1, .left = argc - 1};
	bool value;

	if (!strcmp(argv[0], "[")) {
		if (strcmp(argv[argc - 1], "]")) {
			complain_plain("[: ] is missing");
			return 2;
		}
		t.left--;
	}
	if (t.left == 0)
		return 1;
	value = either(&t);
	if (t.left && !t.failed)
		fail(&t, *t.argv, "unexpected");
	return t.failed ? 2 : !value;
}
