// SPDX-License-Identifier: MIT
/*
 * Lists of all spaces and of all objects, for statistics and checks.  The registry's lock is of
 * rank PAGE: an entry is looked at only after it was pinned under it and it was dropped.
 */
#pragma once

#include "base.h"

struct registry {
	struct mvmh_lock lock;
	struct list all; /* [l] */
	uint64_t count;  /* [l] */
};

extern struct registry all_objects, all_spaces;

void registry_init(void);
void registry_add(struct registry *r, struct list *entry);
void registry_remove(struct registry *r, struct list *entry);
uint64_t registry_count(struct registry *r);
