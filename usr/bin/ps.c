// SPDX-License-Identifier: MIT
// ps: the processes, from /proc/PID/stat (columns as in Linux's proc(5)).
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "ps";
const char usage_args[] = "";

#define PAGE_KIB       4
#define TICKS_A_SECOND 100

struct process {
	int pid, ppid, pgrp;
	char state;
	unsigned long ticks, memory_kib, resident_kib;
	char name[64];
};

static bool read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	text[n] = '\0';
	return true;
}

// The name stands in parentheses and may hold anything, so fields are counted from the last ')'.
static bool parse_stat(char *text, struct process *p)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')'), *rest;
	unsigned long field[22];
	int n = 0;

	if (!open || !close || close < open || close[1] != ' ')
		return false;
	*close = '\0';
	p->pid = atoi(text);
	snprintf(p->name, sizeof p->name, "%s", open + 1);
	p->state = close[2];
	for (rest = close + 3; n < 22 && *rest; n++)
		field[n] = strtoul(rest, &rest, 10);
	if (n < 2)
		return false;
	while (n < 22)
		field[n++] = 0;
	p->ppid = (int)field[0];
	p->pgrp = (int)field[1];
	p->ticks = field[10] + field[11];
	p->memory_kib = field[19] / 1024;
	p->resident_kib = field[20] * PAGE_KIB;
	return true;
}

static bool read_process(const char *pid, struct process *p)
{
	char path[300], text[1024];

	snprintf(path, sizeof path, "/proc/%s/stat", pid);
	return read_text(path, text, sizeof text) && parse_stat(text, p);
}

// The command line, or [name] for a process without one (a kernel thread, a zombie).
static void print_command(const struct process *p)
{
	char path[64], text[256] = "";
	size_t end = 0;

	snprintf(path, sizeof path, "/proc/%d/cmdline", p->pid);
	if (read_text(path, text, sizeof text) && text[0]) {
		while (end < sizeof text - 1 && (text[end] || text[end + 1])) {
			putchar(text[end] ? text[end] : ' ');
			end++;
		}
		putchar('\n');
	} else {
		printf("[%s]\n", p->name);
	}
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct process *)a)->pid - ((const struct process *)b)->pid;
}

int main(int argc, char **argv)
{
	struct process *list = NULL, p;
	size_t n = 0, room = 0;
	struct dirent *entry;
	DIR *dir;

	(void)argv;
	if (argc > 1)
		usage();
	dir = opendir("/proc");
	if (!dir)
		die("/proc");
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !read_process(entry->d_name, &p))
			continue;
		if (n == room) {
			room = room ? room * 2 : 32;
			list = realloc(list, room * sizeof *list);
			if (!list)
				die("%zu processes", room);
		}
		list[n++] = p;
	}
	closedir(dir);
	if (n)
		qsort(list, n, sizeof *list, by_pid);
	puts("  PID  PPID  PGRP S     TIME     VSZ     RSS COMMAND");
	for (size_t i = 0; i < n; i++) {
		unsigned long s = list[i].ticks / TICKS_A_SECOND;

		printf("%5d %5d %5d %c %5lu:%02lu %7lu %7lu ", list[i].pid, list[i].ppid,
			list[i].pgrp, list[i].state, s / 60, s % 60, list[i].memory_kib,
			list[i].resident_kib);
		print_command(&list[i]);
	}
	return finish(0);
}
