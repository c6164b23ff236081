// SPDX-License-Identifier: MIT
#include "stock.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define TEXT_BYTES 16384
#define TRIES      50

// What must not become more; of the first three not even one.
enum { PROCESSES, THREADS, SPACES, COUNTS = 46 };

struct stock {
	char name[COUNTS][20];
	long count[COUNTS];
	unsigned n;
};

static size_t read_text(const char *file, char *text, size_t bytes)
{
	int fd = open(file, O_RDONLY);
	size_t at = 0;
	ssize_t n;

	while (fd >= 0 && at + 1 < bytes && (n = read(fd, text + at, bytes - 1 - at)) > 0)
		at += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[at] = '\0';
	return at;
}

long number_in(const char *file, const char *name, char end)
{
	char text[TEXT_BYTES];
	size_t length = strlen(name);

	read_text(file, text, sizeof text);
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == end)
			return atol(line + length + 1);
	}
	return -1;
}

long count_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	long n = 0;

	while (dir && (entry = readdir(dir)))
		n += isdigit((unsigned char)entry->d_name[0]) != 0;
	if (dir)
		closedir(dir);
	return n;
}

static long count_threads(void)
{
	char text[TEXT_BYTES];
	long threads = -1;

	read_text("/proc/loadavg", text, sizeof text);
	sscanf(text, "%*s %*s %*s %*d/%ld", &threads);
	return threads;
}

static long blocks_taken(void)
{
	struct statfs fs;

	return statfs("/", &fs) == 0 ? (long)(fs.f_blocks - fs.f_bfree) : 0;
}

static void put(struct stock *s, const char *name, long count)
{
	snprintf(s->name[s->n], sizeof s->name[0], "%s", name);
	s->count[s->n++] = count;
}

// Each cache's objects; returns the frames that caches have.
static long count_caches(struct stock *s)
{
	char text[TEXT_BYTES], name[20];
	long active, slabs, frames = 0;

	read_text("/proc/slabinfo", text, sizeof text);
	for (char *line = text; (line = strchr(line, '\n')) && s->n < COUNTS;) {
		char *data = strstr(++line, "slabdata");

		if (*line == '#' || !data || sscanf(line, "%19s %ld", name, &active) != 2 ||
			sscanf(data, "slabdata %*d %ld", &slabs) != 1)
			continue;
		put(s, name, active);
		frames += slabs;
	}
	return frames;
}

// What is free, and what can be had: clean pages of files, and what the kernel keeps for the next
// who needs it: stacks of threads that ended, pages for mm's structures, and caches, whose objects
// are counted.
static long frames_to_have(long in_caches)
{
	return number_in("/proc/vmstat", "nr_free_pages", ' ') +
	       number_in("/proc/vmstat", "nr_file_pages", ' ') +
	       number_in("/proc/vmstat", "mapache_nr_meta", ' ') +
	       number_in("/proc/meminfo", "KernelStack", ':') / 4 + in_caches;
}

static void count_all(struct stock *s)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	long in_caches;

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		perror("drop_caches");
	close(fd);
	s->n = 0;
	put(s, "processes", count_processes());
	put(s, "threads", count_threads());
	put(s, "spaces", number_in("/proc/vmstat", "mapache_spaces", ' '));
	put(s, "areas", number_in("/proc/vmstat", "mapache_areas", ' '));
	put(s, "objects", number_in("/proc/vmstat", "mapache_objects", ' '));
	put(s, "blocks", blocks_taken());
	in_caches = count_caches(s);
	put(s, "frames", -frames_to_have(in_caches));
}

struct stock *take_stock(void)
{
	struct stock *s = malloc(sizeof *s);

	if (!s)
		abort();
	count_all(s);
	return s;
}

static bool compare(
	const struct stock *before, const struct stock *after, long spare, char *why, size_t bytes)
{
	size_t at = 0;

	why[0] = '\0';
	for (unsigned i = 0; i < before->n && i < after->n; i++) {
		long more = after->count[i] - before->count[i];
		long may = i <= SPACES ? 0 : spare;

		if (more > may && at < bytes)
			at += (size_t)snprintf(why + at, bytes - at, "%s%s: %ld more",
				at ? ", " : "", after->name[i], more);
	}
	return at == 0;
}

bool is_well(const struct stock *before, long spare, char *why, size_t bytes)
{
	static struct stock after;
	struct timespec moment = {.tv_nsec = 100000000};

	for (int i = 0; i < TRIES; i++) {
		count_all(&after);
		if (compare(before, &after, spare, why, bytes))
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

void remove_all(const char *path)
{
	DIR *dir;
	struct dirent *entry;
	char below[512];

	if (unlink(path) == 0 || rmdir(path) == 0 || !(dir = opendir(path)))
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
			remove_all(below);
	}
	closedir(dir);
	rmdir(path);
}
