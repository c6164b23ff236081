// SPDX-License-Identifier: MIT
/*
 * Memory of a space for the kernel's own use: held for I/O, read and written,
 * and named (futex keys).
 */
#include "fault.h"
#include "object.h"

OWN_FRAME int fault_error(enum mvm_fault_result result)
{
	switch (result) {
	case MVM_FAULT_OK:
		return 0;
	case MVM_FAULT_NOMEM:
		return -MVM_ENOMEM;
	case MVM_FAULT_KILLED:
		return -MVM_EINTR;
	default:
		return -MVM_EFAULT;
	}
}

/*
 * The page that an access at va would use, if it could go on without a fault's help; referenced.
 * Both locks as in a fault.  *device: the frame, of no page.
 */
static struct mvm_page *object_page_now(
	struct area *a, mvm_vaddr_t va, bool write, bool *again, mvm_frame_t *frame)
{
	struct mvm_object *obj = a->object;
	mvm_pgoff_t index = area_page(a, va);
	struct mvm_page *page = NULL;

	if (obj->kind == OBJECT_DEVICE) {
		*frame = obj->device_first + (mvm_frame_t)index;
		*again = index >= object_pages(obj) || (write && area_private(a));
		return NULL;
	}
	object_lock(obj);
	page = object_usable(obj, index);
	*again = !page || (write && (area_private(a) || !(page->state & PAGE_DIRTY)));
	if (!*again) {
		page_get(page);
		page->state |= PAGE_USED;
	}
	mvmh_unlock(&obj->lock);
	return *again ? NULL : page;
}

/* The hold without a fault; false: fault (again) first.  The space's lock is held. */
static OWN_FRAME bool hold_now(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force, struct mvm_hold *hold)
{
	struct area *a = space_area(space, va);
	bool exclusive = false, write = access == MVM_WRITE, again = false;
	struct mvm_page *anon;

	if (!a || !fault_allowed(a, access, force) || claim_find(space, va, va + MVM_PAGE_BYTES))
		return false;
	anon = area_private(a) ? anon_find(&space->anons, va >> MVM_PAGE_SHIFT, &exclusive) : NULL;
	hold->page = NULL;
	hold->object = NULL;
	hold->shared = false;
	if (anon && (exclusive || !write)) {
		hold->page = anon;
		page_get(anon);
		hold->shared = !exclusive;
		if (!exclusive) /* else the last to share it would store to it in place */
			anon_get(anon);
	} else if (anon || (write && !a->object)) {
		return false;
	} else if (!a->object) {
		hold->frame = frame_of_zeros;
		return true;
	} else {
		hold->page = object_page_now(a, va, write, &again, &hold->frame);
	}
	if (hold->page)
		hold->frame = hold->page->frame;
	if (hold->page && write && !anon) {
		hold->object = a->object;
		mvm_object_ref(a->object);
	}
	return !again;
}

/*
 * Hold the page, if that can be done now.  False: fault, and try again; a fork that was in the way
 * is over.
 */
static OWN_FRAME bool try_hold(
	struct mvm_space *space, mvm_vaddr_t va, unsigned access, bool force, struct mvm_hold *hold)
{
	bool held;

	va = page_floor(va);
	space_lock(space);
	held = hold_now(space, va, access, force, hold);
	if (held) {
		hold->space = space;
		ref_get(&space->holds);
		space_pin(space);
	} else {
		claim_wait(space, va, va + MVM_PAGE_BYTES);
	}
	space_unlock(space);
	return held;
}

int mvm_hold(struct mvm_space *space, mvm_vaddr_t va, unsigned access, struct mvm_hold *hold)
{
	int err = 0;

	while (!err && !try_hold(space, va, access, false, hold))
		err = fault_error(fault_in(space, va, access, false));
	return err;
}

/* Who has the page alone after this may store to it. */
static OWN_FRAME void release_shared(struct mvm_page *anon)
{
	struct grave grave = {0};

	anon_put(anon, &grave);
	anon_bury(&grave);
}

int mvm_release(struct mvm_hold *h)
{
	int err = 0;

	if (h->shared)
		release_shared(h->page);
	if (h->object) {
		err = cache_make_writable(h->object, h->page, false);
		mvm_object_unref(h->object);
	}
	(void)ref_put(&h->space->holds);
	space_unpin(h->space);
	if (h->page)
		page_put(h->page);
	return err;
}

/*
 * Copy between the kernel and one page of a space.  -MVM_EAGAIN: as try_hold();
 * other errors end it.
 */
static OWN_FRAME int try_copy(struct mvm_space *space, mvm_vaddr_t va, void *kernel, size_t n,
	unsigned access, bool force)
{
	struct mvm_hold h;
	char *window;

	if (!try_hold(space, va, access, force, &h))
		return -MVM_EAGAIN;
	window = mvmh_window_map(h.frame);
	if (access == MVM_WRITE)
		__builtin_memcpy(window + (va & MVM_PAGE_MASK), kernel, n);
	else
		__builtin_memcpy(kernel, window + (va & MVM_PAGE_MASK), n);
	mvmh_window_unmap(window);
	return mvm_release(&h);
}

static int copy_range(struct mvm_space *space, mvm_vaddr_t va, char *kernel, size_t bytes,
	unsigned access, bool force)
{
	int err = 0;

	while (!err && bytes > 0) {
		size_t n = (size_t)min_u64(bytes, MVM_PAGE_BYTES - (va & MVM_PAGE_MASK));

		err = try_copy(space, va, kernel, n, access, force);
		if (err == -MVM_EAGAIN) {
			err = fault_error(fault_in(space, va, access, force));
		} else {
			va += n;
			kernel += n;
			bytes -= n;
		}
	}
	return err;
}

int mvm_space_read(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t bytes)
{
	return copy_range(space, va, to, bytes, MVM_READ, false);
}

int mvm_space_write(
	struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t bytes, bool force)
{
	return copy_range(space, va, (char *)from, bytes, MVM_WRITE, force);
}

int mvm_futex_key(struct mvm_space *space, mvm_vaddr_t va, struct mvm_key *key)
{
	struct area *a;

	space_lock(space);
	a = space_area(space, va);
	if (a && a->object && !area_private(a)) {
		key->what = a->object;
		key->where = (area_page(a, va) << MVM_PAGE_SHIFT) | (va & MVM_PAGE_MASK);
		key->object = a->object;
		mvm_object_ref(a->object);
	} else {
		key->what = space;
		key->where = va;
		key->object = NULL;
	}
	space_unlock(space);
	return a ? 0 : -MVM_EFAULT;
}
