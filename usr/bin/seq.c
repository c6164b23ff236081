// SPDX-License-Identifier: MIT
// seq: print numbers from FIRST (1) by STEP (1) to LAST.
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

const char prog[] = "seq";
const char usage_args[] = "[-s SEPARATOR] [FIRST [STEP]] LAST";

int main(int argc, char **argv)
{
	const char *separator = "\n", *gap = "";
	long long n[3], first = 1, step = 1, last;
	int i = 1, count;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		separator = argv[2];
		i = 3;
	}
	count = argc - i;
	if (count < 1 || count > 3)
		usage();
	for (int k = 0; k < count; k++)
		if (!parse_size(argv[i + k], &n[k]))
			usage();
	last = n[count - 1];
	if (count > 1)
		first = n[0];
	if (count > 2)
		step = n[1];
	if (step == 0)
		usage();
	for (; step > 0 ? first <= last : first >= last; first += step) {
		printf("%s%lld", gap, first);
		gap = separator;
	}
	if (*gap)
		putchar('\n');
	return finish(0);
}
