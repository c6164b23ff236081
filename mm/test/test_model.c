// SPDX-License-Identifier: MIT
/*
 * mm against a naive model: random calls, loads and stores on several spaces and files, each
 * compared with an array of pages that knows nothing of areas, trees, sharing or laziness.
 *
 *	mm_model [--ops N] [--seed S] [--episode K] [--check-every N] [--forget N] [--verbose]
 *
 * A run is a series of episodes.  An episode makes spaces and files, applies OPS_PER_EPISODE
 * operations, compares everything, and ends with nothing left allocated.  Operation i of an
 * episode draws its parameters from (seed, episode, i) alone: so operations can be left out of a
 * failing episode while the others stay as they were, which is how a failure is shrunk before it
 * is reported.  `--seed S --episode K` replays one.
 *
 * A run counts accepted operations: calls that did what they were asked, and loads and stores, be
 * their answer data or the expected signal.
 */
#include "testfile.h"
#include "model.h"

#include <mm/host.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPS_PER_EPISODE 2000
#define FRAMES          4096

/* --- One operation ---------------------------------------------------------------------------- */

static void op_reclaim(struct draw *d)
{
	(void)mvm_reclaim(1 + below(d, 64));
	progress->accepted++;
}

static const struct op {
	const char *name;
	unsigned weight;
	void (*apply)(struct draw *d);
	bool meets_all; /* a full run must have it meet every state of a page */
} ops[] = {
	{"load", 22, op_load, true},
	{"store", 24, op_store, true},
	{"exec", 1, op_execute, false},
	{"map", 8, op_map_fixed, true},
	{"map-hint", 3, op_map_hint, false},
	{"unmap", 6, op_unmap, true},
	{"protect", 6, op_protect, true},
	{"sync", 2, op_sync, false},
	{"fork", 2, op_fork, false},
	{"free", 1, op_free, false},
	{"prefault", 2, op_prefault, true},
	{"space-write", 2, op_space_write, false},
	{"hold", 2, op_hold, false},
	{"file-read", 3, op_file_read, false},
	{"file-write", 4, op_file_write, false},
	{"truncate", 2, op_truncate, false},
	{"punch", 1, op_punch, false},
	{"flush", 2, op_flush, false},
	{"reclaim", 3, op_reclaim, false},
	{"writeback", 2, op_writeback, false},
};
enum { OPS = sizeof ops / sizeof *ops };

static void apply(uint64_t episode, unsigned i)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(episode) ^ mix(i))};
	unsigned total = 0, pick, op = 0;

	for (unsigned k = 0; k < OPS; k++)
		total += ops[k].weight;
	for (pick = below(&d, total); pick >= ops[op].weight; op++)
		pick -= ops[op].weight;
	SAY("%u: %s\n", i, ops[op].name);
	progress->op = op;
	ops[op].apply(&d);
}

/* --- Episodes ---------------------------------------------------------------------------------- */

static void compare_everything(void)
{
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned i = 0; world.space[s].space && i < PAGES; i++) {
			for (unsigned c = 0; c < CELLS; c++)
				load(&world.space[s], i, c);
		}
	}
}

/* Caches of mm (the chunks of descriptors, slabs) grow once; what pages hold must come back. */
static void expect_nothing_left(void)
{
	struct mvm_stats stats;

	mvm_check();
	mvm_stats(&stats);
	EXPECT(stats.anon_pages, 0, "anon pages left");
	EXPECT(stats.cached_pages, 0, "cached pages left");
	EXPECT(stats.spaces, 0, "spaces left");
	EXPECT(stats.areas, 0, "areas left");
	EXPECT(stats.objects, 0, "objects left");
	EXPECT(posix_frames_used(), 0, "frames left");
}

static void run_episode(uint64_t episode, const bool *skip)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(~episode))};

	progress->episode = episode;
	posix_seed(draw(&d));
	posix_forget(options.forget ? options.forget : episode % 4 == 3 ? 5 : 0);
	new_space(&world.space[0]);
	for (unsigned i = 0; i < FILES; i++) {
		memset(&world.file[i], 0, sizeof world.file[i]);
		world.file[i].size = (uint64_t)below(&d, FILE_PAGES * CELLS) * CELL_BYTES;
		world.file[i].file = test_file_new(FILE_PAGES, world.file[i].size);
	}
	for (unsigned i = 0; i < OPS_PER_EPISODE; i++) {
		if (!skip || !skip[i])
			apply(episode, i);
		if (i % options.check_every == 0)
			mvm_check();
	}
	compare_everything();
	for (unsigned i = 0; i < SPACES; i++) {
		if (world.space[i].space)
			free_space(&world.space[i]);
	}
	for (unsigned i = 0; i < FILES; i++) {
		test_file_free(world.file[i].file);
	}
	expect_nothing_left();
	progress->episodes++;
}

/* True: the episode without the skipped operations still fails. */
static bool fails_without(uint64_t episode, const bool *skip)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		options.check_every = 1;
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		run_episode(episode, skip);
		exit(0);
	}
	waitpid(pid, &status, 0);
	return status != 0;
}

/* Leave out ever smaller pieces for as long as the rest fails (Zeller's ddmin, one way). */
static void shrink(uint64_t episode)
{
	static bool skip[OPS_PER_EPISODE];
	unsigned kept = 0;

	if (!fails_without(episode, skip)) {
		printf("# episode %lu does not fail alone: replay with --ops\n", (long)episode);
		return;
	}
	for (unsigned size = OPS_PER_EPISODE / 2; size; size /= 2) {
		for (unsigned at = 0; at < OPS_PER_EPISODE; at += size) {
			bool saved[OPS_PER_EPISODE];

			memcpy(saved, skip, sizeof skip);
			memset(skip + at, 1,
				(at + size > OPS_PER_EPISODE ? OPS_PER_EPISODE - at : size));
			if (memcmp(saved, skip, sizeof skip) && !fails_without(episode, skip))
				memcpy(skip, saved, sizeof skip);
		}
	}
	printf("# the operations that fail together:");
	for (unsigned i = 0; i < OPS_PER_EPISODE; i++) {
		if (!skip[i] && kept++ < 100)
			printf(" %u", i);
	}
	printf("\n");
	fflush(stdout);
	options.verbose = true;
	options.check_every = 1;
	run_episode(episode, skip);
}

static void print_coverage(void)
{
	printf("# calls by the state of the first page they met\n# %-12s", "");
	for (unsigned s = 0; s < STATES; s++)
		printf(" %13s", state_names[s]);
	for (unsigned op = 0; op < OPS; op++) {
		uint64_t sum = 0;

		for (unsigned s = 0; s < STATES; s++)
			sum += progress->coverage[op][s];
		if (!sum)
			continue;
		printf("\n# %-12s", ops[op].name);
		for (unsigned s = 0; s < STATES; s++)
			printf(" %13lu", (long)progress->coverage[op][s]);
	}
	printf("\n");
}

static unsigned uncovered(void)
{
	unsigned n = 0;

	for (unsigned op = 0; op < OPS; op++) {
		for (unsigned state = 0; ops[op].meets_all && state < STATES; state++)
			n += progress->coverage[op][state] == 0;
	}
	return n;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool value = i + 1 < argc;

		if (!strcmp(argv[i], "--verbose"))
			options.verbose = true;
		else if (value && !strcmp(argv[i], "--ops"))
			options.ops = strtoull(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--seed"))
			options.seed = strtoull(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--episode"))
			options.episode = strtol(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--check-every"))
			options.check_every = (unsigned)strtoul(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--forget"))
			options.forget = (unsigned)strtoul(argv[++i], NULL, 0);
		else {
			fprintf(stderr,
				"usage: %s [--ops N] [--seed S] [--episode K] "
				"[--check-every N] [--forget N] [--verbose]\n",
				argv[0]);
			exit(2);
		}
	}
	if (!options.check_every)
		options.check_every = ~0u;
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	options.seed = (uint64_t)getpid() ^ mvmh_now();
	parse(argc, argv);
	progress = mmap(
		NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 2;
	printf("TAP version 13\n1..1\n# seed %lu\n", (long)options.seed);
	fflush(stdout);
	posix_start(FRAMES);
	if (mvm_init() != 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		if (options.episode >= 0)
			run_episode((uint64_t)options.episode, NULL);
		for (uint64_t e = 0; options.episode < 0 && progress->accepted < options.ops; e++)
			run_episode(e, NULL);
		exit(0);
	}
	waitpid(pid, &status, 0);
	print_coverage();
	printf("# %lu accepted operations in %lu episodes\n", (long)progress->accepted,
		(long)progress->episodes);
	if (status != 0) {
		printf("not ok 1 - random operations against the model\n"
		       "# replay: --seed %lu --episode %lu: %s\n",
			(long)options.seed, (long)progress->episode, progress->why);
		fflush(stdout);
		shrink(progress->episode);
		return 1;
	}
	if (options.ops >= 1000000 && options.episode < 0 && uncovered()) {
		printf("not ok 1 - %u pairs of call and page state were never met\n", uncovered());
		return 1;
	}
	printf("ok 1 - random operations against the model\n");
	return 0;
}
