// SPDX-License-Identifier: MIT
/*
 * The exerciser: random reads, writes, loads and stores through mappings, truncates, holes, syncs,
 * reopens and remounts of a few files, each step compared with arrays of bytes (model.h).  What it
 * is done to is back.h's.
 *
 * A run is a series of episodes, each on a fresh model.  What step i of an episode does follows
 * from (seed, episode, i) and from what the model holds: so steps can be left out, and the others
 * stay much as they were.  That is how a failure is made short (main.c).
 */
#pragma once

#include "model.h"

#define FSX_STEPS 2000 /* of an episode */

struct fsx_run {
	uint64_t seed;
	unsigned episode;
	size_t file_bytes;   /* capacity of a file; rounded up to pages */
	const uint8_t *skip; /* FSX_STEPS of them: steps that are left out; or NULL */
	unsigned *at;        /* the step under way, for who looks on; or NULL */
};

/*
 * Steps [0, steps), then everything is compared, closed, unmapped and unlinked.
 * back_fail() ends it.
 */
void fsx_episode(const struct fsx_run *run, unsigned steps);

/* The steps that were done last, or all of them, one a line. */
void fsx_history(bool all, void (*line)(const char *text));

/* How often each kind of step was done, by all episodes so far. */
void fsx_counts(void (*line)(const char *text));
