// SPDX-License-Identifier: MIT
/*
 * A recording that was not made here: what Mapache did in QEMU, with its disk behind `blklogwrites`
 * (tools/lib/crash.py makes it, and says why it may be believed).  As a workload its text is
 *
 *	replay FOLDER
 *
 * and FOLDER has
 *
 *	image	the disk before the guest mounted it
 *	log	what the guest then wrote and flushed, in the format of dm-log-writes.  It may be
 *		missing: then the image is what a killed machine left, and the only state
 *	calls	one line an operation, in order:  FLUSHES NANOSECONDS ERRNO TEXT
 *		how many flushes the log had, and what the guest's clock said, before it was
 *		called; how it ended, or - when that was not heard; the operation (op.h).  The last
 *		line has "end" for an operation: that is after the guest has unmounted the disk
 *
 * What comes before the end of the first sync is what the workload begins with.
 */
#pragma once

#include "record.h"

#define REPLAY_FOLDER_BYTES 1024

/* Is the text of a workload such a one? */
bool replay_parse(const char *text, char folder[REPLAY_FOLDER_BYTES]);

/*
 * Make the recording's world, model and units of it; nothing of it is done again.  False: `why`
 * says what is wrong with it.
 */
bool replay_take(struct recording *r, const char *folder, char why[256]);
