// SPDX-License-Identifier: MIT
/* Lists of all spaces and objects. */
#include "registry.h"

struct registry all_objects, all_spaces;

static void init(struct registry *r)
{
	mvmh_lock_init(&r->lock, MVMH_RANK_PAGE);
	list_init(&r->all);
	r->count = 0;
}

void registry_init(void)
{
	init(&all_objects);
	init(&all_spaces);
}

void registry_add(struct registry *r, struct list *entry)
{
	mvmh_lock(&r->lock);
	list_append(&r->all, entry);
	r->count++;
	mvmh_unlock(&r->lock);
}

void registry_remove(struct registry *r, struct list *entry)
{
	mvmh_lock(&r->lock);
	list_remove(entry);
	r->count--;
	mvmh_unlock(&r->lock);
}

uint64_t registry_count(struct registry *r)
{
	uint64_t count;

	mvmh_lock(&r->lock);
	count = r->count;
	mvmh_unlock(&r->lock);
	return count;
}
