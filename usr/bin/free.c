// SPDX-License-Identifier: MIT
// free: memory in KiB, from /proc/meminfo.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

const char prog[] = "free";
const char usage_args[] = "";

static const char *const fields[] = {"MemTotal", "MemFree", "MemAvailable", "Cached", "AnonPages",
	"Dirty", "SwapTotal", "SwapFree"};

#define COUNT (sizeof fields / sizeof fields[0])

static void parse(char *line, long long value[COUNT])
{
	char *colon = strchr(line, ':');

	if (!colon)
		return;
	*colon = '\0';
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(line, fields[i]))
			value[i] = atoll(colon + 1);
}

int main(int argc, char **argv)
{
	long long value[COUNT];
	char line[256];
	FILE *in;

	(void)argv;
	if (argc > 1)
		usage();
	for (size_t i = 0; i < COUNT; i++)
		value[i] = -1;
	in = fopen("/proc/meminfo", "r");
	if (!in)
		die("/proc/meminfo");
	while (fgets(line, sizeof line, in))
		parse(line, value);
	fclose(in);
	for (size_t i = 0; i < COUNT; i++)
		if (value[i] >= 0)
			printf("%-13s %10lld KiB\n", fields[i], value[i]);
	return finish(0);
}
