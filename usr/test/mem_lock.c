// SPDX-License-Identifier: MIT
// mlock and its family: locked pages are there and stay, who may lock how much, and mincore, which
// tells what is there.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

// How many of the pages are in memory.
static size_t resident(void *p, size_t pages)
{
	unsigned char vector[512];
	size_t n = 0;

	CHECK(pages <= sizeof vector);
	memset(vector, 0xff, sizeof vector);
	CHECK_OK(mincore(p, pages * PAGE, vector));
	for (size_t i = 0; i < pages; i++)
		n += vector[i] & 1;
	return n;
}

// Become nobody in particular, who may lock so much.
static void become_unprivileged(size_t may_lock)
{
	struct rlimit limit = {may_lock, may_lock};

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK_OK(setresuid(1000, 1000, 1000));
}

// --- mincore

static void incore_follows_touches(void)
{
	char *p = map_anon(8 * PAGE);

	CHECK_EQ(resident(p, 8), 0);
	store(p + 3 * PAGE, 1);
	store(p + 5 * PAGE, 1);
	CHECK_EQ(resident(p, 8), 2);
	CHECK_EQ(resident(p + 3 * PAGE, 1), 1);
	CHECK_EQ(resident(p + 4 * PAGE, 1), 0);
	CHECK_OK(madvise(p, 8 * PAGE, MADV_DONTNEED));
	CHECK_EQ(resident(p, 8), 0);
}

static void incore_sees_the_cache(void)
{
	int fd = make_file("f", 8 * PAGE);
	char *p;

	sync();
	p = map(8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(resident(p, 8), 8); // written a moment ago
	if (!on_mapache())
		return;
	drop_caches('1');
	CHECK_EQ(resident(p, 8), 0);
	CHECK_EQ(load(p + PAGE), pattern(PAGE));
	CHECK(resident(p, 8) >= 1);
}

static void incore_arguments(void)
{
	char *p = map_anon(4 * PAGE);
	unsigned char vector[8];

	CHECK_ERR(mincore(p + 1, PAGE, vector), EINVAL);
	CHECK_ERR(mincore(p, PAGE, (unsigned char *)8), EFAULT);
	CHECK_ERR(mincore(p, PAGE, NULL), EFAULT);
	CHECK_ERR(mincore(p, SIZE_MAX - 2 * PAGE, vector), ENOMEM);
	CHECK_ERR(mincore((void *)(1ul << 62), PAGE, vector), ENOMEM);
	CHECK_OK(mincore(p, 0, vector));
	CHECK_OK(mincore(p, 1, vector));
	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERR(mincore(p, 4 * PAGE, vector), ENOMEM);
}

// --- locking

static void lock_brings_pages_in(void)
{
	int fd = make_file("f", 4 * PAGE);
	char *p = map_anon(8 * PAGE), *q;

	CHECK_OK(mlock(p + PAGE, 4 * PAGE));
	CHECK_EQ(resident(p, 8), 4);
	sync();
	drop_caches('1');
	q = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_OK(mlock(q, 4 * PAGE));
	CHECK_EQ(resident(q, 4), 4);
	CHECK_OK(munlock(p, 8 * PAGE));
}

// The range is of bytes: all pages that it touches.
static void lock_takes_any_address(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(mlock(p + PAGE + 100, PAGE)); // the end of one and the beginning of the next
	CHECK_EQ(resident(p, 4), 2);
	CHECK_OK(mlock(p + 3 * PAGE + 5, 1));
	CHECK_EQ(resident(p, 4), 3);
	CHECK_OK(mlock(p, 0));
	CHECK_OK(munlock(p + 7, 4 * PAGE - 7));
}

static void locked_pages_stay(void)
{
	int fd = make_file("f", 16 * PAGE);
	char *p;

	sync();
	p = map(16 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_OK(mlock(p, 8 * PAGE));
	drop_caches('1');
	CHECK_EQ(resident(p, 8), 8);
	if (on_mapache())
		CHECK_EQ(resident(p + 8 * PAGE, 8), 0);
	CHECK_OK(munlock(p, 16 * PAGE));
	drop_caches('1');
	if (on_mapache())
		CHECK_EQ(resident(p, 16), 0);
}

static void lock_on_fault(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(mlock2(p, 4 * PAGE, MLOCK_ONFAULT));
	CHECK_EQ(resident(p, 4), 0);
	store(p + PAGE, 1);
	CHECK_EQ(resident(p, 4), 1);
	CHECK_ERR(mlock2(p, PAGE, 2), EINVAL);
	CHECK_OK(mlock2(p, 4 * PAGE, 0));
	CHECK_EQ(resident(p, 4), 4);
}

static void map_locked(void)
{
	char *p = map(4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);

	CHECK_EQ(resident(p, 4), 4);
	CHECK_ERR(madvise(p, 4 * PAGE, MADV_DONTNEED), EINVAL);
	CHECK_OK(munlock(p, 4 * PAGE));
	CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTNEED));
}

static void invalidating_what_is_locked(void)
{
	int fd = make_file("f", 2 * PAGE);
	char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK_OK(msync(p, 2 * PAGE, MS_ASYNC | MS_INVALIDATE));
	CHECK_OK(mlock(p + PAGE, PAGE));
	CHECK_ERR(msync(p, 2 * PAGE, MS_ASYNC | MS_INVALIDATE), EBUSY);
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
}

static void holes_and_what_can_not_be(void)
{
	int fd = make_file("f", PAGE);
	char *p = map_anon(4 * PAGE), *q = map(3 * PAGE, RW, MAP_SHARED, fd, 0);

	CHECK_OK(munmap(p + 2 * PAGE, PAGE));
	CHECK_ERR(mlock(p, 4 * PAGE), ENOMEM);
	CHECK_ERR(munlock(p, 4 * PAGE), ENOMEM);
	CHECK_ERR(mlock(q, 3 * PAGE), ENOMEM); // past the end of the file
	CHECK_ERR(mlock(map(PAGE, PROT_NONE, ANON, -1, 0), PAGE), ENOMEM);
	CHECK_ERR(mlock(p, SIZE_MAX - PAGE), EINVAL);
	CHECK_ERR(munlock(p, SIZE_MAX - PAGE), EINVAL);
}

static void lock_all_there_is(void)
{
	char *p = map_anon(4 * PAGE), *q;

	CHECK_OK(mlockall(MCL_CURRENT));
	CHECK_EQ(resident(p, 4), 4);
	q = map_anon(4 * PAGE);
	CHECK_EQ(resident(q, 4), 0);
	CHECK_OK(munlockall());
}

static void lock_all_to_come(void)
{
	char *p = map_anon(4 * PAGE), *q;

	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_EQ(resident(p, 4), 0);
	q = map_anon(4 * PAGE);
	CHECK_EQ(resident(q, 4), 4);
	CHECK_OK(munlockall());
	q = map_anon(4 * PAGE);
	CHECK_EQ(resident(q, 4), 0);
	CHECK_OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
	q = map_anon(4 * PAGE);
	CHECK_EQ(resident(q, 4), 0);
	CHECK_ERR(madvise(q, 4 * PAGE, MADV_DONTNEED), EINVAL); // locked all the same
	CHECK_OK(munlockall());
}

static void lock_all_arguments(void)
{
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(MCL_ONFAULT), EINVAL);
	CHECK_ERR(mlockall(8), EINVAL);
	CHECK_OK(munlockall());
}

static void child_of_locked(void *arg)
{
	char *p = arg;

	CHECK_OK(madvise(p, 4 * PAGE, MADV_DONTNEED)); // its copy is not locked
	CHECK_EQ(resident(map_anon(4 * PAGE), 4), 0);
}

static void fork_inherits_no_locks(void)
{
	char *p = map_anon(4 * PAGE);

	CHECK_OK(mlock(p, 4 * PAGE));
	CHECK_OK(mlockall(MCL_FUTURE));
	must_exit_well(start_child(child_of_locked, p));
	CHECK_ERR(madvise(p, 4 * PAGE, MADV_DONTNEED), EINVAL);
}

// --- who may

static long try_map(size_t bytes, int flags)
{
	void *p = mmap(NULL, bytes, RW, flags, -1, 0);

	return p == MAP_FAILED ? -1 : (long)p;
}

static void without_limit_of_their_own_nobody_locks(void)
{
	char *p = map_anon(PAGE);

	become_unprivileged(0);
	CHECK_ERR(mlock(p, PAGE), EPERM);
	CHECK_ERR(mlock2(p, PAGE, MLOCK_ONFAULT), EPERM);
	CHECK_ERR(mlockall(MCL_FUTURE), EPERM);
	CHECK_ERR(try_map(PAGE, ANON | MAP_LOCKED), EPERM);
	CHECK_OK(munlock(p, PAGE));
	CHECK_OK(munlockall());
}

static void limit_is_counted(void)
{
	char *p = map_anon(64 * PAGE);

	become_unprivileged(16 * PAGE);
	CHECK_ERR(mlock(p, 17 * PAGE), ENOMEM);
	CHECK_EQ(resident(p, 64), 0);
	CHECK_OK(mlock(p, 10 * PAGE));
	CHECK_OK(mlock(p + 5 * PAGE, 10 * PAGE)); // half of it is locked already
	CHECK_ERR(mlock(p + 30 * PAGE, 2 * PAGE), ENOMEM);
	CHECK_ERR(try_map(2 * PAGE, ANON | MAP_LOCKED), EAGAIN);
	CHECK_OK(munlock(p, 4 * PAGE));
	CHECK_OK(try_map(2 * PAGE, ANON | MAP_LOCKED));
	CHECK_OK(munmap(p, 64 * PAGE)); // takes the locks along
	CHECK_OK(mlock(map_anon(14 * PAGE), 14 * PAGE));
	CHECK_ERR(mlockall(MCL_CURRENT), ENOMEM);
}

static void future_locks_are_counted(void)
{
	become_unprivileged(64 * PAGE);
	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_OK(try_map(16 * PAGE, ANON));
	CHECK_ERR(try_map(64 * PAGE, ANON), EAGAIN);
	CHECK_OK(munlockall());
	CHECK_OK(try_map(64 * PAGE, ANON));
}

static void privilege_knows_no_limit(void)
{
	struct rlimit none = {0, 0};

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &none));
	CHECK_OK(mlock(map_anon(64 * PAGE), 64 * PAGE));
	CHECK_OK(try_map(PAGE, ANON | MAP_LOCKED));
}

static const struct test tests[] = {
	{"incore_follows_touches", incore_follows_touches},
	{"incore_sees_the_cache", incore_sees_the_cache},
	{"incore_arguments", incore_arguments},
	{"lock_brings_pages_in", lock_brings_pages_in},
	{"lock_takes_any_address", lock_takes_any_address},
	{"locked_pages_stay", locked_pages_stay},
	{"lock_on_fault", lock_on_fault},
	{"map_locked", map_locked},
	{"invalidating_what_is_locked", invalidating_what_is_locked},
	{"holes_and_what_can_not_be", holes_and_what_can_not_be},
	{"lock_all_there_is", lock_all_there_is},
	{"lock_all_to_come", lock_all_to_come},
	{"lock_all_arguments", lock_all_arguments},
	{"fork_inherits_no_locks", fork_inherits_no_locks},
	{"without_limit_of_their_own_nobody_locks", without_limit_of_their_own_nobody_locks},
	{"limit_is_counted", limit_is_counted},
	{"future_locks_are_counted", future_locks_are_counted},
	{"privilege_knows_no_limit", privilege_knows_no_limit},
};

BEYOND_CORE_MAIN(tests)
