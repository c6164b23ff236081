// SPDX-License-Identifier: MIT
// One space, all harts: faults, map calls, fork, truncate and reclaim at the same time by processes
// that share their memory (lib/crew.h). What a call took away nobody reaches once it has returned;
// what it did not take away nobody misses, not for a moment.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/crew.h"
#include "lib/tap.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum { CREW = 4, PAGES = 32 };

// Where no other mapping goes by itself: what is unmapped there stays so until the test maps it.
#define WINDOW ((char *)0x1000000000ul)

static char *memory;
static int file;
static atomic_uint stage, arrived, stop;

// The counter of a member in a page.
static unsigned *counter(unsigned page, unsigned me)
{
	return (unsigned *)(memory + page * PAGE) + 16 * me;
}

static unsigned added[CREW][PAGES];

// Adds to a member's counter in a page; what was done is noted, what failed must be ERROR at its
// place.
static void add(unsigned me, unsigned page, int signo, int code)
{
	struct fault f = member_add(counter(page, me));

	if (f.signo == 0) {
		added[me][page]++;
		return;
	}
	CHECK_EQ(f.signo, signo);
	CHECK_EQ(f.code, code);
	CHECK_EQ(f.address, (uintptr_t)counter(page, me));
}

static void begin(char *p)
{
	memory = p;
	memset(added, 0, sizeof added);
	atomic_store(&stop, 0);
	atomic_store(&stage, 0);
	atomic_store(&arrived, 0);
}

// All that was added is there, and nothing else.
static void check_counters(unsigned first_member)
{
	for (unsigned me = first_member; me < CREW; me++)
		for (unsigned page = 0; page < PAGES; page++)
			CHECK_EQ(*counter(page, me), added[me][page]);
}

// --- faults on the same pages

static void touch_all(unsigned me)
{
	for (unsigned page = 0; page < PAGES; page++)
		add(me, page, 0, 0);
}

static void everybody_faults_on_the_same_pages(void)
{
	for (int round = 0; round < 10; round++) {
		begin(map_anon(PAGES * PAGE));
		crew_run(CREW, touch_all);
		check_counters(0);
		CHECK_OK(munmap(memory, PAGES * PAGE));
	}
}

static void file_pages_too(void)
{
	file = make_file("f", PAGES * PAGE);
	for (int round = 0; round < 5; round++) {
		CHECK_OK(ftruncate(file, 0));
		CHECK_OK(ftruncate(file, PAGES * PAGE));
		begin(map(PAGES * PAGE, RW, MAP_SHARED, file, 0));
		crew_run(CREW, touch_all);
		check_counters(0);
		CHECK_OK(munmap(memory, PAGES * PAGE));
		begin(map(PAGES * PAGE, RW, MAP_PRIVATE, file, 0));
		for (unsigned me = 0; me < CREW; me++)
			for (unsigned page = 0; page < PAGES; page++)
				added[me][page] = 1; // they see the file's
		crew_run(CREW, touch_all);
		check_counters(0);
		CHECK_OK(munmap(memory, PAGES * PAGE));
	}
}

// --- what is gone is gone: member 0 takes away, the others try at once

enum { ROUNDS = 5 };

// Member 0: a step that all others take, too.
static void next_stage(void)
{
	atomic_store(&arrived, 0);
	atomic_fetch_add(&stage, 1);
	while (atomic_load(&arrived) < CREW - 1)
		sched_yield();
}

// The others: wait for step n.
static void await_stage(unsigned n)
{
	while (atomic_load(&stage) < n)
		sched_yield();
}

static void unmap_or_look(unsigned me)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (me == 0) {
			CHECK(mmap(memory, PAGE, RW, ANON | MAP_FIXED, -1, 0) == memory);
			next_stage();
			CHECK_OK(munmap(memory, PAGE));
			next_stage();
			continue;
		}
		await_stage(2 * round + 1);
		CHECK_EQ(member_add(counter(0, me)).signo, 0);
		atomic_fetch_add(&arrived, 1);
		while (atomic_load(&stage) == 2 * round + 1) // into the middle of it
			(void)member_add(counter(0, me));
		CHECK_EQ(member_load(memory).code, SEGV_MAPERR);
		CHECK_EQ(member_add(counter(0, me)).signo, SIGSEGV);
		atomic_fetch_add(&arrived, 1);
	}
}

static void unmapped_means_unmapped_for_all(void)
{
	begin(WINDOW);
	crew_run(CREW, unmap_or_look);
}

static void protect_or_store(unsigned me)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (me == 0) {
			unsigned seen[CREW];

			CHECK_OK(mprotect(memory, PAGE, RW));
			next_stage();
			CHECK_OK(mprotect(memory, PAGE, PROT_READ));
			for (unsigned i = 0; i < CREW; i++)
				seen[i] = *counter(0, i);
			next_stage();
			for (unsigned i = 0; i < CREW; i++)
				CHECK_EQ(*counter(0, i), seen[i]);
			continue;
		}
		await_stage(2 * round + 1);
		add(me, 0, 0, 0);
		atomic_fetch_add(&arrived, 1);
		while (atomic_load(&stage) == 2 * round + 1)
			add(me, 0, SIGSEGV, SEGV_ACCERR);
		CHECK_EQ(member_add(counter(0, me)).code, SEGV_ACCERR);
		CHECK_EQ(member_load(memory).signo, 0);
		atomic_fetch_add(&arrived, 1);
	}
}

static void protected_means_protected_for_all(void)
{
	begin(map_anon(PAGE));
	crew_run(CREW, protect_or_store);
	for (unsigned me = 1; me < CREW; me++)
		CHECK_EQ(*counter(0, me), added[me][0]);
}

// --- what is there stays there

// Member 0 goes on until the others have done their part.
static void others_store(unsigned me, int signo, int code)
{
	for (unsigned k = 0; k < 200; k++)
		add(me, member_below(PAGES), signo, code);
	if (atomic_fetch_add(&arrived, 1) + 1 == CREW - 1)
		atomic_store(&stop, 1);
}

static void toggle_rights(unsigned me)
{
	if (me) {
		others_store(me, SIGSEGV, SEGV_ACCERR);
		return;
	}
	while (!atomic_load(&stop)) {
		unsigned from = member_below(PAGES), n = 1 + member_below(PAGES - from);

		CHECK_OK(
			mprotect(memory + from * PAGE, n * PAGE, member_below(2) ? PROT_READ : RW));
	}
}

static void stores_race_mprotect(void)
{
	begin(map_anon(PAGES * PAGE));
	crew_run(CREW, toggle_rights);
	CHECK_OK(mprotect(memory, PAGES * PAGE, RW));
	check_counters(1);
}

static void cut_holes(unsigned me)
{
	if (me) {
		for (unsigned k = 0; k < 200; k++) {
			unsigned page = member_below(PAGES);
			struct fault f = member_add(counter(page, me));

			CHECK(f.signo == 0 || (f.signo == SIGSEGV && f.code == SEGV_MAPERR &&
						      f.address == (uintptr_t)counter(page, me)));
		}
		if (atomic_fetch_add(&arrived, 1) + 1 == CREW - 1)
			atomic_store(&stop, 1);
		return;
	}
	while (!atomic_load(&stop)) {
		unsigned from = member_below(PAGES), n = 1 + member_below(PAGES - from);
		char *p = memory + from * PAGE;

		if (member_below(2))
			CHECK_OK(munmap(p, n * PAGE));
		else
			CHECK(mmap(p, n * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
	}
}

static void stores_race_munmap(void)
{
	begin(WINDOW);
	crew_run(CREW, cut_holes);
	CHECK(mmap(memory, PAGES * PAGE, RW, ANON | MAP_FIXED, -1, 0) == memory);
	check_zero(memory, PAGES * PAGE);
}

// MAP_FIXED puts the new in the place of the old: nobody ever finds nothing.
static void replace(unsigned me)
{
	if (me) {
		for (unsigned k = 0; k < 200; k++)
			CHECK_EQ(member_add(counter(member_below(PAGES), me)).signo, 0);
		if (atomic_fetch_add(&arrived, 1) + 1 == CREW - 1)
			atomic_store(&stop, 1);
		return;
	}
	while (!atomic_load(&stop)) {
		unsigned from = member_below(PAGES), n = 1 + member_below(PAGES - from);
		char *p = memory + from * PAGE;
		bool anonymous = member_below(2);

		CHECK(mmap(p, n * PAGE, RW, anonymous ? ANON | MAP_FIXED : MAP_PRIVATE | MAP_FIXED,
			      anonymous ? -1 : file, 0) == p);
	}
}

static void nobody_sees_a_replacement_halfway(void)
{
	file = make_file("f", PAGES * PAGE);
	begin(map_anon(PAGES * PAGE));
	crew_run(CREW, replace);
}

// --- fork: the child's memory is that of one moment

// Each adds to a counter in one page and then in another: no moment has the second ahead.
static void check_snapshot(void *arg)
{
	(void)arg;
	for (unsigned me = 1; me < CREW; me++)
		for (unsigned page = 0; page + 1 < PAGES; page += 2) {
			unsigned second = *counter(page + 1, me), first = *counter(page, me);

			CHECK(first == second || first == second + 1);
		}
}

static void fork_or_store(unsigned me)
{
	if (me == 0) {
		for (int k = 0; k < 6; k++)
			must_exit_well(start_child(check_snapshot, NULL));
		atomic_store(&stop, 1);
		return;
	}
	while (!atomic_load(&stop)) {
		unsigned page = member_below(PAGES / 2) * 2;

		add(me, page, 0, 0);
		add(me, page + 1, 0, 0);
	}
}

static void fork_takes_one_moment(void)
{
	begin(map_anon(PAGES * PAGE));
	crew_run(CREW, fork_or_store);
	check_counters(1);
}

static void all_fork(unsigned me)
{
	for (int k = 0; k < 3; k++) {
		must_exit_well(start_child(check_snapshot, NULL));
		for (unsigned page = 0; page < PAGES; page += 2) {
			add(me, page, 0, 0);
			add(me, page + 1, 0, 0);
		}
	}
}

static void all_fork_at_once(void)
{
	begin(map_anon(PAGES * PAGE));
	crew_run(CREW, all_fork);
	check_counters(0);
}

// --- files below: truncate, write-back, reclaim

static void cut_the_file(unsigned me)
{
	if (me) {
		for (unsigned k = 0; k < 150; k++) {
			unsigned page = member_below(PAGES);
			struct fault f = member_add(counter(page, me));

			if (page < PAGES / 2)
				CHECK_EQ(f.signo, 0);
			CHECK(f.signo == 0 || (f.signo == SIGBUS && f.code == BUS_ADRERR &&
						      f.address == (uintptr_t)counter(page, me)));
		}
		if (atomic_fetch_add(&arrived, 1) + 1 == CREW - 1)
			atomic_store(&stop, 1);
		return;
	}
	while (!atomic_load(&stop)) {
		CHECK_OK(ftruncate(file, (PAGES / 2 + member_below(PAGES / 2)) * PAGE));
		CHECK_OK(ftruncate(file, PAGES * PAGE));
	}
}

static void truncate_below(int flags)
{
	file = make_file("f", 0);
	CHECK_OK(ftruncate(file, PAGES * PAGE));
	begin(map(PAGES * PAGE, RW, flags, file, 0));
	crew_run(CREW, cut_the_file);
	CHECK_OK(ftruncate(file, PAGES / 2 * PAGE));
	CHECK_OK(ftruncate(file, PAGES * PAGE));
	check_zero(memory + PAGES / 2 * PAGE, PAGES / 2 * PAGE);
}

static void stores_race_truncate(void)
{
	truncate_below(MAP_SHARED);
}

static void private_stores_race_truncate(void)
{
	truncate_below(MAP_PRIVATE);
}

static void write_back_or_store(unsigned me)
{
	if (me) {
		others_store(me, 0, 0);
		return;
	}
	while (!atomic_load(&stop)) {
		CHECK_OK(member_below(2) ? msync(memory, PAGES * PAGE, MS_SYNC) : fsync(file));
		drop_caches('1');
	}
}

static void stores_race_write_back_and_reclaim(void)
{
	file = make_file("f", 0);
	CHECK_OK(ftruncate(file, PAGES * PAGE));
	begin(map(PAGES * PAGE, RW, MAP_SHARED, file, 0));
	crew_run(CREW, write_back_or_store);
	check_counters(1);
	CHECK_OK(munmap(memory, PAGES * PAGE));
	drop_caches('1');
	begin(memory);
	memory = map(PAGES * PAGE, PROT_READ, MAP_SHARED, file, 0);
}

static void reclaim_or_look(unsigned me)
{
	if (me == 0) {
		while (!atomic_load(&stop))
			drop_caches('1');
		return;
	}
	for (unsigned k = 0; k < 150; k++) {
		size_t at = (size_t)member_below(PAGES) * PAGE + member_below(PAGE);

		CHECK_EQ(load(memory + at), pattern(at));
	}
	if (atomic_fetch_add(&arrived, 1) + 1 == CREW - 1)
		atomic_store(&stop, 1);
}

static void looks_race_reclaim(void)
{
	file = make_file("f", PAGES * PAGE);
	sync();
	begin(map(PAGES * PAGE, PROT_READ, MAP_PRIVATE, file, 0));
	crew_run(CREW, reclaim_or_look);
}

// --- all of it

enum { OWN = 24 }; // pages of each member's part of the window

// What a member knows of its part: nothing mapped, or the value of the page, and whether it may
// write.
struct known {
	signed char value; // -1: nothing there
	bool writable;
};

static struct known known[CREW][OWN];

static void check_page(char *p, const struct known *k)
{
	struct fault f = member_load(p);

	if (k->value < 0) {
		CHECK_EQ(f.code, SEGV_MAPERR);
		CHECK_EQ(f.address, (uintptr_t)p);
	} else {
		CHECK_EQ(f.signo, 0);
		CHECK_EQ(load(p), k->value);
	}
}

static bool all_mapped(const struct known *k, unsigned n)
{
	while (n)
		if (k[--n].value < 0)
			return false;
	return true;
}

// Beyond the core: pages are dropped, and move to another place of the part.
static void change_more(char *part, struct known *k)
{
	unsigned half = OWN / 2, from = member_below(half), n = 1 + member_below(half - from);

	if (!all_mapped(k + from, n))
		return;
	if (member_below(2)) {
		CHECK_OK(madvise(part + from * PAGE, n * PAGE, MADV_DONTNEED));
		for (unsigned i = from; i < from + n; i++)
			k[i].value = 0;
		return;
	}
	for (unsigned i = 0; i < n; i++) { // of one kind: mremap takes no more
		if (k[from + i].writable != k[from].writable)
			return;
	}
	CHECK(mremap(part + from * PAGE, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      part + (half + from) * PAGE) == part + (half + from) * PAGE);
	for (unsigned i = from; i < from + n; i++) {
		k[half + i] = k[i];
		k[i] = (struct known){-1, false};
	}
}

static void change(char *part, struct known *k)
{
	unsigned from = member_below(OWN), n = 1 + member_below(OWN - from), op = member_below(9);
	char *p = part + from * PAGE;

	switch (op) {
	case 0:
		CHECK_OK(munmap(p, n * PAGE));
		for (unsigned i = from; i < from + n; i++)
			k[i] = (struct known){-1, false};
		break;
	case 1:
	case 2:
		CHECK(mmap(p, n * PAGE, RW, ANON | MAP_FIXED | (op == 2 ? MAP_POPULATE : 0), -1,
			      0) == p);
		for (unsigned i = from; i < from + n; i++)
			k[i] = (struct known){0, true};
		break;
	case 3:
		if (!all_mapped(k + from, n))
			break;
		CHECK_OK(mprotect(p, n * PAGE, PROT_READ));
		for (unsigned i = from; i < from + n; i++)
			k[i].writable = false;
		break;
	case 4:
		if (!all_mapped(k + from, n))
			break;
		CHECK_OK(mprotect(p, n * PAGE, RW));
		for (unsigned i = from; i < from + n; i++)
			k[i].writable = true;
		break;
	case 5:
		if (!on_core())
			change_more(part, k);
		break;
	default:
		if (k[from].writable)
			store(p, (char)(k[from].value = (signed char)member_below(128)));
	}
}

static void look_at_own(void *arg)
{
	struct known *k = arg;
	char *part = memory + (size_t)((struct known(*)[OWN])k - known) * OWN * PAGE;

	for (unsigned i = 0; i < OWN; i++)
		if (k[i].value >= 0)
			CHECK_EQ(load(part + i * PAGE), k[i].value);
}

static void storm(unsigned me)
{
	char *part = memory + (size_t)me * OWN * PAGE;
	struct known *k = known[me];

	for (unsigned round = 0; round < 30; round++) {
		unsigned i = member_below(OWN);

		change(part, k);
		check_page(part + i * PAGE, &k[i]);
		if (round % 30 == 10 + me)
			must_exit_well(start_child(look_at_own, k));
		if (me == 0 && round % 30 == 5)
			drop_caches('1');
	}
}

// The parts touch: areas of different members merge and are cut again.
static void everything_at_once(void)
{
	begin(WINDOW);
	for (unsigned me = 0; me < CREW; me++)
		for (unsigned i = 0; i < OWN; i++)
			known[me][i] = (struct known){-1, false};
	crew_run(CREW, storm);
}

static void one_is_killed(unsigned me)
{
	for (unsigned k = 0; k < (me ? 6u : 1u << 30); k++) {
		char *p = map_anon(4 * PAGE);

		for (unsigned i = 0; i < 4; i++)
			store(p + i * PAGE, (char)me);
		for (unsigned i = 0; i < 4; i++)
			CHECK_EQ(load(p + i * PAGE), me);
		CHECK_OK(munmap(p, 4 * PAGE));
	}
}

static void killed_member_leaves_the_space_intact(void)
{
	for (int round = 0; round < 2; round++)
		crew_run_and_kill(CREW, one_is_killed, 0);
}

static void exec_or_store(unsigned me)
{
	char *const argv[] = {"true", NULL};

	if (me)
		others_store(me, 0, 0);
	else
		execv("/bin/true", argv);
}

static void exec_leaves_the_space_to_the_others(void)
{
	begin(map_anon(PAGES * PAGE));
	crew_run(CREW, exec_or_store);
	check_counters(1);
}

static const struct test tests[] = {
	{"everybody_faults_on_the_same_pages", everybody_faults_on_the_same_pages},
	{"file_pages_too", file_pages_too},
	{"unmapped_means_unmapped_for_all", unmapped_means_unmapped_for_all},
	{"protected_means_protected_for_all", protected_means_protected_for_all},
	{"stores_race_mprotect", stores_race_mprotect},
	{"stores_race_munmap", stores_race_munmap},
	{"nobody_sees_a_replacement_halfway", nobody_sees_a_replacement_halfway},
	{"fork_takes_one_moment", fork_takes_one_moment},
	{"all_fork_at_once", all_fork_at_once},
	{"stores_race_truncate", stores_race_truncate},
	{"private_stores_race_truncate", private_stores_race_truncate},
	{"stores_race_write_back_and_reclaim", stores_race_write_back_and_reclaim},
	{"looks_race_reclaim", looks_race_reclaim},
	{"everything_at_once", everything_at_once},
	{"killed_member_leaves_the_space_intact", killed_member_leaves_the_space_intact},
	{"exec_leaves_the_space_to_the_others", exec_leaves_the_space_to_the_others},
};

TEST_MAIN(tests)
