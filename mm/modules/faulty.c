// SPDX-License-Identifier: MIT
/*
 * The pager that fails when it is told to: mm/faulty.h.
 *
 * Pagers know their object by mvm_object_owner(), so a pager that stands in front of another must
 * leave the owner alone; what it knows itself it finds through the object's table of operations,
 * which is a part of it.  Operations whose absence means something (write, unreserve, release) are
 * absent here when the other pager lacks them.
 */
#include <mm/faulty.h>

#include "object.h"

static struct mvm_faulty *faulty_of(const struct mvm_object *obj)
{
	return container_of(obj->ops, struct mvm_faulty, ops);
}

/* --- A medium that is always zero ------------------------------------------------------------- */

static int zeros_fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		void *window = mvmh_window_map(mvm_object_frame(obj, index + i));

		__builtin_memset(window, 0, MVM_PAGE_BYTES);
		mvmh_window_unmap(window);
	}
	return 0;
}

static int zeros_write(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	(void)obj, (void)index, (void)n, (void)flags;
	return 0;
}

static const struct mvm_pager_ops zeros = {.fill = zeros_fill, .write = zeros_write};

/* --- Rules: the lock is held ------------------------------------------------------------------ */

/* Another call that the rule counts: is it picked? */
static bool due(const struct mvm_faulty_rule *rule, uint64_t *count)
{
	++*count;
	switch (rule->when) {
	case MVM_FAULTY_ONCE:
		return *count == rule->nth;
	case MVM_FAULTY_EVERY:
		if (*count < rule->nth)
			return false;
		*count = 0;
		return true;
	case MVM_FAULTY_FROM:
		return *count >= rule->nth;
	default:
		return false;
	}
}

/* The rule, if it picks this call on pages [first, last], else NULL. */
static const struct mvm_faulty_rule *pick(
	struct mvm_faulty *f, enum mvm_faulty_call call, mvm_pgoff_t first, mvm_pgoff_t last)
{
	const struct mvm_faulty_rule *rule = &f->rule[call];

	if (last < rule->first || rule->last < first || !due(rule, &f->calls[call]))
		return NULL;
	f->picked[call]++;
	return rule;
}

/* Keep the call for mvm_faulty_answer(), if there is room. */
static bool put_off(struct mvm_faulty *f, const struct mvm_faulty_late *call)
{
	for (unsigned i = 0; i < MVM_FAULTY_LATE; i++) {
		if (f->late[i].n == 0) {
			f->late[i] = *call;
			return true;
		}
	}
	return false;
}

/* --- The pager -------------------------------------------------------------------------------- */

/* The rule's error for a call that is answered at once; 0: ask the other pager. */
static int error_now(
	struct mvm_faulty *f, enum mvm_faulty_call call, mvm_pgoff_t first, mvm_pgoff_t last)
{
	const struct mvm_faulty_rule *rule;
	int err;

	mvmh_lock(&f->lock);
	rule = pick(f, call, first, last);
	err = rule ? rule->error : 0;
	mvmh_unlock(&f->lock);
	return err;
}

/* What the other pager says to a fill or a write, or the error that was planned. */
static int perform(const struct mvm_faulty *f, const struct mvm_faulty_late *io)
{
	if (io->error)
		return io->error;
	if (io->call == MVM_FAULTY_FILL)
		return f->inner->fill(io->obj, io->index, io->n);
	return f->inner->write(io->obj, io->index, io->n, io->flags);
}

/* A fill or a write: now or later. */
static int start(struct mvm_faulty *f, struct mvm_faulty_late *io)
{
	const struct mvm_faulty_rule *rule;
	bool later = false;

	mvmh_lock(&f->lock);
	rule = pick(f, io->call, io->index, io->index + io->n - 1);
	if (rule) {
		io->error = rule->error;
		later = rule->later && put_off(f, io);
	}
	mvmh_unlock(&f->lock);
	return later ? MVM_PENDING : perform(f, io);
}

static int faulty_fill(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	struct mvm_faulty_late io = {
		.obj = obj,
		.index = index,
		.n = n,
		.call = MVM_FAULTY_FILL,
	};

	return start(faulty_of(obj), &io);
}

static int faulty_write(struct mvm_object *obj, mvm_pgoff_t index, unsigned n, unsigned flags)
{
	struct mvm_faulty_late io = {
		.obj = obj,
		.index = index,
		.n = n,
		.flags = flags,
		.call = MVM_FAULTY_WRITE,
	};

	return start(faulty_of(obj), &io);
}

static int faulty_make_writable(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mvm_faulty *f = faulty_of(obj);
	int err = error_now(f, MVM_FAULTY_MAKE_WRITABLE, index, index);

	return err || !f->inner->make_writable ? err : f->inner->make_writable(obj, index);
}

/* Where failures are planned, make_writable() is asked, and fails. */
static bool faulty_writable_at_once(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct mvm_faulty *f = faulty_of(obj);
	bool planned;

	mvmh_lock(&f->lock);
	planned = f->rule[MVM_FAULTY_MAKE_WRITABLE].when != MVM_FAULTY_NEVER;
	mvmh_unlock(&f->lock);
	return !planned && f->inner->writable_at_once(obj, index);
}

static int faulty_settle(struct mvm_object *obj)
{
	struct mvm_faulty *f = faulty_of(obj);
	int err = error_now(f, MVM_FAULTY_SETTLE, 0, PAGE_INDEX_MAX);

	return err || !f->inner->settle ? err : f->inner->settle(obj);
}

/* --- Its controls ----------------------------------------------------------------------------- */

void mvm_faulty_init(struct mvm_faulty *f, const struct mvm_pager_ops *inner)
{
	if (!inner)
		inner = &zeros;
	*f = (struct mvm_faulty){
		.ops =
			{
				.fill = faulty_fill,
				.make_writable = faulty_make_writable,
				.writable_at_once =
					inner->writable_at_once ? faulty_writable_at_once : NULL,
				.unreserve = inner->unreserve,
				.settle = faulty_settle,
				.write = inner->write ? faulty_write : NULL,
				.release = inner->release,
			},
		.inner = inner,
	};
	mvmh_lock_init(&f->lock, MVMH_RANK_PAGE);
}

void mvm_faulty_set(
	struct mvm_faulty *f, enum mvm_faulty_call call, const struct mvm_faulty_rule *rule)
{
	mvmh_lock(&f->lock);
	f->rule[call] = *rule;
	f->calls[call] = 0;
	mvmh_unlock(&f->lock);
}

uint64_t mvm_faulty_picked(struct mvm_faulty *f, enum mvm_faulty_call call)
{
	uint64_t picked;

	mvmh_lock(&f->lock);
	picked = f->picked[call];
	mvmh_unlock(&f->lock);
	return picked;
}

/* The next call that waits, taken out of its place; false: none. */
static bool take_late(struct mvm_faulty *f, struct mvm_faulty_late *io)
{
	bool found = false;

	mvmh_lock(&f->lock);
	for (unsigned i = 0; i < MVM_FAULTY_LATE && !found; i++) {
		found = f->late[i].n > 0;
		if (found) {
			*io = f->late[i];
			f->late[i].n = 0;
		}
	}
	mvmh_unlock(&f->lock);
	return found;
}

unsigned mvm_faulty_answer(struct mvm_faulty *f)
{
	struct mvm_faulty_late io;
	unsigned n = 0;

	for (; take_late(f, &io); n++) {
		int err = perform(f, &io);

		if (err == MVM_PENDING)
			continue; /* the other pager answers */
		if (io.call == MVM_FAULTY_FILL)
			mvm_fill_done(io.obj, io.index, io.n, err);
		else
			mvm_write_done(io.obj, io.index, io.n, err);
	}
	return n;
}
