// SPDX-License-Identifier: MIT
// env: print the environment, or run a command in a changed one.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "env";
const char usage_args[] = "[-i] [-u NAME]... [NAME=VALUE]... [COMMAND [ARG]...]";

extern char **environ;

int main(int argc, char **argv)
{
	static char *empty[] = {NULL};
	int option;

	while ((option = getopt(argc, argv, "+iu:")) != -1) {
		switch (option) {
		case 'i':
			environ = empty;
			break;
		case 'u':
			unsetenv(optarg);
			break;
		default:
			usage();
		}
	}
	for (; optind < argc && strchr(argv[optind], '='); optind++)
		if (putenv(argv[optind]) != 0)
			die("%s", argv[optind]);
	if (optind < argc) {
		execvp(argv[optind], argv + optind);
		complain("%s", argv[optind]);
		return errno == ENOENT ? 127 : 126;
	}
	for (char **e = environ; *e; e++)
		puts(*e);
	return finish(0);
}
