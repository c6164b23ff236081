// SPDX-License-Identifier: MIT
// printf: print the arguments under a format; it is used again while arguments are left.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

const char prog[] = "printf";
const char usage_args[] = "FORMAT [ARG]...";

static int status;

// At a backslash: prints what it stands for and returns the last character used.
static const char *print_escape(const char *p)
{
	static const char from[] = "\\abfnrtv", to[] = "\\\a\b\f\n\r\t\v";
	const char *hit;
	int c = 0, n = 0;

	p++;
	if (*p >= '0' && *p <= '7') {
		for (; n < 3 && *p >= '0' && *p <= '7'; n++)
			c = c * 8 + (*p++ - '0');
		putchar(c);
		return p - 1;
	}
	hit = *p ? strchr(from, *p) : NULL;
	if (!hit) {
		putchar('\\');
		return p - 1;
	}
	putchar(to[hit - from]);
	return p;
}

static long long number(const char *text)
{
	char *end;
	long long value;

	if (text[0] == '\'' || text[0] == '"')
		return (unsigned char)text[1];
	value = strtoll(text, &end, 0);
	if (*end || (end == text && *text)) {
		complain_plain("%s: not a number", text);
		status = 1;
	}
	return value;
}

// At a percent sign: prints ARG under the directive and returns its last character.
static const char *print_directive(const char *p, const char *arg)
{
	size_t n = 1 + strspn(p + 1, "-+ #0"), end;
	char directive[64];
	char letter;

	end = n + strspn(p + n, "0123456789.");
	letter = p[end];
	if (!letter || !strchr("diouxXcsb", letter) || end > sizeof directive - 4) {
		complain_plain("%s: bad directive", p);
		exit(1);
	}
	memcpy(directive, p, end);
	if (strchr("diouxX", letter)) {
		snprintf(directive + end, 4, "ll%c", letter);
		printf(directive, arg ? number(arg) : 0);
	} else if (letter == 'b') {
		for (const char *q = arg ? arg : ""; *q; q++)
			*q == '\\' ? (void)(q = print_escape(q)) : (void)putchar(*q);
	} else {
		strcpy(directive + end, letter == 'c' ? "c" : "s");
		if (letter == 'c')
			printf(directive, arg ? arg[0] : 0);
		else
			printf(directive, arg ? arg : "");
	}
	return p + end;
}

int main(int argc, char **argv)
{
	int next = 2, used;

	if (argc < 2)
		usage();
	do {
		used = 0;
		for (const char *p = argv[1]; *p; p++) {
			if (*p == '\\') {
				p = print_escape(p);
			} else if (p[0] == '%' && p[1] == '%') {
				putchar(*p++);
			} else if (*p == '%') {
				p = print_directive(p, next < argc ? argv[next] : NULL);
				next++;
				used++;
			} else {
				putchar(*p);
			}
		}
	} while (used && next < argc);
	return finish(status);
}
