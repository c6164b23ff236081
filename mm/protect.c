// SPDX-License-Identifier: MIT
/*
 * Rights: mprotect.
 *
 * The areas change first (the mark, range.c), then, if rights are lost, the translations are
 * reduced, at most 64 a hold, and one batch is finished.  Rights that are gained cost nothing here:
 * the next fault finds them.  A fault between the mark and the end of the sweep installs what the
 * new rights allow, and that a sweep reduces an entry too much harms nobody.
 */
#include "range.h"
#include "trace.h"

/* One call. */
struct protect {
	struct change change;
	unsigned rights;
	mvm_vaddr_t lost_start, lost_end; /* where rights were taken away; empty: nowhere */
};

static int decide(struct change *c, const struct area *a, mvm_vaddr_t end, struct meaning *to)
{
	struct protect *p = container_of(c, struct protect, change);

	if (p->rights & ~(unsigned)a->max_rights)
		return -MVM_EACCES;
	if (is_data(p->rights, a->flags) && !is_data(a->rights, a->flags)) {
		struct growth more = {.data = (end - c->at) >> MVM_PAGE_SHIFT};

		if (limits_check(c->space, &more) != 0)
			return -MVM_ENOMEM;
	}
	if (a->rights & ~p->rights) {
		if (p->lost_start == p->lost_end)
			p->lost_start = c->at;
		p->lost_end = end;
	}
	to->rights = p->rights;
	return 0;
}

/* Reduce the translations of what has lost rights.  Locked at the start and at the end. */
static OWN_FRAME void sweep_lost(struct protect *p)
{
	struct mvm_space *space = p->change.space;
	unsigned rights = effective_rights(p->rights);
	mvm_vaddr_t va = p->lost_start;
	struct sweep sweep = {0};

	for (;;) {
		sweep_open(space, &sweep);
		if (rights)
			va = space_protect_some(space, va, p->lost_end, rights, &sweep.batch);
		else
			va = space_remove_some(space, va, p->lost_end, &sweep.batch);
		if (va == p->lost_end)
			break;
		space_relock(space);
	}
	sweep_finish(space, &sweep);
}

int mvm_protect(struct mvm_space *space, mvm_vaddr_t addr, size_t bytes, unsigned rights)
{
	struct protect p; /* change_begin_lock() fills the rest */
	mvm_vaddr_t end;
	int err;

	if (!range_end(addr, bytes, &end))
		return -MVM_EINVAL;
	if (addr == end)
		return 0;
	trace(space, MVM_TRACE_PROTECT, addr, end, rights);
	p.rights = rights;
	p.lost_start = p.lost_end = addr;
	change_begin_lock(&p.change, space, addr, end);
	err = change_walk(&p.change, decide);
	if (p.lost_start < p.lost_end)
		sweep_lost(&p);
	change_end_unlock(&p.change);
	return err;
}
