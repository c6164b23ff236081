// SPDX-License-Identifier: MIT
/*
 * mm against a naive model: random calls, loads and stores on several spaces and files, each
 * compared with an array of pages that knows nothing of areas, trees, sharing or laziness.
 *
 *	mm_model [--ops N] [--seed S] [--episode K] [--check-every N] [--forget N] [--fail N]
 *		[--verbose]
 *
 * A run is a series of episodes.  An episode makes spaces and files, applies OPS_PER_EPISODE
 * operations, compares everything, and ends with nothing left allocated.  Operation i of an
 * episode draws its parameters from (seed, episode, i) alone: so operations can be left out of a
 * failing episode while the others stay as they were, which is how a failure is shrunk before it
 * is reported.  `--seed S --episode K` replays one.
 *
 * A run counts accepted operations: calls that did what they were asked, and loads and stores, be
 * their answer data or the expected signal.  The comparisons at an episode's end do not count.
 *
 * mvm_check() looks at all invariants after each step (--check-every 1, the default).  Memory is
 * short all the time: before each step the machine is given few frames more than what cannot be
 * reclaimed.  In every other episode the pmap forgets entries, in one of four at any moment.
 *
 * With --fail every Nth operation meets a failure of memory or of a file, once or for good.  If the
 * call then fails, everything must be as before it; the calls that may have done a part of their
 * work (PARTLY) end the episode, with the invariants checked and nothing left.
 */
#include "model.h"

#include <mm/host.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPS_PER_EPISODE 2000
#define FRAMES          4096

static mvm_frame_t device_first;

/* --- One operation ---------------------------------------------------------------------------- */

#define STATE(s) (1u << (s))
/* What an operation can meet: any page; what is mapped; pages that show a file or shared memory. */
#define ALL    (STATE(STATES) - 1)
#define MAPPED (ALL & ~STATE(UNMAPPED))
#define OF_FILES                                                                                 \
	(STATE(PRIVATE_NEW) | STATE(PRIVATE_OWN) | STATE(PRIVATE_FORKED) | STATE(PRIVATE_PAST) | \
		STATE(SHARED_CLEAN) | STATE(SHARED_STORED) | STATE(SHARED_PAST) |                \
		STATE(SHARED_MEMORY) | STATE(IS_LOCKED))
#define OF_DISKS (OF_FILES & ~STATE(SHARED_MEMORY))
#define IN_FILES (OF_FILES & ~(STATE(PRIVATE_PAST) | STATE(SHARED_PAST)))

/*
 * `meets`: each state of a page that the operation can meet, and must meet in a full run.  Those
 * about a file meet only its pages (a hole's are inside of it); a transfer, also the memory that it
 * is from or to; the heap and the stacks are private memory of one kind each; what is held for a
 * device to write is private.
 */
static const struct op {
	const char *name;
	unsigned weight;
	void (*apply)(struct draw *d);
	unsigned meets;
	enum { WHOLLY, PARTLY, WAITS, NEVER } fails; /* as if not called; half done; ... */
} ops[] = {
	{"load", 60, op_load, ALL, WHOLLY},
	{"store", 70, op_store, ALL, WHOLLY},
	{"exec", 6, op_execute, ALL, WHOLLY},
	{"map", 22, op_map_fixed, ALL & ~STATE(OF_STACK), WHOLLY},
	{"map-large", 5, op_map_large, ALL & ~STATE(OF_STACK), WHOLLY},
	{"map-hint", 7, op_map_hint, ALL & ~STATE(OF_STACK), WHOLLY},
	{"map-stack", 6, op_map_stack, STATE(UNMAPPED) | STATE(OF_STACK) | STATE(IS_LOCKED),
		WHOLLY},
	{"unmap", 14, op_unmap, ALL, WHOLLY},
	{"protect", 16, op_protect, ALL, PARTLY},
	{"sync", 6, op_sync, ALL, PARTLY},
	{"fork", 7, op_fork, ALL, WHOLLY},
	{"free", 5, op_free, ALL, NEVER},
	{"prefault", 6, op_prefault, ALL, WHOLLY},
	{"space-write", 6, op_space_write, ALL, WHOLLY},
	{"hold", 8, op_hold, ALL, WHOLLY},
	{"device-write", 6, op_device_write,
		STATE(ANON_OWN) | STATE(ANON_FORKED) | STATE(PRIVATE_OWN) | STATE(PRIVATE_FORKED) |
			STATE(OF_STACK) | STATE(IS_LOCKED),
		WHOLLY},
	{"futex", 3, op_futex, ALL, WHOLLY},
	{"remap", 18, op_remap, ALL, PARTLY},
	{"brk", 5, op_brk, ALL & ~STATE(OF_STACK), WHOLLY},
	{"limits", 3, op_limits, 0, WHOLLY},
	{"advise", 24, op_advise, ALL, PARTLY},
	{"incore", 5, op_incore, ALL, WHOLLY},
	{"mlock", 7, op_lock, ALL, PARTLY},
	{"munlock", 7, op_unlock, ALL, PARTLY},
	{"mlockall", 2, op_lock_all, ALL, PARTLY},
	{"read", 8, op_file_read, OF_FILES, WHOLLY},
	{"write", 10, op_file_write, OF_FILES, PARTLY},
	{"read-to", 8, op_file_read_user, ALL, PARTLY},
	{"write-from", 8, op_file_write_user, ALL, PARTLY},
	{"touch", 3, op_file_touch, OF_FILES, WHOLLY},
	{"truncate", 6, op_truncate, OF_FILES, WAITS},
	{"punch", 4, op_punch, IN_FILES, PARTLY},
	{"flush", 6, op_flush, OF_FILES, PARTLY},
	{"readahead", 3, op_readahead, OF_FILES, WHOLLY},
	{"invalidate", 3, op_invalidate, OF_FILES, WHOLLY},
	{"writeback", 4, op_writeback, OF_DISKS, PARTLY},
	{"reclaim", 6, op_reclaim, OF_DISKS, WHOLLY},
};
enum { OPS = sizeof ops / sizeof *ops };

/* The most frames that one operation needs for good. */
#define OP_FRAMES (PAGES + 4)

/* Leave the machine few frames more than there are pages that cannot be reclaimed. */
static void make_memory_short(struct draw *d)
{
	size_t bound = DEVICE_PAGES + FILE_PAGES; /* the device's, and shared memory's */
	struct mvm_stats stats;

	mvm_stats(&stats);
	for (unsigned i = 0; i < HOLDS; i++)
		bound += world.hold[i].space != NULL;
	for (unsigned i = 0; i < SPACES; i++)
		bound += world.space[i].space ? count_pages(&world.space[i], is_locked) : 0;
	posix_limit_frames(stats.anon_pages + bound + OP_FRAMES + below(d, 32));
}

/* Run it with something failing.  True: it did, and was left half done. */
static bool apply_failing(const struct op *op, struct draw *d)
{
	static struct world before;

	before = world;
	plan_failure(d, op->fails != WAITS);
	if (setjmp(op_give_up) == 0) {
		op->apply(d);
		plan_none();
		return false;
	}
	SAY("  failed, as planned\n");
	world = before;
	for (unsigned s = 0; s < SPACES; s++)
		adopt_failed(&world.space[s]);
	progress->failed++;
	return op->fails == PARTLY;
}

/* True: the episode ends here. */
static bool apply(uint64_t episode, unsigned i)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(episode) ^ mix(i))};
	unsigned total = 0, pick, op = 0;

	for (unsigned k = 0; k < OPS; k++)
		total += ops[k].weight;
	for (pick = below(&d, total); pick >= ops[op].weight; op++)
		pick -= ops[op].weight;
	SAY("%u: %s\n", i, ops[op].name);
	progress->op = op;
	make_memory_short(&d);
	if (options.fail && i % options.fail == 0 && ops[op].fails != NEVER)
		return apply_failing(&ops[op], &d);
	ops[op].apply(&d);
	return false;
}

/* --- Episodes --------------------------------------------------------------------------------- */

static void check(void)
{
	mvm_check();
	compare_holds();
	for (unsigned s = 0; s < SPACES; s++) {
		if (world.space[s].space)
			compare_areas(&world.space[s]);
	}
}

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
	EXPECT(posix_frames_used(), DEVICE_PAGES + 1, "frames left beside the page of zeros");
}

static void set_up(uint64_t episode)
{
	struct draw d = {.state = mix(mix(options.seed) ^ mix(~episode))};

	memset(&world, 0, sizeof world);
	posix_seed(draw(&d));
	posix_forget(options.forget ? options.forget : episode % 4 == 1 ? 5 : 0);
	posix_forget_anywhere(options.forget || episode % 4 == 3 ? 4 : 0);
	new_space(&world.space[0]);
	for (unsigned i = 0; i < FILES; i++) {
		world.file[i].size = (uint64_t)below(&d, FILE_PAGES * CELLS) * CELL_BYTES;
		world.file[i].file = test_file_new(FILE_PAGES, world.file[i].size);
		world.file[i].file->at_once = i % 2;
		world.file[i].object = world.file[i].file->object;
	}
	world.file[MEMORY].size = FILE_PAGES * MVM_PAGE_BYTES;
	EXPECT(mvm_object_new_shared_anon(world.file[MEMORY].size, &world.file[MEMORY].object), 0,
		"object_new_shared_anon");
	world.file[DEVICE].size = DEVICE_PAGES * MVM_PAGE_BYTES;
	memset(posix_frame_data(device_first), 0, DEVICE_PAGES * MVM_PAGE_BYTES);
	EXPECT(mvm_object_new_device(
		       device_first, world.file[DEVICE].size, &world.file[DEVICE].object),
		0, "object_new_device");
}

static void clean_up(void)
{
	for (unsigned i = 0; i < SPACES; i++) {
		if (world.space[i].space)
			free_space(&world.space[i]);
	}
	for (unsigned i = 0; i < FILES; i++)
		test_file_free(world.file[i].file);
	mvm_object_unref(world.file[MEMORY].object);
	mvm_object_unref(world.file[DEVICE].object);
}

static void run_episode(uint64_t episode, const bool *skip)
{
	bool half_done = false;

	progress->episode = episode;
	set_up(episode);
	for (unsigned i = 0; i < OPS_PER_EPISODE && !half_done; i++) {
		if (!skip || !skip[i])
			half_done = apply(episode, i);
		if (i % options.check_every == 0 && !half_done)
			check();
	}
	posix_limit_frames(FRAMES);
	if (!half_done) {
		check();
		compare_everything();
	}
	mvm_check();
	clean_up();
	expect_nothing_left();
	progress->episodes++;
}

/* A process to run episodes in; it does not outlive this one. */
static pid_t fork_run(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
		_exit(2);
	return pid;
}

/* True: the episode without the skipped operations still fails. */
static bool fails_without(uint64_t episode, const bool *skip)
{
	int status;
	pid_t pid = fork_run();

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
	printf("# calls by the states of the pages they met; '-': cannot be\n# %-12s", "");
	for (unsigned s = 0; s < STATES; s++)
		printf(" %13s", state_names[s]);
	for (unsigned op = 0; op < OPS; op++) {
		printf("\n# %-12s", ops[op].name);
		for (unsigned s = 0; s < STATES; s++) {
			if (ops[op].meets & STATE(s) || progress->coverage[op][s])
				printf(" %13lu", (long)progress->coverage[op][s]);
			else
				printf(" %13s", "-");
		}
	}
	printf("\n");
}

/* Pairs of call and state that can be met, and those of them that were not. */
static unsigned pairs(unsigned *never)
{
	unsigned n = 0;

	*never = 0;
	for (unsigned op = 0; op < OPS; op++) {
		for (unsigned state = 0; state < STATES; state++) {
			if (!(ops[op].meets & STATE(state)))
				continue;
			n++;
			if (progress->coverage[op][state] == 0)
				++*never;
		}
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
		else if (value && !strcmp(argv[i], "--fail"))
			options.fail = (unsigned)strtoul(argv[++i], NULL, 0);
		else if (value && !strcmp(argv[i], "--forget"))
			options.forget = (unsigned)strtoul(argv[++i], NULL, 0);
		else {
			fprintf(stderr,
				"usage: %s [--ops N] [--seed S] [--episode K] "
				"[--check-every N] [--forget N] [--fail N] [--verbose]\n",
				argv[0]);
			exit(2);
		}
	}
	if (!options.check_every)
		options.check_every = ~0u;
}

int main(int argc, char **argv)
{
	unsigned n, never;
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
	device_first = mvmh_frame_alloc(0);
	for (unsigned i = 1; i < DEVICE_PAGES; i++) {
		if (mvmh_frame_alloc(0) != device_first + i)
			return 2;
	}
	pid = fork_run();
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
	if (options.fail)
		printf("# %lu operations failed as planned\n", (long)progress->failed);
	if (status != 0) {
		printf("not ok 1 - random operations against the model\n"
		       "# replay: --seed %lu --episode %lu: %s\n",
			(long)options.seed, (long)progress->episode, progress->why);
		fflush(stdout);
		shrink(progress->episode);
		return 1;
	}
	n = pairs(&never);
	printf("# %u of %u pairs of call and page state met\n", n - never, n);
	if (options.ops >= 1000000 && options.episode < 0 && never) {
		printf("not ok 1 - %u pairs of call and page state were never met\n", never);
		return 1;
	}
	printf("ok 1 - random operations against the model\n");
	return 0;
}
