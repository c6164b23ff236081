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

/* Count the page at va; the space's lock is held. */
static void count_page(struct area *a, mvm_vaddr_t va, struct mvm_residency *out)
{
	struct mvm_page *page;
	bool exclusive;

	if (area_private(a) && anon_find(&a->space->anons, va >> MVM_PAGE_SHIFT, &exclusive)) {
		out->resident_pages++;
		out->anon_pages++;
	} else if (a->object && a->object->kind == OBJECT_PAGED) {
		object_lock(a->object);
		page = object_usable(a->object, area_page(a, va));
		if (page) {
			out->resident_pages++;
			out->dirty_pages += !area_private(a) && page->state & PAGE_DIRTY;
		}
		mvmh_unlock(&a->object->lock);
	}
}

void mvm_residency(
	struct mvm_space *space, mvm_vaddr_t start, mvm_vaddr_t end, struct mvm_residency *out)
{
	*out = (struct mvm_residency){0};
	while (start < end) {
		struct area *a;

		space_lock(space);
		a = area_find(&space->areas, start);
		if (a && start < a->start)
			start = a->start;
		for (unsigned n = 0; a && start < end && start < a->end && n < MVM_HOLD_PAGES;
			n++) {
			count_page(a, start, out);
			start += MVM_PAGE_BYTES;
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
	struct anon *anon;
	bool exclusive = false;

	anon = area_private(a) ? anon_find(&a->space->anons, va >> MVM_PAGE_SHIFT, &exclusive)
			       : NULL;
	if (anon) {
		put_text(t, exclusive ? "; private page, ours" : "; private page, shared by fork");
	} else if (!a->object) {
		put_text(t, "; never touched");
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
