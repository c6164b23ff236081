// SPDX-License-Identifier: MIT
/*
 * Command-line options. Arguments are not reordered: the first that is no option ends the
 * options, as POSIX wants. A leading ':' in the option string silences messages.
 */
#pragma once

extern char *optarg;
extern int optind, opterr, optopt;

#define no_argument       0
#define required_argument 1
#define optional_argument 2

struct option {
	const char *name;
	int has_arg;
	int *flag; /* NULL: return val; else store it there and return 0 */
	int val;
};

int getopt(int argc, char *const argv[], const char *options);
int getopt_long(
	int argc, char *const argv[], const char *options, const struct option *longs, int *index);
