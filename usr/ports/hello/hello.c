// SPDX-License-Identifier: MIT
/*
 * A program as any, for Linux: standard output, floating point, the heap, the environment, time and
 * files.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	const char *words[] = {"raccoon", "map", "cache", "hello"};
	struct tm tm;
	time_t day = 86400 * 365;
	struct utsname name;
	char line[64], *copy;
	FILE *file;

	printf("hello, %s\n", argc > 1 ? argv[1] : "world");
	qsort(words, 4, sizeof(*words), compare);
	for (int i = 0; i < 4; i++)
		printf("%s%c", words[i], i < 3 ? ' ' : '\n');
	printf("%.6f %g %e\n", sqrt(2), 1e100, exp(1));
	copy = malloc(1 << 20);
	memset(copy, 'x', (1 << 20) - 1);
	copy[(1 << 20) - 1] = '\0';
	printf("%zu\n", strlen(copy));
	free(copy);
	setenv("WORD", "set", 1);
	printf("%s %s\n", getenv("WORD"), getenv("NOTHING") ? "?" : "unset");
	gmtime_r(&day, &tm);
	strftime(line, sizeof(line), "%Y-%m-%d %A", &tm);
	puts(line);
	file = tmpfile();
	fprintf(file, "%d %s\n", 42, "lines");
	rewind(file);
	printf("%s", fgets(line, sizeof(line), file));
	fclose(file);
	errno = 0;
	file = fopen("/nothing/here", "r");
	printf("%s\n", file ? "?" : strerror(errno));
	uname(&name);
	printf("%s %s\n", name.sysname, name.machine);
	fflush(stdout);
	fprintf(stderr, "to standard error\n");
	return argc > 2 ? atoi(argv[2]) : 0;
}
