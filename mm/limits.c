// SPDX-License-Identifier: MIT
#include "limits.h"

#include "space.h"

const struct growth one_area = {.areas = 1};

/* What does not grow passes no limit, though it may have been lowered below what is there. */
static bool passes(uint64_t counted, uint64_t reserved, uint64_t more, size_t limit)
{
	return more && unlikely(counted + reserved + more > limit);
}

int limits_check(const struct mvm_space *space, const struct growth *more)
{
	const struct mvm_limits *limits = &space->limits;
	const struct growth *reserved = &space->reserved;

	if (passes(space->locked, reserved->locked, more->locked, limits->locked))
		return -MVM_EAGAIN;
	if (passes(space->mapped, reserved->mapped, more->mapped, limits->total) ||
		passes(space->data, reserved->data, more->data, limits->data) ||
		passes(space->n_areas, reserved->areas, more->areas, limits->areas))
		return -MVM_ENOMEM;
	return 0;
}

void limits_reserve(struct mvm_space *space, const struct growth *more)
{
	space->reserved.mapped += more->mapped;
	space->reserved.data += more->data;
	space->reserved.locked += more->locked;
	space->reserved.areas += more->areas;
}

void limits_release(struct mvm_space *space, const struct growth *more)
{
	space->reserved.mapped -= more->mapped;
	space->reserved.data -= more->data;
	space->reserved.locked -= more->locked;
	space->reserved.areas -= more->areas;
}

void mvm_space_set_limits(struct mvm_space *space, const struct mvm_limits *limits)
{
	space_lock(space);
	space->limits = *limits;
	space_unlock(space);
}
