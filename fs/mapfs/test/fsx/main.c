// SPDX-License-Identifier: MIT
/*
 * mapfs_fsx: the exerciser (exercise.h) on mapfs and mm inside this process.
 *
 *	mapfs_fsx [--ops N] [--seed S] [--file-size BYTES] [--episode K] [--verbose] [--find]
 *
 * N counts steps, rounded up to whole episodes.  A run that fails, crashes or hangs says in which
 * episode; that is then repeated in processes of its own with ever more steps left out, for as long
 * as it fails, and the steps that are left are printed.  --seed S --episode K does one episode
 * again; with --verbose every step is printed.  With --find the run is to fail, and ends as soon as
 * it does.
 */
#include "exercise.h"
#include "host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HANG_SECONDS 120 /* an episode takes a second */
#define MOST_TRIES   400

static struct {
	uint64_t seed;
	unsigned long ops;
	size_t file_bytes;
	long episode; /* -1: all */
	bool verbose, find;
} options = {.ops = 500000, .file_bytes = 64 * FSX_PAGE, .episode = -1};

/* Shared with the processes that do the work. */
static struct {
	unsigned episode, step;
	uint8_t skip[FSX_STEPS];
} * shared;

static void print(const char *line)
{
	printf("# %s\n", line);
}

static void run_episode(unsigned episode, unsigned steps)
{
	struct fsx_run run = {.seed = options.seed,
		.episode = episode,
		.file_bytes = options.file_bytes,
		.skip = shared->skip,
		.at = &shared->step};

	shared->episode = episode;
	alarm(HANG_SECONDS);
	host_begin(options.seed, episode);
	fsx_episode(&run, steps);
	host_end();
	alarm(0);
}

static void run_all(void)
{
	unsigned long n = (options.ops + FSX_STEPS - 1) / FSX_STEPS;

	if (options.episode >= 0) {
		run_episode((unsigned)options.episode, FSX_STEPS);
		if (options.verbose)
			fsx_history(true, print);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		run_episode(i, FSX_STEPS);
	printf("# %lu operations in %lu episodes:\n", n * FSX_STEPS, n);
	fsx_counts(print);
}

static void run_shortened(void)
{
	run_episode(shared->episode, shared->step + 1);
}

/* In a process of its own: true when it ended well. */
static bool ends_well(void (*work)(void), bool quiet)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (quiet &&
			(!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
			_exit(2);
		work();
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Leave out ever smaller pieces for as long as the rest fails. */
static void shorten(void)
{
	unsigned n = shared->step + 1, last = shared->step, tries = 0;

	for (unsigned piece = n / 2; piece > 0; piece /= 2) {
		for (unsigned at = 0; at < n && tries < MOST_TRIES; at += piece) {
			uint8_t saved[FSX_STEPS];
			memcpy(saved, shared->skip, sizeof(saved));
			memset(shared->skip + at, 1, piece < n - at ? piece : n - at);
			if (memcmp(saved, shared->skip, sizeof(saved)) == 0)
				continue;
			shared->step = last;
			tries++;
			if (ends_well(run_shortened, true))
				memcpy(shared->skip, saved, sizeof(saved));
		}
	}
	shared->step = last;
}

static int report(void)
{
	printf("# failed in step %u of episode %u; made shorter:\n", shared->step, shared->episode);
	shorten();
	if (ends_well(run_shortened, false))
		printf("# it does not fail alone\n");
	printf("# repeat: mapfs_fsx --seed %llu --file-size %zu --episode %u\n",
		(unsigned long long)options.seed, options.file_bytes, shared->episode);
	return 1;
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--verbose") == 0) {
			options.verbose = true;
			continue;
		}
		if (strcmp(argv[i], "--find") == 0) {
			options.find = host_is_to_fail = true;
			continue;
		}
		if (value && strcmp(argv[i], "--ops") == 0)
			options.ops = strtoul(value, NULL, 0);
		else if (value && strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 0);
		else if (value && strcmp(argv[i], "--file-size") == 0)
			options.file_bytes = strtoul(value, NULL, 0);
		else if (value && strcmp(argv[i], "--episode") == 0)
			options.episode = strtol(value, NULL, 0);
		else
			goto usage;
		i++;
	}
	if (options.file_bytes > 0 && options.file_bytes <= FSX_FILE_PAGES * (size_t)FSX_PAGE)
		return;
usage:
	fprintf(stderr, "usage: mapfs_fsx [--ops N] [--seed S] [--file-size BYTES] [--episode K] "
			"[--verbose] [--find]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	options.seed = (uint64_t)time(NULL);
	parse(argc, argv);
	shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	printf("# seed %llu\n", (unsigned long long)options.seed);
	if (ends_well(run_all, false))
		return options.find;
	return options.find ? 0 : report();
}
