// SPDX-License-Identifier: MIT
// Counting lines, words and bytes: wc reads, mapwc maps, both count and print alike.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct counts {
	unsigned long long lines, words, bytes;
	bool in_word;
};

struct count_columns {
	bool lines, words, bytes;
};

// Counts N more bytes of the same text.
void count_bytes(struct counts *c, const char *text, size_t n);

// Adds C to TOTAL.
void count_add(struct counts *total, const struct counts *c);

// One output line; NAME may be NULL.
void count_print(const struct counts *c, struct count_columns columns, const char *name);

// Reads the options -l -w -c (all three when none is given); usage() on others.
struct count_columns count_options(int argc, char **argv);
