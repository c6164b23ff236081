// SPDX-License-Identifier: MIT
/*
 * Events, for whoever wants to watch mm work.  A space that is not traced pays for one test of a
 * flag.
 */
#pragma once

#include "space.h"

#include <mm/vm.h>

/* From mvm_init(). */
void trace_init(void);

/* Put a record into the ring.  Any locks of mm may be held.  Neither sleeps nor fails. */
void trace_emit(uint32_t tag, enum mvm_trace_event event, mvm_vaddr_t va, uint64_t a, uint64_t b);

/* How many spaces are traced. */
extern uint32_t spaces_traced;

static inline bool is_traced(const struct mvm_space *space)
{
	return __atomic_load_n(&space->traced, __ATOMIC_RELAXED);
}

static inline uint32_t tag_of(const struct mvm_space *space)
{
	return __atomic_load_n(&space->tag, __ATOMIC_RELAXED);
}

static inline void trace(const struct mvm_space *space, enum mvm_trace_event event, mvm_vaddr_t va,
	uint64_t a, uint64_t b)
{
	if (unlikely(is_traced(space)))
		trace_emit(tag_of(space), event, va, a, b);
}

/*
 * What happens to an object, for the space with the tag, or for none (0): recorded while any space
 * is traced.
 */
static inline void trace_for(uint32_t tag, enum mvm_trace_event event, uint64_t a, uint64_t b)
{
	if (unlikely(ref_count(&spaces_traced) > 0))
		trace_emit(tag, event, 0, a, b);
}
