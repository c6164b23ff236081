// SPDX-License-Identifier: MIT
/*
 * A workload, done once on a real mount over the recording test disk: what it wrote and flushed,
 * and between which of these each operation was called and returned.
 *
 * A workload's text is operations (op.h) with ";" between them.  A fixed beginning (record.c) makes
 * the files that it works on; then the file system is unmounted, and the recording begins: mount,
 * the operations, unmount.
 *
 * The text may begin with "wide N M | ", which makes one more directory (record.c); or with a life
 * before that (lost.h): then the recording begins with a mount that recovers.  Or it names a
 * recording that a guest has made (replay.h).
 */
#pragma once

#include "model.h"
#include "units.h"

#include <world.h>

#define RECORD_TEXT_BYTES 8192

struct recording {
	struct world world; /* its disk holds what was there before the workload */
	struct model *model;
	struct units units;
	uint32_t n_epochs;          /* the last one ends with the recording */
	unsigned first_op;          /* behind the fixed beginning, whose operations are durable */
	uint32_t called[MODEL_OPS]; /* in which epoch */
	uint32_t synced[MODEL_OPS]; /* from which epoch on model.sync[i] is owed */
	int64_t began_ns[MODEL_OPS + 1]; /* by the file system's clock; the last one: the end */
};

/*
 * Record.  False: the text is wrong, or the file system and the model disagree about what an
 * operation does; then `why` says so, and nothing is left to free.
 */
bool record_workload(struct recording *r, const char *text, char why[256]);
void record_free(struct recording *r);

/* Reads begin to fail for whom there is no end of reading, as a loop in the file system would. */
void record_limit_reads(struct testdisk *disk, bool limit);
