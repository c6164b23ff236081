// SPDX-License-Identifier: MIT
/*
 * What a placement makes of the holes of a space: synthetic programs map and unmap, and what is
 * left free is looked at.
 *
 *	mm_fragmentation_POLICY POLICY
 *
 * Prints a line for each workload and fill level, separated by tabs:
 *
 *	policy  workload  fill %  holes  largest hole, % of what is free  failed maps, %
 *
 * A run maps until the space is full to the level, and then STEPS times: unmaps until the next map
 * would keep the level, and maps it, or unmaps one more when that fails.  A map that fails would
 * fit into what is free, were it in one piece.  The figures are means over the second half of the
 * steps.  All is drawn from one seed, so they are the same on every machine.
 */
#include "posix.h"

#include <mm/vm.h>

#include <stdio.h>
#include <stdlib.h>

#define PAGE    ((size_t)MVM_PAGE_BYTES)
#define LOW     ((mvm_vaddr_t)0x100000)
#define PAGES   ((size_t)16384)
#define STEPS   4000u
#define SAMPLES 50u
#define LIVE    PAGES

static uint64_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % below;
}

/* --- Workloads: how large the next map is, in pages ------------------------------------------- */

/* A heap's arenas, large blocks among them. */
static size_t arena(void)
{
	return (size_t)16 << draw(5);
}

/* Thread stacks of two sizes, each with its guard page. */
static size_t stack(void)
{
	return draw(4) ? 65 : 17;
}

/* Files: half as many for each doubling of the size. */
static size_t file(void)
{
	unsigned k = 0;

	while (k < 8 && draw(2))
		k++;
	return ((size_t)1 << k) + draw(1u << k);
}

static size_t any(void)
{
	static size_t (*const kinds[])(void) = {arena, stack, file, file};

	return kinds[draw(4)]();
}

static const struct workload {
	const char *name;
	size_t (*pages)(void);
	unsigned stay; /* of so many maps one stays (0: none), up to a quarter of the space */
} workloads[] = {
	{"arenas", arena, 0},
	{"stacks", stack, 0},
	{"files", file, 0},
	{"mix", any, 8},
};

/* --- One run ---------------------------------------------------------------------------------- */

static struct run {
	struct mvm_space *space;
	const struct workload *workload;
	size_t most, mapped, staying;
	struct map {
		mvm_vaddr_t va;
		size_t pages;
	} live[LIVE];
	size_t n_live;
	uint64_t asked, failed, holes, largest;
} run;

static void must(int err)
{
	if (err) {
		fprintf(stderr, "fragmentation: error %d\n", err);
		exit(1);
	}
}

static void unmap_one(void)
{
	size_t i = draw((unsigned)run.n_live);

	must(mvm_unmap(run.space, run.live[i].va, run.live[i].pages * PAGE));
	run.mapped -= run.live[i].pages;
	run.live[i] = run.live[--run.n_live];
}

/* False: it does not fit. */
static bool map_one(size_t pages)
{
	struct mvm_map m = {
		.bytes = pages * PAGE,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
	};
	bool stays = run.workload->stay && draw(run.workload->stay) == 0;

	run.asked++;
	if (mvm_map(run.space, &m) != 0) {
		run.failed++;
		return false;
	}
	run.mapped += pages;
	if (stays && run.staying + pages <= PAGES / 4)
		run.staying += pages;
	else
		run.live[run.n_live++] = (struct map){m.addr, pages};
	return true;
}

/* Look at the holes. */
static void sample(void)
{
	mvm_vaddr_t at = LOW, end = LOW + PAGES * PAGE;
	size_t largest = 0, holes = 0;

	while (at < end) {
		struct mvm_area_info info = {.start = end, .end = end};

		if (mvm_area_next(run.space, at, &info) && info.object)
			mvm_object_unref(info.object);
		if (info.start > at) {
			holes++;
			largest = info.start - at > largest ? info.start - at : largest;
		}
		at = info.end;
	}
	run.holes += holes;
	run.largest += largest / PAGE * 1000 / (PAGES - run.mapped);
}

static void run_one(const char *policy, const struct workload *workload, unsigned fill)
{
	seed = 1;
	posix_seed(1);
	run = (struct run){.workload = workload, .most = PAGES * fill / 100};
	must(mvm_space_new(LOW, LOW + PAGES * PAGE, &run.space));
	for (size_t next = workload->pages(); run.mapped + next <= run.most;
		next = workload->pages())
		if (!map_one(next))
			break;
	for (unsigned step = 0; step < STEPS; step++) {
		size_t next = workload->pages();

		while (run.n_live > 0 && run.mapped + next > run.most)
			unmap_one();
		if (step == STEPS / 2)
			run.asked = run.failed = 0;
		if (!map_one(next) && run.n_live > 0)
			unmap_one();
		if (step >= STEPS / 2 && step % (STEPS / 2 / SAMPLES) == 0)
			sample();
	}
	printf("%s\t%s\t%u\t%llu\t%.1f\t%.1f\n", policy, workload->name, fill,
		(unsigned long long)(run.holes / SAMPLES), (double)(run.largest / SAMPLES) / 10,
		(double)(run.failed * 1000 / run.asked) / 10);
	mvm_space_unref(run.space);
}

int main(int argc, char **argv)
{
	const unsigned fills[] = {50, 60, 70, 80, 85, 90, 95};

	if (argc != 2)
		return 2;
	posix_start(1024);
	if (mvm_init() != 0)
		return 2;
	for (unsigned w = 0; w < sizeof workloads / sizeof *workloads; w++)
		for (unsigned f = 0; f < sizeof fills / sizeof *fills; f++)
			run_one(argv[1], &workloads[w], fills[f]);
	return 0;
}
