// SPDX-License-Identifier: MIT
/*
 * The crash states of one workload: made, recovered, checked.
 *
 * Of each state that no worker has seen fsck -n must find nothing wrong; it is mounted, which
 * recovers it; all of it is read; it is unmounted; fsck -n must find nothing; the oracle must allow
 * what was read.  Some of them, chosen by
 * their hash, also crash while they are recovered: what mount wrote is enumerated as the workload
 * was, and each of these states must recover to the very same.
 */
#pragma once

#include "record.h"
#include "states.h"

#include <stdbool.h>

/* What all workers share, and a place for where one is, read when it dies. */
struct shared {
	uint64_t images; /* distinct ones, counted once */
	uint64_t deep;   /* of these, states of an interrupted recovery */
	uint64_t failures;
	uint64_t next;      /* the next workload to be taken */
	uint64_t workloads; /* that were done */
	size_t room, used;  /* of seen; room is a power of two */
	uint64_t seen[];    /* hashes, 0: free */
};

/* Memory that forked workers share, with room for that many images. */
struct shared *shared_new(uint64_t images);

/* Is it new?  Then it is known from now on.  Not to be asked when it is full. */
bool shared_claim(struct shared *shared, uint64_t hash);
bool shared_full(const struct shared *shared);

#define STATE_TEXT_BYTES 4096

struct explore {
	struct shared *shared;
	struct states_of states;
	unsigned deep; /* one state in so many also crashes while it recovers; 0: none */
	uint64_t seed;
	bool (*enough)(void *arg); /* asked now and then; NULL: never */
	void *arg;
	char *state; /* STATE_TEXT_BYTES: which state is being looked at */
};

/* All states.  False: one is wrong; `why` says what, x->state which. */
bool explore_workload(struct explore *x, const char *workload, char why[512]);

/* One state alone, by its text: EPOCH:MASKS[/EPOCH:MASKS]. */
bool explore_state(struct explore *x, const char *workload, const char *state, char why[512]);
