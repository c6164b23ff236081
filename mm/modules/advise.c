// SPDX-License-Identifier: MIT
/*
 * madvise.
 *
 * Three kinds of advice.  Some say something of an area, for readahead, fault-around, fork or large
 * pages to find: they change its flags, by the walk of range.c.  Some bring pages in, as a fault or
 * a read would.  And two drop pages: the range is claimed and swept as an unmap would, but the
 * areas stay.
 *
 * FREE allows the pages to be dropped until the next store; here that is at once.
 */
#include "../object.h"
#include "../range.h"
#include "../unmap.h"

#include <mm/vm.h>

static bool is_device(const struct mvm_object *obj)
{
	return obj && obj->kind == OBJECT_DEVICE;
}

/* --- What areas remember ---------------------------------------------------------------------- */

/* What an advice does to an area's flags. */
static const struct marks {
	uint16_t clear, set;
	bool no_device; /* not allowed there */
	bool zeros;     /* only for private anonymous memory */
} all_marks[] = {
	[MVM_ADVISE_NORMAL] = {.clear = AREA_RANDOM | AREA_SEQUENTIAL},
	[MVM_ADVISE_RANDOM] = {.clear = AREA_SEQUENTIAL, .set = AREA_RANDOM},
	[MVM_ADVISE_SEQUENTIAL] = {.clear = AREA_RANDOM, .set = AREA_SEQUENTIAL},
	[MVM_ADVISE_DONTFORK] = {.set = AREA_DONTFORK},
	[MVM_ADVISE_DOFORK] = {.clear = AREA_DONTFORK, .no_device = true},
	[MVM_ADVISE_WIPEONFORK] = {.set = AREA_WIPEONFORK, .zeros = true},
	[MVM_ADVISE_KEEPONFORK] = {.clear = AREA_WIPEONFORK},
	[MVM_ADVISE_HUGE] = {.set = AREA_HUGE, .no_device = true},
	[MVM_ADVISE_NOHUGE] = {.clear = AREA_HUGE},
};

struct marking {
	struct change change;
	const struct marks *marks;
};

static int decide(struct change *c, const struct area *a, mvm_vaddr_t end, struct meaning *to)
{
	const struct marks *marks = container_of(c, struct marking, change)->marks;

	(void)end;
	if (marks->no_device && is_device(a->object))
		return -MVM_EINVAL;
	if (marks->zeros && (a->object || !area_private(a)))
		return -MVM_EINVAL;
	to->flags = (a->flags & ~(unsigned)marks->clear) | marks->set;
	return 0;
}

static OWN_FRAME int mark_areas(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, const struct marks *marks)
{
	struct marking m = {.marks = marks};
	bool hole;
	int err;

	change_begin_lock(&m.change, space, start, end);
	m.change.past_holes = true;
	err = change_walk(&m.change, decide);
	hole = m.change.hole;
	change_end_unlock(&m.change);
	return !err && hole ? -MVM_ENOMEM : err;
}

/* --- What is done now ------------------------------------------------------------------------- */

/* Begin to read what is absent. */
static OWN_FRAME void read_ahead(const struct part *p)
{
	uint64_t n = (p->end - p->start) >> MVM_PAGE_SHIFT, pages;

	if (!p->object || is_device(p->object))
		return;
	pages = pages_of(mvm_object_size(p->object));
	if (p->first < pages)
		mvm_pc_readahead(p->object, p->first, (unsigned)min_u64(n, pages - p->first));
}

static OWN_FRAME int drop(struct mvm_space *space, const struct part *p, enum mvm_advice advice)
{
	bool anonymous = !p->object && !(p->flags & AREA_SHARED);

	if (is_device(p->object) || p->flags & AREA_LOCKED ||
		(advice == MVM_ADVISE_FREE && !anonymous))
		return -MVM_EINVAL;
	return unmap_contents(space, p->start, p->end);
}

static OWN_FRAME int populate(struct mvm_space *space, const struct part *p, unsigned access)
{
	if (is_device(p->object) || !(effective_rights(p->rights) & access))
		return -MVM_EINVAL;
	return mvm_prefault(space, p->start, p->end - p->start, access);
}

static OWN_FRAME int act_on(struct mvm_space *space, const struct part *p, enum mvm_advice advice)
{
	switch (advice) {
	case MVM_ADVISE_WILLNEED:
		read_ahead(p);
		return 0;
	case MVM_ADVISE_DONTNEED:
	case MVM_ADVISE_FREE:
		return drop(space, p, advice);
	case MVM_ADVISE_POPULATE_READ:
		return populate(space, p, MVM_READ);
	case MVM_ADVISE_POPULATE_WRITE:
		return populate(space, p, MVM_WRITE);
	default:
		return -MVM_EINVAL;
	}
}

static OWN_FRAME int act(
	struct mvm_space *space, mvm_vaddr_t at, mvm_vaddr_t end, enum mvm_advice advice)
{
	bool hole = false;
	int err = 0;

	while (!err && at < end) {
		struct part part;

		part_at(space, at, end, &part);
		if (!part.hole)
			err = act_on(space, &part, advice);
		else if (advice == MVM_ADVISE_POPULATE_READ || advice == MVM_ADVISE_POPULATE_WRITE)
			err = -MVM_ENOMEM;
		hole |= part.hole;
		at = part.end;
		part_put(&part);
		if (!err && at < end && mvmh_killed())
			err = -MVM_EINTR;
	}
	return !err && hole ? -MVM_ENOMEM : err;
}

int mvm_advise(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, enum mvm_advice advice)
{
	const struct marks *marks;
	mvm_vaddr_t end;

	if ((unsigned)advice > MVM_ADVISE_NOHUGE || !range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	if (addr == end)
		return 0;
	marks = &all_marks[advice];
	if (marks->set || marks->clear)
		return mark_areas(space, addr, end, marks);
	return act(space, addr, end, advice);
}
