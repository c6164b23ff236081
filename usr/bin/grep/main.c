// SPDX-License-Identifier: MIT
// grep: print the lines that match a pattern. Exit status 0: some did; 1: none; 2: trouble.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/tree.h"
#include "../lib/util.h"
#include "regex.h"

const char prog[] = "grep";
const char usage_args[] = "[-EFchilnqrsv] [-e PATTERN]... [PATTERN] [FILE]...";

#define PATTERNS_MAX 32

static struct {
	bool count, names_only, numbers, quiet, recursive, silent, invert;
	int with_name; // -1: when there are several files
	int flags;
	struct regex *patterns[PATTERNS_MAX];
	int patterns_n;
} opt = {.with_name = -1};

static bool any_match, trouble;

static void add_pattern(const char *text)
{
	const char *error;

	if (opt.patterns_n == PATTERNS_MAX) {
		complain_plain("more than %d patterns", PATTERNS_MAX);
		exit(2);
	}
	opt.patterns[opt.patterns_n] = regex_new(text, opt.flags, &error);
	if (!opt.patterns[opt.patterns_n++]) {
		complain_plain("%s: %s", text, error);
		exit(2);
	}
}

static bool selected(const char *line, size_t n)
{
	for (int i = 0; i < opt.patterns_n; i++)
		if (regex_search(opt.patterns[i], line, n))
			return !opt.invert;
	return opt.invert;
}

static void print_line(const char *name, unsigned long number, const char *line, size_t n)
{
	if (opt.with_name > 0)
		printf("%s:", name);
	if (opt.numbers)
		printf("%lu:", number);
	fwrite(line, 1, n, stdout);
	putchar('\n');
}

static void print_summary(const char *name, unsigned long matches)
{
	if (opt.quiet)
		return;
	if (opt.names_only && matches)
		puts(name);
	if (opt.count && !opt.names_only) {
		if (opt.with_name > 0)
			printf("%s:", name);
		printf("%lu\n", matches);
	}
}

static void grep_stream(FILE *in, const char *name)
{
	unsigned long number = 0, matches = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	errno = 0;
	while ((n = getline(&line, &room, in)) >= 0) {
		number++;
		if (n > 0 && line[n - 1] == '\n')
			n--;
		if (!selected(line, (size_t)n))
			continue;
		any_match = true;
		matches++;
		if (opt.quiet || opt.names_only)
			break;
		if (!opt.count)
			print_line(name, number, line, (size_t)n);
	}
	if (ferror(in)) {
		complain("%s", name);
		trouble = true;
	}
	free(line);
	print_summary(name, matches);
}

static void grep_path(const char *path);

static void grep_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir) {
		complain("%s", path);
		trouble = true;
		return;
	}
	while ((entry = readdir(dir))) {
		char *child;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		child = path_join(path, entry->d_name);
		grep_path(child);
		free(child);
	}
	closedir(dir);
}

static void grep_path(const char *path)
{
	FILE *in;

	if (opt.quiet && any_match)
		return;
	if (!strcmp(path, "-")) {
		grep_stream(stdin, "(standard input)");
		return;
	}
	if (is_folder(path) && opt.recursive) {
		grep_folder(path);
		return;
	}
	errno = EISDIR;
	in = is_folder(path) ? NULL : fopen(path, "r");
	if (!in) {
		if (!opt.silent)
			complain("%s", path);
		trouble = true;
		return;
	}
	grep_stream(in, path);
	fclose(in);
}

static void read_options(int argc, char **argv)
{
	const char *patterns[PATTERNS_MAX];
	int option, n = 0;

	while ((option = getopt(argc, argv, "EFHce:hilnqrsv")) != -1) {
		switch (option) {
		case 'E':
			opt.flags |= REGEX_EXTENDED;
			break;
		case 'F':
			opt.flags |= REGEX_LITERAL;
			break;
		case 'H':
		case 'h':
			opt.with_name = option == 'H';
			break;
		case 'c':
			opt.count = true;
			break;
		case 'e':
			if (n == PATTERNS_MAX)
				usage();
			patterns[n++] = optarg;
			break;
		case 'i':
			opt.flags |= REGEX_FOLD;
			break;
		case 'l':
			opt.names_only = true;
			break;
		case 'n':
			opt.numbers = true;
			break;
		case 'q':
			opt.quiet = true;
			break;
		case 'r':
			opt.recursive = true;
			break;
		case 's':
			opt.silent = true;
			break;
		case 'v':
			opt.invert = true;
			break;
		default:
			usage();
		}
	}
	if (n == 0) {
		if (optind == argc)
			usage();
		patterns[n++] = argv[optind++];
	}
	for (int i = 0; i < n; i++)
		add_pattern(patterns[i]);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	if (opt.with_name < 0)
		opt.with_name = argc - optind > 1 || opt.recursive;
	if (optind == argc)
		grep_path(opt.recursive ? "." : "-");
	for (; optind < argc; optind++)
		grep_path(argv[optind]);
	if (finish(0) != 0 || (trouble && !(opt.quiet && any_match)))
		return 2;
	return any_match ? 0 : 1;
}
