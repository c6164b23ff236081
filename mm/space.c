// SPDX-License-Identifier: MIT
/*
 * Spaces: life, claims, and the few ways in which areas change.
 *
 * An area's range, offset and meaning are written with both its space's and its object's lock held,
 * so that either lock suffices to read them: the map calls have the first, reverse walks the
 * second.
 */
#include "space.h"

#include "meta.h"
#include "object.h"
#include "registry.h"
#include "stats.h"
#include "trace.h"
#include "unmap.h"

/*
 * The place that maps are looked for below: any page of the upper 1/64, each as likely as the
 * others, whatever the bounds.  As many pages as a product of two 32-bit numbers can tell apart.
 */
static mvm_vaddr_t random_top(mvm_vaddr_t low, mvm_vaddr_t high)
{
	uint64_t pages = min_u64((high - low) >> 6 >> MVM_PAGE_SHIFT, UINT32_MAX);

	return high - (mvm_vaddr_t)((uint32_t)mvmh_entropy() * pages >> 32 << MVM_PAGE_SHIFT);
}

int mvm_space_new(mvm_vaddr_t low, mvm_vaddr_t high, struct mvm_space **out)
{
	struct mvm_space *space = slab_alloc(SLAB_SPACE);
	unsigned attempts = 0;
	int err;

	for (; !space; space = slab_alloc(SLAB_SPACE)) {
		if (!memory_wait(&attempts))
			return -MVM_ENOMEM;
	}
	__builtin_memset(space, 0, sizeof(*space));
	do {
		err = mvmh_pmap_create(&space->pmap);
	} while (err && memory_wait(&attempts));
	if (err) {
		slab_free(SLAB_SPACE, space);
		return err;
	}
	mvmh_lock_init(&space->lock, MVMH_RANK_SPACE);
	anon_tree_init(&space->anons, high);
	space->low = low;
	space->high = high;
	space->top = random_top(low, high);
	space->refs = 1;
	space->limits = (struct mvm_limits){
		MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT, MVM_NO_LIMIT};
	registry_add(&all_spaces, &space->all);
	*out = space;
	return 0;
}

void mvm_space_ref(struct mvm_space *space)
{
	ref_get(&space->refs);
}

void mvm_space_unref(struct mvm_space *space)
{
	if (!ref_put(&space->refs))
		return;
	mvm_space_kill(space);
	mvm_trace_enable(space, false);
	space_lock(space);
	while (ref_count(&space->pins) > 0)
		(void)!space_wait(space, &space->pins, false);
	space_unlock(space);
	registry_remove(&all_spaces, &space->all);
	mvmh_pmap_destroy(&space->pmap);
	history_put(space->history);
	if (space->spare)
		slab_free(SLAB_AREA, space->spare);
	if (space->joint)
		slab_free(SLAB_JOINT, space->joint);
	slab_free(SLAB_SPACE, space);
}

void mvm_space_kill(struct mvm_space *space)
{
	space_lock(space);
	space->dead = true;
	space_unlock(space);
	unmap_all(space);
}

struct mvmh_pmap *mvm_space_pmap(struct mvm_space *space)
{
	return &space->pmap;
}

void space_pin(struct mvm_space *space)
{
	ref_get(&space->pins);
}

void space_unpin(struct mvm_space *space)
{
	bool last;

	space_lock(space);
	last = ref_put(&space->pins);
	space_unlock(space);
	if (last)
		mvmh_wake(&space->pins);
}

void sweep_open(struct mvm_space *space, struct sweep *sweep)
{
	if (ref_count(&space->open_sweeps) > sweep->open)
		sweep->batch.whole = true;
	if (!sweep->open)
		ref_get(&space->open_sweeps);
	sweep->open = true;
}

/* The batch is finished. */
static void sweep_close(struct mvm_space *space, struct sweep *sweep)
{
	(void)ref_put(&space->open_sweeps);
	sweep->open = false;
	COUNT(shootdowns, 1);
}

void sweep_sync(struct mvm_space *space, struct sweep *sweep)
{
	if (!sweep->open)
		return;
	trace(space, MVM_TRACE_SHOOTDOWN, 0, sweep->batch.whole, 0);
	mvmh_tlb_sync(&space->pmap, &sweep->batch);
	sweep_close(space, sweep);
}

bool sweep_finish(struct mvm_space *space, struct sweep *sweep)
{
	bool whole = sweep->batch.whole;

	if (mvmh_tlb_sync_here(&space->pmap, &sweep->batch)) {
		trace(space, MVM_TRACE_SHOOTDOWN, 0, whole, 0);
		sweep_close(space, sweep);
		return true;
	}
	space_unlock(space);
	sweep_sync(space, sweep);
	space_lock(space);
	return false;
}

/* --- Claims ----------------------------------------------------------------------------------- */

OWN_FRAME void claim_wait_for(
	struct mvm_space *space, struct claim *c, mvm_vaddr_t start, mvm_vaddr_t end)
{
	do {
		c->waited = true;
		(void)!space_wait(space, &space->claims, false);
	} while ((c = claim_find(space, start, end)) != NULL);
}

/* The latest first: a claim inside another is found before it. */
static void claim_add(struct mvm_space *space, struct claim *claim, mvm_vaddr_t start,
	mvm_vaddr_t end, enum claim_kind kind)
{
	*claim = (struct claim){.start = start, .end = end, .kind = kind, .next = space->claims};
	space->claims = claim;
}

void claim_enter(struct mvm_space *space, struct claim *claim, mvm_vaddr_t start, mvm_vaddr_t end,
	enum claim_kind kind)
{
	claim_wait(space, start, end);
	claim_add(space, claim, start, end, kind);
}

bool claim_try_inside(
	struct mvm_space *space, struct claim *claim, mvm_vaddr_t start, mvm_vaddr_t end)
{
	struct claim *c = claim_find(space, start, end);

	if (c && c->kind != CLAIM_CHANGE)
		return false;
	claim_add(space, claim, start, end, CLAIM_REPLACE);
	return true;
}

void claim_leave(struct mvm_space *space, struct claim *claim)
{
	struct claim **link = &space->claims;

	while (*link != claim)
		link = &(*link)->next;
	*link = claim->next;
}

void claim_leave_unlock(struct mvm_space *space, struct claim *claim)
{
	claim_leave(space, claim);
	space_unlock(space);
	if (claim->waited)
		mvmh_wake(&space->claims);
}

/* --- Areas ------------------------------------------------------------------------------------ */

/* The area has `pages` more, in the sense of unsigned addition: or fewer. */
static inline void count_pages(struct mvm_space *space, const struct area *a, uint64_t pages)
{
	space->mapped += pages;
	if (space->mapped > space->peak)
		space->peak = space->mapped;
	if (is_data(a->rights, a->flags))
		space->data += pages;
	if (unlikely(a->flags & (AREA_GROWSDOWN | AREA_LOCKED))) {
		space->stack += a->flags & AREA_GROWSDOWN ? pages : 0;
		space->locked += a->flags & AREA_LOCKED ? pages : 0;
	}
}

/* The lock of the area's object, if it has one, for as long as its range or list changes. */
static void object_of_lock(struct area *a)
{
	if (a->object)
		object_lock(a->object);
}

static void object_of_unlock(struct area *a)
{
	if (a->object)
		mvmh_unlock(&a->object->lock);
}

/* Enter the area in its object's list; the object's lock is held. */
static void rmap_enter(struct area *a)
{
	a->rmap.area = a;
	list_append(&a->object->areas, &a->rmap.list);
	a->object->mapped++;
	a->object->writers += area_is_writer(a);
}

static void rmap_leave(struct area *a)
{
	list_remove(&a->rmap.list);
	a->object->mapped--;
	a->object->writers -= area_is_writer(a);
}

static OWN_FRAME void insert_of_object(struct mvm_space *space, struct area *a)
{
	object_lock(a->object);
	area_insert(&space->areas, a);
	rmap_enter(a);
	mvmh_unlock(&a->object->lock);
}

static inline void belong(struct area *a, struct mvm_space *space)
{
	a->space = space;
	space->n_areas++;
	count_pages(space, a, area_pages(a));
}

void space_append_copy(struct mvm_space *space, struct area *a)
{
	belong(a, space);
	area_append_copy(&space->areas, a);
	if (!a->object)
		return;
	object_lock(a->object);
	rmap_enter(a);
	mvmh_unlock(&a->object->lock);
}

void space_insert(struct mvm_space *space, struct area *a)
{
	belong(a, space);
	if (a->object)
		insert_of_object(space, a);
	else
		area_insert(&space->areas, a);
}

static OWN_FRAME void remove_of_object(struct mvm_space *space, struct area *a)
{
	object_lock(a->object);
	area_remove(&space->areas, a);
	rmap_leave(a);
	mvmh_unlock(&a->object->lock);
}

void space_remove(struct mvm_space *space, struct area *a)
{
	space->n_areas--;
	count_pages(space, a, -area_pages(a));
	if (a->object)
		remove_of_object(space, a);
	else
		area_remove(&space->areas, a);
}

struct area *space_remove_all(struct mvm_space *space)
{
	space->n_areas = space->mapped = 0;
	space->data = space->stack = space->locked = 0;
	return area_take_all(&space->areas);
}

void area_leave_object(struct area *a)
{
	if (!a->object)
		return;
	object_lock(a->object);
	rmap_leave(a);
	mvmh_unlock(&a->object->lock);
}

void space_resize(struct mvm_space *space, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end)
{
	uint64_t before = area_pages(a);

	object_of_lock(a);
	if (a->object)
		a->offset += (mvm_pgoff_t)(start >> MVM_PAGE_SHIFT) - (a->start >> MVM_PAGE_SHIFT);
	a->start = start;
	a->end = end;
	object_of_unlock(a);
	count_pages(space, a, area_pages(a) - before);
	area_resized(&space->areas, a);
}

void space_set_meaning(struct mvm_space *space, struct area *a, unsigned rights, unsigned flags)
{
	uint64_t pages = area_pages(a);
	int data = is_data(rights, flags) - is_data(a->rights, a->flags);
	int locked = !!(flags & AREA_LOCKED) - !!(a->flags & AREA_LOCKED);

	if (data)
		space->data += data > 0 ? pages : -pages;
	if (unlikely(locked))
		space->locked += locked > 0 ? pages : -pages;
	object_of_lock(a);
	a->rights = (uint8_t)rights;
	a->flags = (uint16_t)flags;
	object_of_unlock(a);
}

void space_split(struct mvm_space *space, struct area *a, mvm_vaddr_t va, struct area *upper)
{
	space_cut(space, a, va, va, upper);
}

void space_cut(struct mvm_space *space, struct area *a, mvm_vaddr_t start, mvm_vaddr_t end,
	struct area *upper)
{
	area_init_like(upper, a);
	upper->start = end;
	space->n_areas++;
	if (start < end)
		count_pages(space, a, -(uint64_t)((end - start) >> MVM_PAGE_SHIFT));
	object_of_lock(a);
	if (a->object) {
		upper->offset = area_page(a, end);
		mvm_object_ref(a->object);
		rmap_enter(upper);
	}
	a->end = start;
	object_of_unlock(a);
	area_split(&space->areas, a, upper);
}

/* Do the areas mean the same to both sides of the seam? */
static bool alike(const struct area *l, const struct area *r)
{
	return l->end == r->start && l->rights == r->rights && l->max_rights == r->max_rights &&
	       l->flags == r->flags && !(l->flags & AREA_GROWSDOWN) && l->object == r->object &&
	       (!l->object || area_page(l, l->end) == r->offset);
}

struct area *space_merge(struct mvm_space *space, struct area *l, const struct claim *own)
{
	struct area *r = area_next(l);
	struct claim *c;
	bool merge;

	if (!r || !alike(l, r))
		return NULL;
	c = claim_find(space, l->end - 1, l->end + 1);
	if (c && c != own)
		return NULL;
	object_of_lock(l);
	/* A reverse walk that has passed the left area would miss what the right one mapped. */
	merge = !l->object || l->object->walkers == 0;
	if (merge) {
		l->end = r->end;
		l->touched |= r->touched;
		if (r->object)
			rmap_leave(r);
	}
	object_of_unlock(l);
	if (!merge)
		return NULL;
	space->n_areas--;
	area_join(&space->areas, l, r);
	return r;
}

void area_free(struct area *a)
{
	if (a->object)
		mvm_object_unref(a->object);
	slab_free(SLAB_AREA, a);
}
