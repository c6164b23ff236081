// SPDX-License-Identifier: MIT
/* Looking at spaces and at mm as a whole: what /proc shows. */
#include "meta.h"
#include "object.h"
#include "registry.h"
#include "space.h"
#include "stats.h"

struct counters counters[MVMH_MAX_HARTS];

bool mvm_area_next(struct mvm_space *space, mvm_vaddr_t from, struct mvm_area_info *info)
{
	struct area *a;

	space_lock(space);
	a = area_find(&space->areas, from);
	if (a) {
		*info = (struct mvm_area_info){
			.start = a->start,
			.end = a->end,
			.rights = a->rights,
			.max_rights = a->max_rights,
			.flags = a->flags,
			.object = a->object,
			.offset_pages = a->offset,
		};
		if (a->object)
			mvm_object_ref(a->object);
	}
	space_unlock(space);
	return a;
}

/* --- Residency -------------------------------------------------------------------------------- */

/* Pages looked at under one hold, for each of which a list of areas may have to be walked. */
#define LOOK_PAGES 16

/* More areas than this are not counted: the share of each is next to nothing. */
#define LOOK_AREAS 64

/* In how many areas the object's page lies, from 1 to LOOK_AREAS; the object's lock is held. */
static unsigned count_areas(struct mvm_object *obj, mvm_pgoff_t index)
{
	unsigned n = 0, links = 0;

	for (struct list *l = obj->areas.next; l != &obj->areas && links < LOOK_AREAS;
		l = l->next) {
		struct area *a = container_of(l, struct rmap_link, list)->area;

		n += a && a->offset <= index && index - a->offset < area_pages(a);
		links++;
	}
	return n ? n : 1;
}

/* A page that n reach.  Returns its share. */
static uint64_t count_page(struct mvm_residency *out, unsigned n, bool dirty, bool used)
{
	uint64_t share = MVM_PAGE_BYTES / n;

	out->resident++;
	out->used += used;
	out->share += share;
	out->share_dirty += dirty ? share : 0;
	if (n > 1 && dirty)
		out->shared_dirty++;
	else if (n > 1)
		out->shared_clean++;
	else if (dirty)
		out->private_dirty++;
	else
		out->private_clean++;
	return share;
}

/* Is the page mapped at va, as far as the host can tell? */
static bool is_mapped(struct area *a, mvm_vaddr_t va, const struct mvm_page *page)
{
#ifdef mvmh_pmap_query
	mvm_frame_t frame;
	unsigned rights;

	return mvmh_pmap_query(&a->space->pmap, va, &frame, &rights) && frame == page->frame;
#else
	(void)a, (void)va, (void)page;
	return true;
#endif
}

static void count_object_page(struct area *a, mvm_vaddr_t va, struct mvm_residency *out)
{
	struct mvm_object *obj = a->object;
	mvm_pgoff_t index = area_page(a, va);
	struct mvm_page *page;
	uint64_t share;

	object_lock(obj);
	page = object_usable(obj, index);
	if (page && is_mapped(a, va, page)) {
		share = count_page(out, count_areas(obj, index), page->state & PAGE_DIRTY,
			page->state & PAGE_USED);
		out->share_kept += obj->ops->write ? 0 : share;
	}
	mvmh_unlock(&obj->lock);
}

static void count_at(struct area *a, mvm_vaddr_t va, struct mvm_residency *out)
{
	uint64_t vpn = va >> MVM_PAGE_SHIFT;
	struct mvm_page *anon = NULL;
	bool exclusive;

	space_work(a->space, 1);
	if (area_private(a))
		anon = anon_find(&a->space->anons, vpn, &exclusive);
	if (anon && is_mapped(a, va, anon)) {
		out->share_anon += count_page(out, anon_reach(&a->space->anons, vpn), true, true);
		out->anon++;
		out->large += mvmh_pmap_order(&a->space->pmap, va) > 0;
	} else if (!anon && a->object && a->object->kind == OBJECT_PAGED) {
		count_object_page(a, va, out);
	}
}

/* The first address from va on, below `end`, at which the area may have a page in memory. */
static mvm_vaddr_t next_page(struct area *a, mvm_vaddr_t va, mvm_vaddr_t end)
{
	uint64_t vpn = va >> MVM_PAGE_SHIFT, last = (end >> MVM_PAGE_SHIFT) - 1, next = last + 1;
	struct mvm_object *obj = a->object;
	struct mvm_page *page;

	if (area_private(a))
		next = anon_next(&a->space->anons, vpn, last);
	if (obj && obj->kind == OBJECT_PAGED) {
		object_lock(obj);
		page = index_next(obj, area_page(a, va), area_page(a, end) - 1, false);
		if (page)
			next = min_u64(next, vpn + (page_index(page) - area_page(a, va)));
		mvmh_unlock(&obj->lock);
	}
	return (mvm_vaddr_t)next << MVM_PAGE_SHIFT;
}

void mvm_residency(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, struct mvm_residency *out)
{
	*out = (struct mvm_residency){0};
	while (start < end) {
		mvm_vaddr_t part_end = end;
		struct area *a;

		space_lock(space);
		a = area_find(&space->areas, start);
		if (a) {
			start = max_u64(start, a->start);
			part_end = min_u64(end, a->end);
		}
		for (unsigned n = 0; a && start < part_end && n < LOOK_PAGES; n++) {
			start = next_page(a, start, part_end);
			if (start < part_end) {
				count_at(a, start, out);
				start += MVM_PAGE_BYTES;
			}
		}
		space_unlock(space);
		if (!a)
			break;
	}
}

/* --- One line about an address ---------------------------------------------------------------- */

struct text {
	char *to;
	size_t used, room;
};

static void put_text(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (t->used + 1 < t->room)
			t->to[t->used++] = *s;
	}
}

static void put_hex(struct text *t, uint64_t x)
{
	char digits[20] = "0x";
	unsigned n = 2, shift = 60;

	while (shift > 0 && !(x >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		digits[n++] = "0123456789abcdef"[(x >> shift) & 15];
		if (shift == 0)
			break;
	}
	digits[n] = 0;
	put_text(t, digits);
}

static void put_rights(struct text *t, unsigned rights)
{
	put_text(t, rights & MVM_READ ? "r" : "-");
	put_text(t, rights & MVM_WRITE ? "w" : "-");
	put_text(t, rights & MVM_EXEC ? "x" : "-");
}

static void put_entry(struct text *t, struct mvm_space *space, mvm_vaddr_t va)
{
	mvm_frame_t frame;
	unsigned rights;

	if (!mvmh_pmap_query(&space->pmap, va, &frame, &rights)) {
		put_text(t, "; no entry");
		return;
	}
	put_text(t, "; entry: frame ");
	put_hex(t, frame);
	put_text(t, " ");
	put_rights(t, rights);
}

static void put_page(struct text *t, struct area *a, mvm_vaddr_t va)
{
	struct mvm_page *anon;
	bool exclusive = false;

	anon = area_private(a) ? anon_find(&a->space->anons, va >> MVM_PAGE_SHIFT, &exclusive)
			       : NULL;
	if (anon) {
		put_text(t, exclusive ? "; private page, ours" : "; private page, shared by fork");
	} else if (!a->object) {
		put_text(t, "; never stored to");
	} else {
		put_text(t, "; object page ");
		put_hex(t, area_page(a, va));
		put_text(t, " of ");
		put_hex(t, pages_of(mvm_object_size(a->object)));
	}
}

size_t mvm_describe(struct mvm_space *space, mvm_vaddr_t va, char *text, size_t bytes)
{
	struct text t = {text, 0, bytes};
	struct area *a;

	space_lock(space);
	a = space_area(space, va);
	if (a) {
		put_text(&t, "area ");
		put_hex(&t, a->start);
		put_text(&t, "-");
		put_hex(&t, a->end);
		put_text(&t, " ");
		put_rights(&t, a->rights);
		put_text(&t, area_private(a) ? "p" : "s");
		put_page(&t, a, page_floor(va));
	} else {
		put_text(&t, "no area");
	}
	put_entry(&t, space, page_floor(va));
	space_unlock(space);
	if (bytes > 0)
		text[t.used] = 0;
	return t.used;
}

/* --- Counters --------------------------------------------------------------------------------- */

void mvm_space_stats(struct mvm_space *space, struct mvm_space_stats *out)
{
	space_lock(space);
	*out = (struct mvm_space_stats){
		.areas = space->n_areas,
		.mapped_pages = space->mapped,
		.peak_mapped_pages = space->peak,
		.data_pages = space->data,
		.stack_pages = space->stack,
		.locked_pages = space->locked,
		.anon_pages = anon_count(&space->anons),
		.faults = __atomic_load_n(&space->faults, __ATOMIC_RELAXED),
		.major_faults = __atomic_load_n(&space->major_faults, __ATOMIC_RELAXED),
	};
	space_unlock(space);
}

static uint64_t kept_pages(struct area *a)
{
	struct mvm_object *obj = a->object;
	uint64_t pages;

	if (area_private(a) || obj->kind != OBJECT_PAGED || obj->ops->write)
		return 0;
	object_lock(obj);
	pages = obj->unclean_n;
	mvmh_unlock(&obj->lock);
	return min_u64(pages, area_pages(a));
}

uint64_t mvm_space_kept_pages(struct mvm_space *space)
{
	mvm_vaddr_t from = 0;
	uint64_t pages = 0;
	struct area *a;

	do {
		space_lock(space);
		a = area_find(&space->areas, from);
		if (a) {
			pages += kept_pages(a);
			from = a->end;
		}
		space_unlock(space);
	} while (a);
	return pages;
}

#define SUM(field) (out->field += __atomic_load_n(&c->field, __ATOMIC_RELAXED))

void mvm_stats(struct mvm_stats *out)
{
	size_t total = 0;

	*out = (struct mvm_stats){0};
	for (struct counters *c = counters; c < counters + MVMH_MAX_HARTS; c++) {
		SUM(faults), SUM(major_faults), SUM(cow_copies), SUM(cow_reuses), SUM(zero_fills);
		SUM(fault_retries), SUM(fills), SUM(filled_pages), SUM(writes), SUM(written_pages);
		SUM(reclaim_scanned), SUM(reclaim_freed), SUM(reclaim_direct), SUM(throttled);
		SUM(shootdowns), SUM(anon_pages), SUM(cached_pages), SUM(kept_pages);
		SUM(dirty_pages), SUM(writeback_pages);
	}
	out->free_frames = mvmh_frame_count(&total);
	out->total_frames = total;
	out->meta_pages = meta_pages();
	out->spaces = registry_count(&all_spaces);
	out->objects = registry_count(&all_objects);
	out->areas = slab_live(SLAB_AREA);
}
