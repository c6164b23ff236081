// SPDX-License-Identifier: MIT
// A program of another C library, unmodified: its start-up, its stdio and its heap run here.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	char *heap = malloc(300000);

	if (!heap)
		return 1;
	memset(heap, 'x', 300000);
	printf("hello from glibc, %d argument%s, %s\n", argc - 1, argc == 2 ? "" : "s",
		argc > 1 ? argv[1] : "none");
	free(heap);
	return ferror(stdout) ? 1 : 0;
}
