// SPDX-License-Identifier: MIT
// uname: what this system is.
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "uname";
const char usage_args[] = "[-asnrvm]";

int main(int argc, char **argv)
{
	static const char letters[] = "snrvm";
	bool wanted[sizeof letters] = {false}, any = false;
	struct utsname u;
	int option;

	while ((option = getopt(argc, argv, "asnrvm")) != -1) {
		if (option == '?')
			usage();
		for (size_t i = 0; letters[i]; i++)
			wanted[i] |= option == 'a' || option == letters[i];
		any = true;
	}
	if (optind < argc)
		usage();
	if (uname(&u) != 0)
		die("uname");
	wanted[0] |= !any;

	const char *const parts[] = {u.sysname, u.nodename, u.release, u.version, u.machine};
	const char *gap = "";
	for (size_t i = 0; letters[i]; i++) {
		if (!wanted[i])
			continue;
		printf("%s%s", gap, parts[i]);
		gap = " ";
	}
	putchar('\n');
	return finish(0);
}
