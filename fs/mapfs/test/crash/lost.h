// SPDX-License-Identifier: MIT
/*
 * A life before the workload's, of which a crash left nothing but blocks in the log.
 *
 * "lose N of OPS | " begins a workload's text: OPS are committed, and the power goes away when all
 * of their group but its Nth block is on the disk.  So they never were.  But their blocks must not
 * come to life when the same is done again: a log that takes up at the same place with the same
 * number would find the missing block there.
 */
#pragma once

#include "record.h"

struct loss {
	unsigned block; /* which, counted round */
	unsigned at;    /* while the epoch is gone through */
	char ops[RECORD_TEXT_BYTES];
};

/* False: the text does not begin like that.  Else it moves behind it. */
bool loss_parse(const char **text, struct loss *loss);

/*
 * On a mounted file system, all of which is durable; afterwards it is not mounted, and the disk's
 * view is what the crash left.
 */
bool loss_happens(struct loss *loss, struct world *w, char why[256]);
