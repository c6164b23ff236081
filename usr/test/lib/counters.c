// SPDX-License-Identifier: MIT
// What the kernel counts, and what follows from it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tap.h"

bool on_mapache(void)
{
	struct utsname u;

	return uname(&u) == 0 && strstr(u.release, "mapache");
}

bool on_core(void)
{
	struct utsname u;

	return uname(&u) == 0 && !strcmp(u.version, "Mapache core");
}

// The number behind NAME and END in a file of such lines, -1 when it is not there.
static long long read_number(const char *file, const char *name, char end)
{
	static char text[8192];
	int fd = open(file, O_RDONLY);
	size_t at = 0, length = strlen(name);
	ssize_t n;

	if (fd < 0)
		return -1;
	while (at < sizeof text - 1 && (n = read(fd, text + at, sizeof text - 1 - at)) > 0)
		at += (size_t)n;
	close(fd);
	text[at] = '\0';
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == end)
			return atoll(line + length + 1);
	}
	return -1;
}

long long memory_kib(const char *name)
{
	return read_number("/proc/meminfo", name, ':');
}

long long vmstat(const char *name)
{
	long long value = on_mapache() ? read_number("/proc/vmstat", name, ' ') : -1;

	if (value < 0 && on_mapache())
		FAIL("/proc/vmstat has no %s", name);
	if (value < 0)
		tap_skip("needs Mapache's counters");
	return value;
}

void drop_caches(char what)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, &what, 1) != 1)
		perror("drop_caches");
	close(fd);
}

bool squeeze_memory(long long leave_kib)
{
	long long kib = on_mapache() ? memory_kib("MemAvailable") : 0;

	if (!on_mapache() || memory_kib("MemTotal") > 128 * 1024)
		return false;
	if (kib <= leave_kib)
		return true;
	for (char *p = map_anon((size_t)kib * 1024); kib > leave_kib; kib -= 4, p += PAGE)
		store(p, 'x');
	return true;
}

long long blocks_read(void)
{
	return vmstat("pgpgin") / 4;
}

long long blocks_written(void)
{
	return vmstat("pgpgout") / 4;
}

long long free_blocks(void)
{
	struct statfs st;

	sync();
	CHECK_OK(statfs(".", &st));
	return (long long)st.f_bfree;
}
