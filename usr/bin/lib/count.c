// SPDX-License-Identifier: MIT
#include "count.h"

#include <stdio.h>
#include <unistd.h>

#include "util.h"

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void count_bytes(struct counts *c, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool space = is_space(text[i]);

		c->lines += text[i] == '\n';
		c->words += !space && !c->in_word;
		c->in_word = !space;
	}
	c->bytes += n;
}

void count_add(struct counts *total, const struct counts *c)
{
	total->lines += c->lines;
	total->words += c->words;
	total->bytes += c->bytes;
}

void count_print(const struct counts *c, struct count_columns columns, const char *name)
{
	const unsigned long long value[] = {c->lines, c->words, c->bytes};
	const bool shown[] = {columns.lines, columns.words, columns.bytes};
	bool alone = columns.lines + columns.words + columns.bytes == 1;
	const char *gap = "";

	for (int i = 0; i < 3; i++) {
		if (!shown[i])
			continue;
		printf("%s%*llu", gap, alone ? 0 : 7, value[i]);
		gap = " ";
	}
	if (name)
		printf(" %s", name);
	putchar('\n');
}

struct count_columns count_options(int argc, char **argv)
{
	struct count_columns columns = {false, false, false};
	int option;

	while ((option = getopt(argc, argv, "lwc")) != -1) {
		switch (option) {
		case 'l':
			columns.lines = true;
			break;
		case 'w':
			columns.words = true;
			break;
		case 'c':
			columns.bytes = true;
			break;
		default:
			usage();
		}
	}
	if (!columns.lines && !columns.words && !columns.bytes)
		columns = (struct count_columns){true, true, true};
	return columns;
}
