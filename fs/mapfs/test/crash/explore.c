// SPDX-License-Identifier: MIT
#include "explore.h"

#include "medium.h"
#include "oracle.h"

#include <mapfs/format.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The image, what was asked of it in one epoch and another, and as much again to stay sparse. */
#define ENTRIES_PER_IMAGE 8

/* --- What workers share ------------------------------------------------------------------ */

struct shared *shared_new(uint64_t images)
{
	struct shared *shared;
	size_t room = 1 << 20;

	while (room < ENTRIES_PER_IMAGE * images)
		room *= 2;
	shared = mmap(NULL, sizeof(*shared) + room * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	shared->room = room;
	return shared;
}

bool shared_full(const struct shared *shared)
{
	return __atomic_load_n(&shared->used, __ATOMIC_RELAXED) > shared->room / 4 * 3;
}

bool shared_claim(struct shared *shared, uint64_t hash)
{
	hash += hash == 0;
	for (size_t i = hash & (shared->room - 1);; i = (i + 1) & (shared->room - 1)) {
		uint64_t there = __atomic_load_n(&shared->seen[i], __ATOMIC_RELAXED);
		if (there == 0 && __atomic_compare_exchange_n(&shared->seen[i], &there, hash, false,
					  __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			__atomic_fetch_add(&shared->used, 1, __ATOMIC_RELAXED);
			return true;
		}
		if (there == hash)
			return false;
	}
}

/* --- One state --------------------------------------------------------------------------- */

struct run {
	struct explore *x;
	struct recording rec;
	struct medium medium;
	const char *workload;
	uint64_t workload_hash;
	uint32_t epoch;          /* of the workload, that is cut */
	const struct unit *unit; /* the first one of the epoch that is cut */
	struct units *recovery;  /* what mount writes is wanted */
	uint32_t recovery_epochs;
	size_t state_bytes; /* of the state's text before the epoch at hand */
	uint64_t want;      /* digest that recovery must lead to; 0: any that is allowed */
	uint64_t digest;    /* to which it led */
	bool wrong;
	char *why;
};

static bool wrong(struct run *run, const char *what, const char *more)
{
	snprintf(run->why, 512, "%s%.400s", what, more);
	for (char *c = run->why; (c = strchr(c, '\n'));)
		*c = c[1] ? ';' : 0;
	run->wrong = true;
	return false;
}

static bool look(struct run *run, struct observed *o)
{
	char why[256];

	if (mount_readonly(run->rec.world.ctx.root->mount))
		return wrong(run, "mounted for reading only: ", world_said());
	if (!observe(o, &run->rec.world, why))
		return wrong(run, why, "");
	if (!oracle_allows(&run->rec, run->epoch, o, why))
		return wrong(run, why, "");
	run->digest = o->digest;
	if (run->want && run->want != o->digest)
		return wrong(run, "recovered again, it is another state", "");
	return true;
}

/* What was to be freed by earlier mounts has been. */
static bool orphans_are_gone(struct run *run)
{
	struct mapfs_state state;

	memcpy(&state, testdisk_block(run->rec.world.disk, MAPFS_STATE_BLOCK), sizeof(state));
	return state.orphan_head == 0 || wrong(run, "there are orphans after a mount", "");
}

/* fsck -n, which sees what is in the log without writing; mount, look, unmount, fsck again. */
static bool recover(struct run *run)
{
	struct world *w = &run->rec.world;
	struct observed o = {0};
	bool good;

	if (world_try_fsck(w, false) != IMAGE_CLEAN)
		return wrong(run, "fsck, before the mount: ", world_said());
	if (w->disk->n_log)
		return wrong(run, "fsck -n has written", "");
	if (world_try_mount(w))
		return wrong(run, "cannot be mounted: ", world_said());
	if (run->recovery) {
		units_take(run->recovery, w->disk);
		run->recovery_epochs = w->disk->epoch + 1;
	}
	good = look(run, &o);
	observed_free(&o);
	world_unmount(w);
	if (good && world_try_fsck(w, false) != IMAGE_CLEAN)
		good = wrong(run, "fsck: ", world_said());
	return good && orphans_are_gone(run);
}

static void set_state_text(struct run *run, uint32_t epoch, const uint8_t *mask, size_t n)
{
	char *text = run->x->state + run->state_bytes;
	size_t room = STATE_TEXT_BYTES - run->state_bytes, at;

	at = (size_t)snprintf(text, room, "%s%u:", run->state_bytes ? "/" : "", epoch);
	for (size_t i = 0; i < n && at + 3 < room; i++)
		at += (size_t)snprintf(text + at, room - at, "%02x", mask[i]);
}

/* The image is what is to be looked at: do so, if nobody has. */
static bool look_at_image(struct run *run)
{
	uint64_t owed = oracle_owed(&run->rec, run->epoch) + 1;
	struct shared *shared = run->x->shared;
	struct testdisk *disk = run->rec.world.disk;
	bool good;

	if (shared_claim(shared, run->medium.hash)) {
		__atomic_fetch_add(&shared->images, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&shared->deep, run->want != 0, __ATOMIC_RELAXED);
	}
	if (!shared_claim(shared, (run->medium.hash ^ run->workload_hash ^ run->want) +
					  owed * 0x9e3779b97f4a7c15u))
		return true;
	record_limit_reads(disk, true);
	good = recover(run);
	record_limit_reads(disk, false);
	testdisk_rewind(disk);
	return good;
}

static void put_masked(struct run *run, const struct unit *unit, const uint8_t *mask, size_t n)
{
	for (size_t i = 0; i < n; i++)
		medium_put(&run->medium, &unit[i], mask[i]);
}

/* --- A crash while it recovers ----------------------------------------------------------- */

struct again {
	struct run *run;
	const struct unit *unit;
	uint32_t epoch;
};

static bool visit_again(void *arg, const uint8_t *mask, size_t n)
{
	struct again *again = arg;
	struct run *run = again->run;
	size_t mark = medium_mark(&run->medium);
	bool good;

	set_state_text(run, again->epoch, mask, n);
	put_masked(run, again->unit, mask, n);
	good = look_at_image(run);
	medium_undo(&run->medium, mark);
	return good;
}

/* Recovery wrote these units: cut each of its epochs. */
static bool cut_recovery(struct run *run, const struct units *units, uint32_t n_epochs)
{
	const struct states_of states = {run->x->states.complete, run->x->states.random / 100};
	size_t state_bytes = run->state_bytes;
	uint64_t seed = run->x->seed | 1;
	bool good = true;

	run->state_bytes = strlen(run->x->state);
	run->want = run->digest;
	for (uint32_t e = 0; e < n_epochs && good; e++) {
		size_t first, end = units_of_epoch(units, e, &first);
		struct again again = {run, units->unit + first, e};
		good = states_of_epoch(
			again.unit, end - first, &states, &seed, visit_again, &again);
		for (size_t i = first; i < end; i++)
			medium_put(&run->medium, &units->unit[i], 0xff);
	}
	run->want = 0;
	run->state_bytes = state_bytes;
	return good;
}

/* --- All states -------------------------------------------------------------------------- */

static bool goes_deep(const struct run *run, const uint8_t *mask, size_t n)
{
	if (run->x->deep == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (mask[i] != 0xff)
			return run->medium.hash / 7 % run->x->deep == 0;
	return true;
}

static bool visit(void *arg, const uint8_t *mask, size_t n)
{
	struct run *run = arg;
	size_t mark = medium_mark(&run->medium);
	struct units recovery = {0};
	bool good;

	set_state_text(run, run->epoch, mask, n);
	put_masked(run, run->unit, mask, n);
	run->recovery = goes_deep(run, mask, n) ? &recovery : NULL;
	good = look_at_image(run);
	run->recovery = NULL;
	if (good && recovery.n)
		good = cut_recovery(run, &recovery, run->recovery_epochs);
	units_free(&recovery);
	medium_undo(&run->medium, mark);
	return good && !(run->x->enough && run->x->enough(run->x->arg));
}

static bool run_begin(struct run *run, struct explore *x, const char *workload, char why[512])
{
	*run = (struct run){.x = x, .workload = workload, .why = why};
	run->workload_hash = 0xcbf29ce484222325u;
	for (const char *c = workload; *c; c++)
		run->workload_hash = (run->workload_hash ^ (uint8_t)*c) * 0x100000001b3u;
	x->state[0] = 0;
	if (!record_workload(&run->rec, workload, why))
		return false;
	medium_open(&run->medium, run->rec.world.disk);
	return true;
}

static void run_end(struct run *run)
{
	medium_close(&run->medium);
	record_free(&run->rec);
}

/* The epoch's writes all arrive, for good. */
static void finish_epoch(struct run *run, size_t n)
{
	for (size_t i = 0; i < n; i++)
		medium_put(&run->medium, &run->unit[i], 0xff);
}

bool explore_workload(struct explore *x, const char *workload, char why[512])
{
	uint64_t seed = x->seed | 1;
	bool more = true;
	struct run run;

	if (!run_begin(&run, x, workload, why))
		return false;
	for (; run.epoch < run.rec.n_epochs && more; run.epoch++) {
		size_t first, end = units_of_epoch(&run.rec.units, run.epoch, &first);
		run.unit = run.rec.units.unit + first;
		more = states_of_epoch(run.unit, end - first, &x->states, &seed, visit, &run);
		finish_epoch(&run, end - first);
	}
	run_end(&run);
	return !run.wrong;
}

/* --- One state by its text --------------------------------------------------------------- */

/* "EPOCH:MASKS" at *text; then everything of earlier epochs, and what the masks say, is put. */
static bool put_state(
	struct run *run, const struct units *units, const char **text, uint32_t *epoch)
{
	char *end;
	unsigned mask;

	*epoch = (uint32_t)strtoul(*text, &end, 10);
	if (*end++ != ':')
		return false;
	for (size_t i = 0; i < units->n && units->unit[i].epoch <= *epoch; i++) {
		if (units->unit[i].epoch == *epoch) {
			if (sscanf(end, "%2x", &mask) != 1)
				return false;
			end += 2;
		} else {
			mask = 0xff;
		}
		medium_put(&run->medium, &units->unit[i], (uint8_t)mask);
	}
	*text = end;
	return *end == 0 || *end == '/';
}

static bool state_of_text(struct run *run, const char *text)
{
	struct units recovery = {0};
	uint32_t epoch;
	bool good;

	if (!put_state(run, &run->rec.units, &text, &run->epoch))
		return wrong(run, "no such state: ", text);
	if (*text) {
		run->recovery = &recovery;
		good = look_at_image(run);
		run->recovery = NULL;
		run->want = run->digest;
		text++;
		if (good && !put_state(run, &recovery, &text, &epoch))
			good = wrong(run, "no such state: ", text);
		units_free(&recovery);
		if (!good)
			return false;
	}
	return look_at_image(run);
}

bool explore_state(struct explore *x, const char *workload, const char *state, char why[512])
{
	struct run run;
	bool good;

	if (!run_begin(&run, x, workload, why))
		return false;
	good = state_of_text(&run, state);
	run_end(&run);
	return good;
}
