// SPDX-License-Identifier: MIT
// echo: print the arguments; -n leaves the newline out.
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

const char prog[] = "echo";
const char usage_args[] = "[-n] [WORD]...";

int main(int argc, char **argv)
{
	int i = 1;
	bool newline = true;

	if (argc > 1 && !strcmp(argv[1], "-n")) {
		newline = false;
		i++;
	}
	for (; i < argc; i++)
		printf("%s%s", argv[i], i + 1 < argc ? " " : "");
	if (newline)
		putchar('\n');
	return finish(0);
}
