// SPDX-License-Identifier: MIT
// maps: the areas of a process: where, how large, how much of it is resident (if the kernel says
// so, in /proc/PID/smaps), the rights, and what lies behind.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

const char prog[] = "maps";
const char usage_args[] = "PID | self";

struct area {
	unsigned long long start, end, offset;
	char rights[8];
	long resident_kib;
	char name[512];
};

static bool have_smaps;

static void print_area(const struct area *a)
{
	printf("%010llx-%010llx %8lluK", a->start, a->end, (a->end - a->start) / 1024);
	if (have_smaps)
		printf(" %7ldK", a->resident_kib);
	printf("  %c%c%c %-7s", a->rights[0], a->rights[1], a->rights[2],
		a->rights[3] == 's' ? "shared" : "private");
	if (a->name[0] == '/')
		printf("  %s +%#llx", a->name, a->offset);
	else
		printf("  %s", a->name[0] ? a->name : "anonymous");
	putchar('\n');
}

// A line of maps starts with two addresses in hexadecimal; the others of smaps with a word.
static bool parse_area(char *line, struct area *a)
{
	char *end, *name;
	int column = 0;

	a->start = strtoull(line, &end, 16);
	if (end == line || *end != '-')
		return false;
	a->end = strtoull(end + 1, &end, 16);
	if (sscanf(end, " %7s %llx %*s %*s%n", a->rights, &a->offset, &column) < 2)
		return false;
	for (name = end + column; isspace((unsigned char)*name); name++)
		;
	name[strcspn(name, "\n")] = '\0';
	snprintf(a->name, sizeof a->name, "%s", name);
	a->resident_kib = 0;
	return true;
}

static FILE *open_proc(const char *pid, const char *file, char *path, size_t room)
{
	snprintf(path, room, "/proc/%s/%s", pid, file);
	return fopen(path, "r");
}

int main(int argc, char **argv)
{
	struct area area, next;
	bool have = false;
	unsigned long long total = 0;
	char path[128], line[1024];
	FILE *in;

	if (argc != 2 || (strcmp(argv[1], "self") && !isdigit((unsigned char)argv[1][0])))
		usage();
	in = open_proc(argv[1], "smaps", path, sizeof path);
	have_smaps = in;
	if (!in)
		in = open_proc(argv[1], "maps", path, sizeof path);
	if (!in)
		die("%s", path);
	printf("     start-end             size%s  rights       what\n",
		have_smaps ? " resident" : "");
	while (fgets(line, sizeof line, in)) {
		if (!parse_area(line, &next)) {
			if (have && !strncmp(line, "Rss:", 4))
				area.resident_kib = atol(line + 4);
			continue;
		}
		if (have)
			print_area(&area);
		area = next;
		have = true;
		total += area.end - area.start;
	}
	if (have)
		print_area(&area);
	if (ferror(in))
		die("%s", path);
	printf("total %lluK\n", total / 1024);
	return finish(0);
}
