// SPDX-License-Identifier: MIT
#include "kit_between.h"

#include "object.h"

#include <string.h>

#define PAGE ((size_t)MVM_PAGE_BYTES)
#define JUNK 0x5a

struct kit_between kit_between;
struct mvm_faulty kit_faulty;

static void set_junk(struct mvm_object *obj, mvm_pgoff_t index)
{
	char *window = mvmh_window_map(mvm_object_frame(obj, index));

	memset(window, JUNK, PAGE);
	mvmh_window_unmap(window);
}

static bool all_zero(struct mvm_object *obj, mvm_pgoff_t index, size_t from)
{
	const char *window = mvmh_window_map(mvm_object_frame(obj, index));
	bool zero = true;

	for (size_t i = from; i < PAGE; i++)
		zero &= window[i] == 0;
	mvmh_window_unmap((char *)(uintptr_t)window);
	return zero;
}

/* How many bytes of the page lie below the object's size. */
static size_t inside(struct mvm_object *obj, mvm_pgoff_t index)
{
	uint64_t size = mvm_object_size(obj), start = index * PAGE;

	return start >= size ? 0 : size - start < PAGE ? (size_t)(size - start) : PAGE;
}

static int between_fill(struct mvm_object *o, mvm_pgoff_t index, unsigned n)
{
	int err;

	MUST(o == kit_between.object);
	MUST(n >= 1 && n <= RUN_PAGES);
	for (unsigned i = 0; i < n; i++)
		set_junk(o, index + i);
	err = kit_between.pager->fill(o, index, n);
	MUST(err == 0 || err == MVM_PENDING || err == -MVM_EIO || err == -MVM_ENOMEM);
	for (unsigned i = 0; i < n && err == 0; i++)
		MUST(all_zero(o, index + i, inside(o, index + i)));
	kit_between.fills++;
	return err;
}

/* A promise is made once, however often it is asked for. */
static int between_make_writable(struct mvm_object *o, mvm_pgoff_t index)
{
	size_t before = kit_between.reserved();
	int err;

	if (kit_between.ask_again) {
		kit_between.ask_again = false;
		return -MVM_EAGAIN;
	}
	err = kit_between.pager->make_writable(o, index);
	MUST(kit_between.reserved() - before <= (err == 0));
	if (err == 0) {
		before = kit_between.reserved();
		MUST(kit_between.pager->make_writable(o, index) == 0);
		MUST(kit_between.reserved() == before);
	}
	return err;
}

/* Without a promise. */
static bool between_writable_at_once(struct mvm_object *o, mvm_pgoff_t index)
{
	size_t before = kit_between.reserved();
	bool writable = !kit_between.ask_again && kit_between.pager->writable_at_once(o, index);

	MUST(kit_between.reserved() == before);
	kit_between.at_once += writable;
	return writable;
}

/* A promise that is not there any more may be returned again. */
static void between_unreserve(struct mvm_object *o, mvm_pgoff_t index)
{
	kit_between.pager->unreserve(o, index);
	kit_between.pager->unreserve(o, index);
}

static int between_settle(struct mvm_object *o)
{
	kit_between.settles++;
	return kit_between.pager->settle(o);
}

static int between_write(struct mvm_object *o, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	int at = kit_between.store_into, err;

	MUST(n >= 1 && n <= RUN_PAGES);
	MUST(inside(o, index) > 0);
	MUST(all_zero(o, index + n - 1, inside(o, index + n - 1)));
	if (at >= (int)index && at < (int)(index + n)) {
		kit_between.store_into = -1;
		MUST(mvm_pc_touch_write(o, (uint64_t)at * PAGE, 99) == 0);
	}
	err = kit_between.pager->write(o, index, n, flags);
	MUST(err <= MVM_PENDING);
	return err;
}

static void between_release(struct mvm_object *o)
{
	kit_between.releases++;
	if (kit_between.pager->release)
		kit_between.pager->release(o);
	else
		mvm_object_destroy(o);
}

void kit_stand_between(struct mvm_object *obj, size_t (*reserved)(void))
{
	const struct mvm_pager_ops *pager = obj->ops;

	kit_between = (struct kit_between){
		.object = obj,
		.pager = pager,
		.reserved = reserved,
		.store_into = -1,
		.ops =
			{
				.fill = between_fill,
				.make_writable =
					pager->make_writable ? between_make_writable : NULL,
				.writable_at_once =
					pager->writable_at_once ? between_writable_at_once : NULL,
				.unreserve = pager->unreserve ? between_unreserve : NULL,
				.settle = pager->settle ? between_settle : NULL,
				.write = pager->write ? between_write : NULL,
				.release = between_release,
			},
	};
	mvm_faulty_init(&kit_faulty, &kit_between.ops);
	obj->ops = &kit_faulty.ops;
}
