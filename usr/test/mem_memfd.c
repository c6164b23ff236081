// SPDX-License-Identifier: MIT
// memfd_create: a file without a name, and the seals that can be put on it.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW (PROT_READ | PROT_WRITE)

static int sealable(size_t bytes)
{
	int fd = (int)CHECK_OK(memfd_create("test", MFD_ALLOW_SEALING));

	CHECK_OK(ftruncate(fd, (off_t)bytes));
	return fd;
}

static long try_map(int fd, int rights, int flags)
{
	void *p = mmap(NULL, PAGE, rights, flags, fd, 0);

	return p == MAP_FAILED ? -1 : (long)p;
}

static void is_a_file(void)
{
	int fd = (int)CHECK_OK(memfd_create("a name", 0));
	char back[8];
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(write(fd, "contents", 8), 8);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, back, 8), 8);
	CHECK(!memcmp(back, "contents", 8));
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3 * PAGE);
	CHECK_OK(fsync(fd));
}

static void each_is_a_file_of_its_own(void)
{
	int a = (int)CHECK_OK(memfd_create("same", 0)), b = (int)CHECK_OK(memfd_create("same", 0));
	struct stat sa, sb;

	CHECK_EQ(write(a, "x", 1), 1);
	CHECK_OK(fstat(a, &sa));
	CHECK_OK(fstat(b, &sb));
	CHECK_EQ(sb.st_size, 0);
	CHECK(sa.st_ino != sb.st_ino);
}

static char *memory;

static void child_stores(void *arg)
{
	(void)arg;
	store(memory + PAGE, 'c');
}

static void mapping_is_shared_and_outlives_the_descriptor(void)
{
	int fd = sealable(2 * PAGE);
	char c;

	memory = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
	must_exit_well(start_child(child_stores, NULL));
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 'c');
	CHECK_OK(close(fd));
	CHECK_EQ(load(memory + PAGE), 'c');
	store(memory, 'd');
}

static void memory_comes_back(void)
{
	long long before = vmstat("nr_free_pages");

	for (int i = 0; i < 5; i++) {
		int fd = sealable(200 * PAGE);
		char *p = map(200 * PAGE, RW, MAP_SHARED, fd, 0);

		memset(p, 1, 200 * PAGE);
		CHECK_OK(munmap(p, 200 * PAGE));
		CHECK_OK(close(fd));
	}
	CHECK(before - vmstat("nr_free_pages") < 150);
}

static void maps_shows_the_name(void)
{
	static char text[64 << 10];
	int maps, fd = (int)CHECK_OK(memfd_create("shown", 0));
	size_t n = 0;
	ssize_t got;

	CHECK_OK(ftruncate(fd, PAGE));
	map(PAGE, RW, MAP_SHARED, fd, 0);
	maps = (int)CHECK_OK(open("/proc/self/maps", O_RDONLY));
	while ((got = read(maps, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	CHECK(strstr(text, " /memfd:shown (deleted)\n"));
}

static void arguments(void)
{
	char name[251];

	memset(name, 'n', 250);
	name[250] = '\0';
	CHECK_ERR(memfd_create(name, 0), EINVAL);
	name[249] = '\0';
	CHECK_OK(close((int)CHECK_OK(memfd_create(name, 0))));
	CHECK_OK(close((int)CHECK_OK(memfd_create("", 0))));
	CHECK_ERR(memfd_create("x", 0x40000000), EINVAL);
	CHECK_ERR(memfd_create((const char *)8, 0), EFAULT);
	CHECK_EQ(fcntl((int)CHECK_OK(memfd_create("x", MFD_CLOEXEC)), F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl((int)CHECK_OK(memfd_create("x", 0)), F_GETFD), 0);
	if (on_mapache())
		CHECK_ERR(memfd_create("x", MFD_HUGETLB), ENOSYS);
}

// --- seals

static void seals_are_for_those_who_asked(void)
{
	int fd = (int)CHECK_OK(memfd_create("x", 0)), other = make_file("f", PAGE);

	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	if (on_mapache()) { // the root there is no tmpfs
		CHECK_ERR(fcntl(other, F_GET_SEALS), EINVAL);
		CHECK_ERR(fcntl(other, F_ADD_SEALS, F_SEAL_WRITE), EINVAL);
	}
	fd = sealable(PAGE);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 0x1000), EINVAL);
}

static void seals_add_up(void)
{
	int fd = sealable(PAGE);

	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

static void shrink(void)
{
	int fd = sealable(2 * PAGE);

	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_ERR(ftruncate(fd, PAGE), EPERM);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

static void grow(void)
{
	int fd = sealable(2 * PAGE);
	struct stat st;

	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERR(ftruncate(fd, 2 * PAGE + 1), EPERM);
	CHECK_EQ(pwrite(fd, "xy", 2, 2 * PAGE - 1), 1); // page by page
	CHECK_ERR(pwrite(fd, "x", 1, 5 * PAGE), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE - 1), 1);
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, PAGE);
}

static void write_forbids_all_changes(void)
{
	int fd = sealable(PAGE);
	char *p;

	CHECK_EQ(pwrite(fd, "before", 6, 0), 6);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_ERR(pwrite(fd, "after", 5, 0), EPERM);
	CHECK_ERR(try_map(fd, RW, MAP_SHARED), EPERM);
	CHECK_ERR(try_map(fd, PROT_WRITE, MAP_SHARED), EPERM);
	p = map(PAGE, RW, MAP_PRIVATE, fd, 0); // a copy is no change
	store(p, 'X');
	CHECK(!memcmp(p, "Xefore", 6));
	CHECK_OK(ftruncate(fd, 0)); // that is another seal's business
}

// Reading it through a shared mapping stays possible, but it can not become writable.
static void write_leaves_reading(void)
{
	int fd = sealable(PAGE);
	long p;

	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	p = try_map(fd, PROT_READ, MAP_SHARED);
	if (p == -1)
		tap_skip("not so on Linux before 6.7");
	CHECK_ERR(mprotect((void *)p, PAGE, RW), EACCES);
	CHECK_EQ(load((void *)p), 0);
}

static void write_waits_for_nobody(void)
{
	int fd = sealable(2 * PAGE);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(munmap(p, PAGE));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); // half of it is left
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); // it might be writable again
	CHECK_OK(munmap(p + PAGE, PAGE));
	map(PAGE, RW, MAP_PRIVATE, fd, 0); // harmless
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

static void map_and_wait(void *arg)
{
	volatile char *flag = arg;

	while (flag[0] != 'g')
		;
	CHECK_OK(munmap(memory, PAGE));
	flag[1] = 'd';
	while (flag[0] != 'e')
		;
}

// Mappings of other processes count as well.
static void write_finds_mappings_of_others(void)
{
	volatile char *flag = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = sealable(PAGE);
	pid_t pid;

	memory = map(PAGE, RW, MAP_SHARED, fd, 0);
	pid = start_child(map_and_wait, (void *)flag);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	flag[0] = 'g';
	while (flag[1] != 'd')
		;
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	flag[0] = 'e';
	must_exit_well(pid);
}

// Who has a writable mapping keeps it; nobody gets another.
static void future_write_spares_what_is_there(void)
{
	int fd = sealable(PAGE);
	char *p = map(PAGE, RW, MAP_SHARED, fd, 0), c, *q;

	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	store(p, 'w');
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'w');
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(try_map(fd, RW, MAP_SHARED), EPERM);
	q = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(load(q), 'w');
	CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
}

static void seals_belong_to_the_file(void)
{
	int fd = sealable(PAGE), other = (int)CHECK_OK(dup(fd));

	CHECK_OK(fcntl(other, F_ADD_SEALS, F_SEAL_SHRINK));
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK);
	CHECK_ERR(ftruncate(fd, 0), EPERM);
}

// One seals while another maps: if the seal is there, nobody can write.
static void map_and_store(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 200; i++) {
		long p = try_map(fd, RW, MAP_SHARED);

		if (p == -1)
			continue;
		store((void *)p, (char)i);
		CHECK_OK(munmap((void *)p, PAGE));
	}
}

static void sealing_races_mapping(void)
{
	for (int round = 0; round < 10; round++) {
		int fd = sealable(PAGE);
		pid_t pid = start_child(map_and_store, &fd);
		char before, after;

		while (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0)
			CHECK_EQ(errno, EBUSY);
		CHECK_EQ(pread(fd, &before, 1, 0), 1);
		must_exit_well(pid);
		CHECK_EQ(pread(fd, &after, 1, 0), 1);
		CHECK_EQ(before, after);
		CHECK_OK(close(fd));
	}
}

static const struct test tests[] = {
	{"is_a_file", is_a_file},
	{"each_is_a_file_of_its_own", each_is_a_file_of_its_own},
	{"mapping_is_shared_and_outlives_the_descriptor",
		mapping_is_shared_and_outlives_the_descriptor},
	{"memory_comes_back", memory_comes_back},
	{"maps_shows_the_name", maps_shows_the_name},
	{"arguments", arguments},
	{"seals_are_for_those_who_asked", seals_are_for_those_who_asked},
	{"seals_add_up", seals_add_up},
	{"shrink", shrink},
	{"grow", grow},
	{"write_forbids_all_changes", write_forbids_all_changes},
	{"write_leaves_reading", write_leaves_reading},
	{"write_waits_for_nobody", write_waits_for_nobody},
	{"write_finds_mappings_of_others", write_finds_mappings_of_others},
	{"future_write_spares_what_is_there", future_write_spares_what_is_there},
	{"seals_belong_to_the_file", seals_belong_to_the_file},
	{"sealing_races_mapping", sealing_races_mapping},
};

BEYOND_CORE_MAIN(tests)
