// SPDX-License-Identifier: MIT
// What /proc tells of memory: maps line by line against what was mapped, and the counters of the
// whole system, in the formats that Linux's tools take apart.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char text[256 << 10];

// The whole of a file of /proc.
static char *read_text(const char *path)
{
	int fd = (int)CHECK_OK(open(path, O_RDONLY));
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd);
	return text;
}

// The line of maps that begins with the address, without its newline.
static char *maps_line(const void *start)
{
	static char line[512];
	char wanted[32], *at;

	snprintf(wanted, sizeof wanted, "%08lx-", (unsigned long)start);
	at = strstr(read_text("/proc/self/maps"), wanted);
	if (!at || (at != text && at[-1] != '\n'))
		FAIL("maps has no area at %p", start);
	snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
	return line;
}

// The line that maps must have; NAME NULL: it ends behind the inode and a blank.
static void check_line(const void *start, size_t bytes, const char *rights, off_t offset,
	const struct stat *st, const char *name)
{
	char wanted[512], *line = maps_line(start);
	int n = snprintf(wanted, sizeof wanted, "%08lx-%08lx %s %08lx %02x:%02x %lu ",
		(unsigned long)start, (unsigned long)start + bytes, rights, (unsigned long)offset,
		st ? major(st->st_dev) : 0, st ? minor(st->st_dev) : 0, st ? st->st_ino : 0ul);

	if (name)
		snprintf(wanted + n, sizeof wanted - (size_t)n, "%*s%s", n < 73 ? 73 - n : 0, "",
			name);
	if (strcmp(line, wanted))
		FAIL("maps says \"%s\", should be \"%s\"", line, wanted);
}

// A window with nothing around it: neighbours of the same kind would be shown as one.
static char *window(size_t pages)
{
	char *p = map((pages + 2) * PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK_OK(munmap(p + PAGE, pages * PAGE));
	return p + PAGE;
}

static char *map_at(char *where, size_t pages, int rights, int flags, int fd, off_t offset)
{
	char *p = mmap(where, pages * PAGE, rights, flags | MAP_FIXED, fd, offset);

	CHECK(p == where);
	return p;
}

static void anonymous_lines(void)
{
	static const struct {
		int rights;
		const char *text;
	} all[] = {
		{PROT_NONE, "---p"},
		{PROT_READ, "r--p"},
		{RW, "rw-p"},
		{PROT_READ | PROT_EXEC, "r-xp"},
		{RW | PROT_EXEC, "rwxp"},
	};
	char *p = window(8);

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		map_at(p + PAGE, 3, all[i].rights, ANON, -1, 0);
		check_line(p + PAGE, 3 * PAGE, all[i].text, 0, NULL, NULL);
	}
}

static char *absolute(const char *name)
{
	static char path[300];

	CHECK(getcwd(path, sizeof path - 64));
	strcat(strcmp(path, "/") ? strcat(path, "/") : path, name);
	return path;
}

static void file_lines(void)
{
	int fd = make_file("a file", 8 * PAGE);
	char *p = window(8);
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	map_at(p, 2, PROT_READ, MAP_PRIVATE, fd, 4 * PAGE);
	map_at(p + 4 * PAGE, 1, RW, MAP_SHARED, fd, PAGE);
	check_line(p, 2 * PAGE, "r--p", 4 * PAGE, &st, absolute("a file"));
	check_line(p + 4 * PAGE, PAGE, "rw-s", PAGE, &st, absolute("a file"));
	CHECK_OK(close(fd));
	check_line(p, 2 * PAGE, "r--p", 4 * PAGE, &st, absolute("a file"));
	CHECK_OK(rename("a file", "b"));
	check_line(p, 2 * PAGE, "r--p", 4 * PAGE, &st, absolute("b"));
}

static void names_with_newlines_are_escaped(void)
{
	int fd = make_file("one\ntwo \\ three", PAGE);
	char *p = window(1);
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	map_at(p, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	check_line(p, PAGE, "r--p", 0, &st, absolute("one\\012two \\ three"));
}

static void deleted_files_say_so(void)
{
	int fd = make_file("f", PAGE);
	char *p = window(1);
	struct stat st;

	map_at(p, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_OK(unlink("f"));
	CHECK_OK(fstat(fd, &st));
	check_line(p, PAGE, "r--p", 0, &st, absolute("f (deleted)"));
}

static void shared_anonymous_has_a_name(void)
{
	char *p = window(2);

	map_at(p, 2, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(strstr(maps_line(p), " rw-s "));
	CHECK(strstr(maps_line(p), " /dev/zero (deleted)"));
}

// What is between [heap] and the like: the area with that name covers the address.
static void check_named(const char *name, uintptr_t address)
{
	unsigned long start, end;
	char *at = strstr(read_text("/proc/self/maps"), name);

	CHECK(at);
	while (at > text && at[-1] != '\n')
		at--;
	CHECK_EQ(sscanf(at, "%lx-%lx", &start, &end), 2);
	CHECK(start <= address && address < end);
}

static void stack_and_heap_are_named(void)
{
	char here;

	CHECK(sbrk(3 * PAGE) != (void *)-1);
	check_named("[stack]", (uintptr_t)&here);
	check_named("[heap]", (uintptr_t)sbrk(0) - PAGE);
}

// Areas rise, do not overlap, and each line has its columns.
static void lines_are_in_order(void)
{
	unsigned long start, end, offset, last = 0;
	unsigned dev_major, dev_minor;
	long ino;
	char rights[5];

	for (char *line = strtok(read_text("/proc/self/maps"), "\n"); line;
		line = strtok(NULL, "\n")) {
		CHECK_EQ(sscanf(line, "%lx-%lx %4s %lx %x:%x %ld", &start, &end, rights, &offset,
				 &dev_major, &dev_minor, &ino),
			7);
		CHECK(last <= start && start < end);
		CHECK(strspn(rights, "rwxsp-") == 4);
		last = end;
	}
	CHECK(last > 0);
}

// Neighbours that mean the same are one line; a page in between that differs makes them three.
static void neighbours_merge(void)
{
	char *p = window(4);

	map_at(p, 1, RW, ANON, -1, 0);
	map_at(p + PAGE, 2, RW, ANON, -1, 0);
	map_at(p + 3 * PAGE, 1, RW, ANON, -1, 0);
	check_line(p, 4 * PAGE, "rw-p", 0, NULL, NULL);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	check_line(p, PAGE, "rw-p", 0, NULL, NULL);
	check_line(p + PAGE, PAGE, "r--p", 0, NULL, NULL);
	check_line(p + 2 * PAGE, 2 * PAGE, "rw-p", 0, NULL, NULL);
	CHECK_OK(mprotect(p + PAGE, PAGE, RW));
	check_line(p, 4 * PAGE, "rw-p", 0, NULL, NULL);
}

// --- smaps

// A number of the block of smaps that describes the area; KiB.
static long long smaps_number(const void *start, const char *label)
{
	char wanted[32], *at, *end;
	long long value;

	snprintf(wanted, sizeof wanted, "%08lx-", (unsigned long)start);
	at = strstr(read_text("/proc/self/smaps"), wanted);
	CHECK(at);
	end = strstr(at, "VmFlags:");
	CHECK(end);
	*end = '\0';
	at = strstr(at, label);
	if (!at)
		FAIL("smaps has no %s", label);
	CHECK_EQ(sscanf(at + strlen(label), ": %lld kB", &value), 1);
	return value;
}

static const char *smaps_flags(const void *start)
{
	static char flags[128];
	char wanted[32], *at;

	snprintf(wanted, sizeof wanted, "%08lx-", (unsigned long)start);
	at = strstr(read_text("/proc/self/smaps"), wanted);
	at = at ? strstr(at, "VmFlags:") : NULL;
	CHECK(at);
	snprintf(flags, sizeof flags, "%.*s", (int)strcspn(at, "\n"), at);
	return flags;
}

static void smaps_of_anonymous_memory(void)
{
	char *p = window(8);

	map_at(p, 8, RW, ANON, -1, 0);
	CHECK_EQ(smaps_number(p, "Size"), 32);
	CHECK_EQ(smaps_number(p, "Rss"), 0);
	for (size_t i = 0; i < 3; i++)
		store(p + i * PAGE, 1);
	CHECK_EQ(smaps_number(p, "Rss"), 12);
	CHECK_EQ(smaps_number(p, "Pss"), 12);
	CHECK_EQ(smaps_number(p, "Pss_Dirty"), 12);
	CHECK_EQ(smaps_number(p, "Private_Dirty"), 12);
	CHECK_EQ(smaps_number(p, "Anonymous"), 12);
	CHECK_EQ(smaps_number(p, "Shared_Dirty") + smaps_number(p, "Shared_Clean"), 0);
	CHECK_EQ(smaps_number(p, "KernelPageSize"), 4);
}

static char *shared_with_child;

static void child_shares(void *arg)
{
	volatile char *flag = arg;

	for (size_t i = 0; i < 8; i++)
		(void)load(shared_with_child + i * PAGE);
	flag[0] = 'r';
	while (flag[1] != 'e')
		;
}

// Pages that a fork shares count half for each; but the fork may have copied ahead the one to which
// this case stored when it ran before.
static void smaps_of_what_fork_shares(void)
{
	volatile char *flag = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *p = window(8);
	long long ahead;
	pid_t pid;

	map_at(p, 8, RW, ANON, -1, 0);
	memset(p, 1, 8 * PAGE);
	shared_with_child = p;
	pid = start_child(child_shares, (void *)flag);
	while (flag[0] != 'r')
		;
	for (size_t i = 0; i < 8; i++)
		(void)load(p + i * PAGE);
	CHECK_EQ(smaps_number(p, "Rss"), 32);
	ahead = smaps_number(p, "Private_Dirty");
	CHECK(ahead == 0 || ahead == 4);
	CHECK_EQ(smaps_number(p, "Pss"), ahead + (32 - ahead) / 2);
	CHECK_EQ(smaps_number(p, "Shared_Dirty"), 32 - ahead);
	store(p, 2); // one page of our own
	CHECK_EQ(smaps_number(p, "Private_Dirty"), 4);
	CHECK_EQ(smaps_number(p, "Pss"), 4 + 14);
	CHECK_EQ(smaps_number(p, "Pss_Dirty"), 4 + 14);
	flag[1] = 'e';
	must_exit_well(pid);
}

static void smaps_of_a_file(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = window(4);

	CHECK_OK(fsync(fd));
	map_at(p, 4, RW, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 4; i++)
		(void)load(p + i * PAGE);
	CHECK_EQ(smaps_number(p, "Rss"), 16);
	CHECK_EQ(smaps_number(p, "Private_Clean"), 16);
	CHECK_EQ(smaps_number(p, "Pss_Dirty"), 0);
	CHECK_EQ(smaps_number(p, "Anonymous"), 0);
	store(p + PAGE, 1);
	CHECK_EQ(smaps_number(p, "Pss_Dirty"), 4);
	CHECK_EQ(smaps_number(p, "Private_Dirty"), 4);
}

static void smaps_flags_follow(void)
{
	char *p = window(4);

	map_at(p, 4, RW, ANON | MAP_NORESERVE, -1, 0);
	CHECK(strstr(smaps_flags(p), " rd wr mr mw me "));
	CHECK(strstr(smaps_flags(p), " nr "));
	CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
	CHECK(strstr(smaps_flags(p), " rd mr mw me "));
	map_at(p, 4, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(strstr(smaps_flags(p), " rd wr sh mr mw me ms "));
	if (on_core())
		return;
	map_at(p, 4, RW, ANON, -1, 0);
	CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTFORK));
	CHECK(strstr(smaps_flags(p), " dc "));
	CHECK_OK(mlock(p, 4 * PAGE));
	CHECK(strstr(smaps_flags(p), " lo "));
	CHECK_EQ(smaps_number(p, "Locked"), 16);
}

static long long sum_of(const char *path, const char *label)
{
	long long sum = 0, value;
	char line[64];

	snprintf(line, sizeof line, "\n%s: %%lld kB", label);
	for (char *at = read_text(path); (at = strchr(at, '\n')) != NULL; at++)
		if (sscanf(at, line, &value) == 1 && !strncmp(at + 1, label, strlen(label)))
			sum += value;
	return sum;
}

// The lines of a block, in order, are those that Linux 6.1 has on a machine without protection
// keys.
static void smaps_has_linux_lines(void)
{
	static const char *const labels[] = {"Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss",
		"Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty",
		"Referenced", "Anonymous", "LazyFree", "AnonHugePages", "ShmemPmdMapped",
		"FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked",
		"THPeligible", "VmFlags"};
	char *line = strchr(read_text("/proc/self/smaps"), '\n') + 1;

	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		size_t n = strlen(labels[i]);

		if (strncmp(line, labels[i], n) || line[n] != ':')
			FAIL("smaps has \"%.*s\", should be %s", (int)strcspn(line, "\n"), line,
				labels[i]);
		line = strchr(line, '\n') + 1;
	}
	CHECK(strchr(line, '-') && strspn(line, "0123456789abcdef") >= 8); // the next area
}

static void rollup_adds_up(void)
{
	static const char *const labels[] = {"Rss", "Pss_Dirty", "Private_Dirty", "Anonymous"};

	memset(map_anon(50 * PAGE), 1, 50 * PAGE);
	sum_of("/proc/self/smaps", "Rss"); // the buffers are there now
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
		CHECK_EQ(sum_of("/proc/self/smaps_rollup", labels[i]),
			sum_of("/proc/self/smaps", labels[i]));
	CHECK(strstr(read_text("/proc/self/smaps_rollup"), " [rollup]\n"));
}

static void rollup_tells_kinds_of_pages(void)
{
	static const char rollup[] = "/proc/self/smaps_rollup";
	long long anon = sum_of(rollup, "Pss_Anon"), shmem = sum_of(rollup, "Pss_Shmem");

	memset(map_anon(50 * PAGE), 1, 50 * PAGE);
	memset(map(20 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 1, 20 * PAGE);
	CHECK(sum_of(rollup, "Pss_Anon") - anon >= 200 && sum_of(rollup, "Pss_Anon") - anon < 240);
	CHECK_EQ(sum_of(rollup, "Pss_Shmem") - shmem, 80);
	CHECK(sum_of(rollup, "Pss_File") > 0); // this program
}

static void statm_counts_pages(void)
{
	long long size, resident, shared, bigger, more;
	char *p;

	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%lld %lld %lld", &size, &resident, &shared),
		3);
	p = map_anon(100 * PAGE);
	memset(p, 1, 60 * PAGE);
	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%lld %lld", &bigger, &more), 2);
	CHECK_EQ(bigger - size, 100);
	CHECK(more - resident >= 60);
	CHECK(resident >= shared);
}

// --- the whole system

static long long meminfo(const char *name)
{
	char label[64], unit[8];
	long long value;
	char *at;

	snprintf(label, sizeof label, "%s:", name);
	at = strstr(read_text("/proc/meminfo"), label);
	if (!at || (at != text && at[-1] != '\n'))
		FAIL("/proc/meminfo has no %s", name);
	CHECK_EQ(sscanf(at + strlen(label), "%lld %7s", &value, unit), 2);
	CHECK(!strcmp(unit, "kB"));
	return value;
}

static void meminfo_adds_up(void)
{
	static const char *const names[] = {"MemTotal", "MemFree", "MemAvailable", "Buffers",
		"Cached", "SwapCached", "SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages",
		"Slab", "SReclaimable", "SUnreclaim", "KernelStack", "PageTables"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		CHECK(meminfo(names[i]) >= 0);
	CHECK(meminfo("MemTotal") > 16 << 10);
	CHECK(meminfo("MemFree") < meminfo("MemTotal"));
	CHECK(meminfo("MemAvailable") <= meminfo("MemTotal"));
	CHECK_EQ(meminfo("SReclaimable") + meminfo("SUnreclaim"), meminfo("Slab"));
	CHECK_EQ(sysconf(_SC_PHYS_PAGES) * 4, meminfo("MemTotal"));
}

#define TABLE ((size_t)2 << 20) // that one table of pages is for

// A page in each of 64 tables, none of which has pages of a neighbour; a child's stack.
static void meminfo_follows_tables_and_stacks(void)
{
	static pid_t children[16];
	long long tables = meminfo("PageTables"), stacks = meminfo("KernelStack");
	char *p = map_anon(65 * TABLE), *first = p + (-(uintptr_t)p & (TABLE - 1));

	for (size_t i = 0; i < 64; i++)
		store(first + i * TABLE, 1);
	CHECK(meminfo("PageTables") >= tables + 64 * 4);
	CHECK_OK(munmap(p, 65 * TABLE));
	CHECK(meminfo("PageTables") < tables + 32 * 4);
	for (size_t i = 0; i < 16; i++) {
		children[i] = (pid_t)CHECK_OK(fork());
		if (children[i] == 0) {
			pause();
			_exit(0);
		}
	}
	CHECK(meminfo("KernelStack") >= 16 * 4 && meminfo("KernelStack") >= stacks);
	for (size_t i = 0; i < 16; i++) {
		CHECK_OK(kill(children[i], SIGKILL));
		CHECK_OK(waitpid(children[i], NULL, 0));
	}
}

static void meminfo_follows(void)
{
	long long before = (vmstat("nr_free_pages"), meminfo("AnonPages"));
	char *p = map_anon(512 * PAGE);

	memset(p, 1, 512 * PAGE);
	CHECK(meminfo("AnonPages") >= before + 2048);
	CHECK_OK(munmap(p, 512 * PAGE));
	CHECK(meminfo("AnonPages") < before + 1024);
}

// Name, blank, number; each name once.
static void vmstat_lines(void)
{
	static char names[200][48];
	size_t n = 0;

	vmstat("nr_free_pages");
	for (char *line = strtok(read_text("/proc/vmstat"), "\n"); line;
		line = strtok(NULL, "\n")) {
		size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");

		CHECK(length && length < sizeof names[0] && line[length] == ' ');
		CHECK(isdigit((unsigned char)line[length + 1]));
		CHECK(strspn(line + length + 1, "0123456789") == strlen(line + length + 1));
		snprintf(names[n++], sizeof names[0], "%.*s", (int)length, line);
		for (size_t i = 0; i + 1 < n; i++)
			CHECK(strcmp(names[i], names[n - 1]) != 0);
	}
	CHECK(n > 10);
}

static void say_most_areas(int fd, const char *areas)
{
	CHECK_EQ(pwrite(fd, areas, strlen(areas), 0), strlen(areas));
}

// Of the caller at once; more than there may be are refused, and what is there stays.
static void most_areas_can_be_set(void)
{
	int fd = (int)CHECK_OK(open("/proc/sys/vm/max_map_count", O_RDWR));
	char *p = map(400 * PAGE, RW, ANON, -1, 0);
	int cut = 0;

	CHECK(!strcmp(read_text("/proc/sys/vm/max_map_count"), "65530\n"));
	CHECK_ERR(pwrite(fd, "many", 4, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "-1", 2, 0), EINVAL);
	CHECK_ERR(pwrite(fd, "99999999999", 11, 0), EINVAL);
	say_most_areas(fd, "100");
	while (cut < 200 && mprotect(p + (2 * cut + 1) * PAGE, PAGE, PROT_READ) == 0)
		cut++;
	CHECK_EQ(errno, ENOMEM);
	CHECK(40 < cut && cut < 50);
	say_most_areas(fd, "65530\n");
	for (; cut < 200; cut++)
		CHECK_OK(mprotect(p + (2 * cut + 1) * PAGE, PAGE, PROT_READ));
}

static const struct test tests[] = {
	{"anonymous_lines", anonymous_lines},
	{"file_lines", file_lines},
	{"names_with_newlines_are_escaped", names_with_newlines_are_escaped},
	{"deleted_files_say_so", deleted_files_say_so},
	{"shared_anonymous_has_a_name", shared_anonymous_has_a_name},
	{"stack_and_heap_are_named", stack_and_heap_are_named},
	{"lines_are_in_order", lines_are_in_order},
	{"neighbours_merge", neighbours_merge},
	{"smaps_of_anonymous_memory", smaps_of_anonymous_memory},
	{"smaps_of_what_fork_shares", smaps_of_what_fork_shares},
	{"smaps_of_a_file", smaps_of_a_file},
	{"smaps_flags_follow", smaps_flags_follow},
	{"smaps_has_linux_lines", smaps_has_linux_lines},
	{"rollup_adds_up", rollup_adds_up},
	{"rollup_tells_kinds_of_pages", rollup_tells_kinds_of_pages},
	{"statm_counts_pages", statm_counts_pages},
	{"meminfo_adds_up", meminfo_adds_up},
	{"meminfo_follows", meminfo_follows},
	{"meminfo_follows_tables_and_stacks", meminfo_follows_tables_and_stacks},
	{"vmstat_lines", vmstat_lines},
	{"most_areas_can_be_set", most_areas_can_be_set},
};

TEST_MAIN(tests)
