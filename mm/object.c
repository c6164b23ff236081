// SPDX-License-Identifier: MIT
/*
 * Objects: life and references, and the changes of a cached page's state.
 *
 * Two counts.  `refs` counts users; at zero the owner is told (release), may keep the object with
 * its clean pages, and may be asked for it again.  `pins` keeps only the structure: reclaim finds
 * an object through one of its pages and a reverse walk drops the object's lock on its way;
 * neither may delay release() or run it.  mvm_object_destroy() waits for pins.
 *
 * Unclean objects (with DIRTY or WRITEBACK pages and a pager that can write) stand on a list,
 * oldest first, and are referenced by that.  A doomed one does not, and its pages are not among
 * those of which there may be only so many: nobody writes them but reclaim.  Page states change all
 * over mm, under the object's lock; what follows for list and reference is brought in order in one
 * place, object_unlock().
 */
#include "object.h"

#include "meta.h"
#include "reclaim.h"
#include "registry.h"
#include "stats.h"
#include "trace.h"
#include "writeback.h"

int mvm_object_new(
	const struct mvm_pager_ops *ops, void *owner, uint64_t size_bytes, struct mvm_object **out)
{
	struct mvm_object *obj = slab_alloc(SLAB_OBJECT);

	for (unsigned attempts = 0; !obj; obj = slab_alloc(SLAB_OBJECT)) {
		if (!memory_wait(&attempts))
			return -MVM_ENOMEM;
	}
	__builtin_memset(obj, 0, sizeof(*obj));
	mvmh_lock_init(&obj->lock, MVMH_RANK_OBJECT);
	obj->ops = ops;
	obj->owner = owner;
	obj->refs = 1;
	obj->bytes = size_bytes;
	list_init(&obj->areas);
	list_init(&obj->unclean);
	registry_add(&all_objects, &obj->all);
	*out = obj;
	return 0;
}

/* Contents of memory that has nowhere else to be: zeros. */
static int zero_fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	while (n-- > 0)
		frame_clear(mvm_object_frame(obj, index + n));
	return 0;
}

static const struct mvm_pager_ops shared_anon_pager = {.fill = zero_fill};
bool object_is_memory(const struct mvm_object *obj)
{
	return obj->ops == &shared_anon_pager;
}

static const struct mvm_pager_ops device_pager = {.fill = NULL};

int mvm_object_new_shared_anon(uint64_t size_bytes, struct mvm_object **out)
{
	return mvm_object_new(&shared_anon_pager, NULL, size_bytes, out);
}

int mvm_object_new_device(mvm_frame_t first, uint64_t size_bytes, struct mvm_object **out)
{
	int err = mvm_object_new(&device_pager, NULL, size_bytes, out);

	if (!err) {
		(*out)->kind = OBJECT_DEVICE;
		(*out)->device_first = first;
	}
	return err;
}

bool mvm_object_ref(struct mvm_object *obj)
{
	return __atomic_fetch_add(&obj->refs, 1, __ATOMIC_ACQ_REL) == 0;
}

void mvm_object_unref(struct mvm_object *obj)
{
	if (!ref_put(&obj->refs))
		return;
	if (obj->ops->release)
		obj->ops->release(obj);
	else
		mvm_object_destroy(obj);
}

void object_unpin(struct mvm_object *obj)
{
	bool last;

	mvmh_lock(&obj->lock);
	last = ref_put(&obj->pins);
	mvmh_unlock(&obj->lock);
	if (last)
		mvmh_wake(&obj->pins);
}

/*
 * Take every page out, whatever its state, after its I/O.  The object is unreferenced, so nothing
 * of it waits for write-back.
 */
static void drop_pages(struct mvm_object *obj)
{
	struct mvm_page *page;

	object_lock(obj);
	obj->doomed = true;
	while ((page = index_next(obj, 0, PAGE_INDEX_MAX, false)) != NULL) {
		page_get(page);
		if (page->state & (PAGE_BUSY | PAGE_WRITEBACK)) {
			(void)!page_wait(obj, page, PAGE_BUSY | PAGE_WRITEBACK, false);
		} else {
			page_detach(obj, page);
			page_put(page);
		}
		mvmh_unlock(&obj->lock);
		page_put(page);
		object_lock(obj);
	}
	mvmh_unlock(&obj->lock);
}

void mvm_object_destroy(struct mvm_object *obj)
{
	MUST(ref_count(&obj->refs) == 0 && obj->mapped == 0);
	drop_pages(obj);
	mvmh_lock(&obj->lock);
	while (ref_count(&obj->pins) > 0)
		(void)!mvmh_wait(&obj->pins, &obj->lock, false);
	mvmh_unlock(&obj->lock);
	registry_remove(&all_objects, &obj->all);
	slab_free(SLAB_OBJECT, obj);
}

void *mvm_object_owner(const struct mvm_object *obj)
{
	return obj->owner;
}

uint64_t mvm_object_size(struct mvm_object *obj)
{
	return object_bytes(obj);
}

mvm_frame_t mvm_object_frame(struct mvm_object *obj, mvm_pgoff_t index)
{
	mvm_frame_t frame;

	object_lock(obj);
	frame = index_get(obj, index)->frame;
	mvmh_unlock(&obj->lock);
	return frame;
}

int mvm_object_freeze(struct mvm_object *obj)
{
	bool frozen;

	object_lock(obj);
	frozen = obj->frozen = obj->frozen || obj->writers == 0;
	mvmh_unlock(&obj->lock);
	return frozen ? 0 : -MVM_EBUSY;
}

int object_writer_enter(struct mvm_object *obj)
{
	bool frozen;

	object_lock(obj);
	frozen = obj->frozen;
	obj->writers += !frozen;
	mvmh_unlock(&obj->lock);
	return frozen ? -MVM_EPERM : 0;
}

void object_writer_leave(struct mvm_object *obj)
{
	object_lock(obj);
	obj->writers--;
	mvmh_unlock(&obj->lock);
}

void object_set_size(struct mvm_object *obj, uint64_t bytes)
{
#if UINTPTR_MAX > UINT32_MAX
	__atomic_store_n(&obj->bytes, bytes, __ATOMIC_RELEASE);
#else
	obj->bytes = bytes;
#endif
}

void mvm_object_doom(struct mvm_object *obj)
{
	object_lock(obj);
	if (unclean_counted(obj))
		writeback_count(-(long)obj->unclean_n);
	obj->doomed = true;
	object_unlock(obj);
}

void object_unlock(struct mvm_object *obj)
{
	bool want = !obj->dirty_ref;

	if (object_in_order(obj)) {
		mvmh_unlock(&obj->lock);
		return;
	}
	obj->dirty_ref = want;
	unclean_list_move(obj, want);
	if (want)
		ref_get(&obj->refs);
	mvmh_unlock(&obj->lock);
	if (want)
		mvmh_writeback_wanted(false);
	else
		mvm_object_unref(obj);
}

/*
 * The page becomes unclean (DIRTY or WRITEBACK), or clean.  Where an unclean page cannot be
 * written, it can never go, and reclaim need not see it.
 */
static inline void set_unclean(struct mvm_object *obj, struct mvm_page *page, bool unclean)
{
	int change = unclean ? 1 : -1;

	if (unclean)
		index_tag(obj, page_index(page));
	else
		index_untag(obj, page_index(page));
	obj->unclean_n += (uint64_t)change;
	if (unclean_counted(obj))
		writeback_count(change);
	if (obj->ops->write)
		return;
	COUNT(kept_pages, change);
	if (unclean)
		queue_remove(page);
}

void page_becomes_dirty(struct mvm_object *obj, struct mvm_page *page)
{
	if (!(page->state & PAGE_WRITEBACK))
		set_unclean(obj, page, true);
	page->state |= PAGE_DIRTY;
	obj->dirty++;
	if (obj->ops->write)
		COUNT(dirty_pages, 1);
}

static void page_clear_dirty(struct mvm_object *obj, struct mvm_page *page)
{
	page->state &= (uint16_t)~PAGE_DIRTY;
	obj->dirty--;
	if (obj->ops->write)
		COUNT(dirty_pages, -1);
}

void page_begin_writeback(struct mvm_object *obj, struct mvm_page *page)
{
	page_clear_dirty(obj, page);
	page->state |= PAGE_WRITEBACK;
	obj->writeback++;
	COUNT(writeback_pages, 1);
}

void page_end_writeback(struct mvm_object *obj, struct mvm_page *page)
{
	page->state &= (uint16_t)~PAGE_WRITEBACK;
	obj->writeback--;
	COUNT(writeback_pages, -1);
	if (!(page->state & PAGE_DIRTY))
		set_unclean(obj, page, false);
}

void page_detach(struct mvm_object *obj, struct mvm_page *page)
{
	mvm_pgoff_t index = page_index(page);

	MUST(!(page->state & PAGE_WRITEBACK));
	if (page->state & PAGE_DIRTY) {
		page_clear_dirty(obj, page);
		set_unclean(obj, page, false);
		if (obj->ops->unreserve)
			obj->ops->unreserve(obj, index);
	}
	index_remove(obj, index);
	queue_remove(page);
	page->object = NULL;
	obj->cached--;
	COUNT(cached_pages, -1);
}

int page_wait(struct mvm_object *obj, struct mvm_page *page, unsigned what, bool killable)
{
	int err = 0;

	while (page->state & what && !err) {
		page->state |= PAGE_WAITED;
		err = object_wait(obj, page, killable);
	}
	return err;
}

void mvm_object_counts(struct mvm_object *obj, struct mvm_object_counts *out)
{
	object_lock(obj);
	*out = (struct mvm_object_counts){
		.cached_pages = obj->cached,
		.dirty_pages = obj->dirty,
		.writeback_pages = obj->writeback,
		.areas = obj->mapped,
	};
	mvmh_unlock(&obj->lock);
}
