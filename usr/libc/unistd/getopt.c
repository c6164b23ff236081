// SPDX-License-Identifier: MIT
/*
 * getopt and getopt_long, without reordering.
 */
#include <err.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

char *optarg;
int optind = 1, opterr = 1, optopt;

static const char *cluster; /* the rest of "-abc" */

static int complain(const char *options, const char *what, const char *option, int n, int missing)
{
	if (opterr && *options != ':')
		fprintf(stderr, "%s: %s -- '%.*s'\n", program_invocation_short_name, what, n,
			option);
	return missing && *options == ':' ? ':' : '?';
}

/* The letter at *cluster. */
static int short_option(int argc, char *const argv[], const char *options)
{
	const char *found;
	char letter[2] = {*cluster++, 0};

	optopt = (unsigned char)letter[0];
	found = letter[0] == ':' ? NULL : strchr(options, letter[0]);
	if (!*cluster)
		optind++;
	if (!found)
		return complain(options, "unknown option", letter, 1, 0);
	if (found[1] != ':')
		return optopt;
	if (*cluster) {
		optarg = (char *)cluster;
		optind++;
	} else if (found[2] == ':') {
		optarg = NULL;
	} else if (optind < argc) {
		optarg = argv[optind++];
	} else {
		cluster = NULL;
		return complain(options, "option needs an argument", letter, 1, 1);
	}
	cluster = NULL;
	return optopt;
}

/* An exact name, or the only one that it begins. */
static const struct option *find_long(const char *name, size_t n, const struct option *longs)
{
	const struct option *only = NULL;
	int matches = 0;

	for (const struct option *o = longs; o->name; o++) {
		if (strncmp(o->name, name, n) != 0)
			continue;
		if (strlen(o->name) == n)
			return o;
		only = o;
		matches++;
	}
	return matches == 1 ? only : NULL;
}

static int long_option(
	int argc, char *const argv[], const char *options, const struct option *longs, int *index)
{
	const char *name = argv[optind++] + 2, *end = strchrnul(name, '=');
	const struct option *o = find_long(name, (size_t)(end - name), longs);

	if (!o)
		return complain(options, "unknown option", name, (int)(end - name), 0);
	if (*end && o->has_arg == no_argument)
		return complain(options, "option takes no argument", name, (int)(end - name), 0);
	if (*end)
		optarg = (char *)end + 1;
	else if (o->has_arg == required_argument && optind == argc)
		return complain(options, "option needs an argument", name, (int)(end - name), 1);
	else
		optarg = o->has_arg == required_argument ? argv[optind++] : NULL;
	if (index)
		*index = (int)(o - longs);
	if (!o->flag)
		return o->val;
	*o->flag = o->val;
	return 0;
}

int getopt_long(
	int argc, char *const argv[], const char *options, const struct option *longs, int *index)
{
	const char *arg;

	if (optind == 0) { /* start over */
		optind = 1;
		cluster = NULL;
	}
	if (cluster && *cluster)
		return short_option(argc, argv, options);
	if (optind >= argc || argv[optind][0] != '-' || !argv[optind][1])
		return -1;
	arg = argv[optind];
	if (strcmp(arg, "--") == 0) {
		optind++;
		return -1;
	}
	if (arg[1] == '-' && longs)
		return long_option(argc, argv, options, longs, index);
	cluster = arg + 1;
	return short_option(argc, argv, options);
}

int getopt(int argc, char *const argv[], const char *options)
{
	return getopt_long(argc, argv, options, NULL, NULL);
}
