// SPDX-License-Identifier: MIT
/*
 * What may survive a crash (docs/mapfs.md), said of a recorded workload.
 *
 * A power cut in epoch e may come at any moment before the flush that ends e is done, and each
 * subset of e's writes may be what is there at the last of these moments; so what is owed is what
 * had been promised by then.
 *
 *  1. Durability.  A sync that returned in epoch e or before is owed: fsync of a file and sync,
 *     every ordered change before the call; fdatasync and msync, the file's own cuts and sizes,
 *     and the file itself; all of them, the bytes.
 *  2. Ordering.  There is one number of operations p, at least as large as what is owed and no
 *     larger than what was called, such that names, link counts, modes, the times of directories,
 *     sizes and holes are those after the first p operations.  A write is no ordered change: it may
 *     have made its file larger or not.
 *  3. Data.  Each sector holds its last synced value or a later one.  Cuts among the first p
 *     operations make earlier values zero, cuts behind them do nothing.
 *
 * Atomicity follows: each p is a whole number of operations.  That recovery is clean, and can be
 * repeated, is looked at in explore.c.
 */
#pragma once

#include "observe.h"
#include "record.h"

/* May a power cut in this epoch leave what is observed?  Else `why` says what comes nearest. */
bool oracle_allows(
	const struct recording *r, uint32_t epoch, const struct observed *o, char why[256]);

/* A number that is the same for epochs in which the same is owed and the same was called. */
uint64_t oracle_owed(const struct recording *r, uint32_t epoch);
