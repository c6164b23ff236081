// SPDX-License-Identifier: MIT
/*
 * Joint holds: threads of one space that fault at once.
 *
 * Most faults of a program that works with many threads find an empty page in memory of their own
 * and fill it.  They change two words, the page's slot in a leaf of the anon tree and its entry in
 * a translation table, and only read all else: so the space's lock, which lets one thread in at a
 * time, is more than they need.  A joint hold is less:
 *
 *	                  others in joint holds    what may change
 *	space_lock()      none                     everything
 *	a joint hold      any number               empty slots of nodes, absent entries of tables:
 *	                                           by compare-and-swap, to what is not empty
 *
 * What is filled is case 3 of fault.c, a store, where the page of zeros was never mapped: no entry
 * of the page can be known to any hart, so open batches do not matter, as they do not there.
 *
 * Where there is no leaf for the slot, or no table for the entry, a new one is filled in just so:
 * into the empty slot of the lowest node on the way, where all of the way is the tree's own, with
 * the page in it already, so that no leaf is ever seen empty; and by the host, if it can
 * (mvmh_pmap_fill).  Who finds that another was first, with the same leaf or with one that stands
 * where the ways to both part, frees his.
 *
 * But for that the shape of a space stands still in a joint hold: areas, claims, nodes, tables.
 * Whatever a fault needs beyond filling what is empty (a node where ways part, a copy, the object's
 * page, the end of a claim ...) it gets from mvm_fault()'s other ways, under the lock; and who has
 * the lock is alone, as if there were no joint holds.  No other file of mm needs to know of them
 * but where the lock is taken (space.h).
 *
 * Entering writes nothing that other harts write.  Each hart says in a line of its own that it is
 * in, and then looks whether it may; who takes the lock says that nobody may, and then looks who is
 * in:
 *
 *	a hart                          who has taken the lock
 *	in = 1                          shut = 1
 *	fence                           fence
 *	shut?  in = 0, the other way    wait for each hart's `in` to become 0
 *
 * One of them sees the other.  A joint hold is short, takes no lock but of rank PAGE and above, for
 * the memory of a leaf or a table, and the host keeps the thread on its hart meanwhile (mvmh_stay),
 * so the wait is short, too.  The page is had and filled with zeros before.
 *
 * Who finds the space shut waits until the lock is free, and enters then.  If it took the lock, it
 * would shut the space for the next, and that one for the next again: one in some ten faults that
 * need the lock would make nearly all take it.
 *
 * What a hart has found (the area, and the leaf) it remembers for its next fault.  It is true until
 * somebody takes the lock: until the joint's turn changes.
 *
 * Counts.  The tree's counts of anons and the space's of faults would be written by all.  So each
 * hart keeps what it added to one leaf, until it goes on to another; who takes the lock first adds
 * up what all harts have (take_counts), and finds every count right.
 *
 * Who takes the lock pays for all that, so a space has joint holds only when some thread was seen
 * to wait for its lock, and has none any more when in QUIET holds of it not two harts have filled
 * anything: a thread that is alone is better off alone.
 */
#include "joint.h"

#include "fault.h"
#include "meta.h"
#include "trace.h"

#if MVMH_JOINT

/* Holds of the lock with fills of one hart only in between, until there are no joint ones. */
#define QUIET 256

/* So often who finds the space shut waits; then it takes the lock, and shuts itself. */
#define TRIES 4

_Static_assert(sizeof(struct joint) <= MVM_PAGE_BYTES - 64, "it is a piece of a metadata page");

static bool is_set(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* --- Under the space's lock ------------------------------------------------------------------- */

static void count_anons(struct mvm_space *space, struct joint_hart *h)
{
	if (h->uncounted)
		anon_count_filled(&space->anons, h->leaf, h->uncounted);
	h->uncounted = 0;
}

/* The hart is not in.  Has it filled anything, and another one before it? */
static bool take_counts(struct mvm_space *space, struct joint *joint, struct joint_hart *h)
{
	bool another = h->faults && joint->last != h;

	count_anons(space, h);
	if (h->faults) {
		__atomic_fetch_add(&space->faults, h->faults, __ATOMIC_RELAXED);
		joint->last = h;
	}
	h->faults = 0;
	return another;
}

void joint_shut(struct mvm_space *space)
{
	struct joint *joint = space->joint;
	bool others = false;

	__atomic_store_n(&joint->shut, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (struct joint_hart *h = joint->harts; h < joint->harts + MVMH_MAX_HARTS; h++) {
		if (unlikely(is_set(&h->in)))
			mvmh_await(&h->in);
		others |= take_counts(space, joint, h);
	}
	joint->turn++;
	joint->quiet = others ? 0 : joint->quiet + 1;
	if (unlikely(joint->quiet == QUIET))
		__atomic_store_n(&space->joined, false, __ATOMIC_RELAXED);
}

void joint_open(struct mvm_space *space)
{
	__atomic_store_n(&space->joint->shut, 0, __ATOMIC_RELEASE);
}

/* From now on there are joint holds, if there is memory for that. */
static COLD void joint_begin(struct mvm_space *space)
{
	struct joint *fresh = slab_alloc(SLAB_JOINT);

	if (!fresh)
		return;
	__builtin_memset(fresh, 0, sizeof(*fresh));
	fresh->shut = 1;
	space_lock(space);
	if (!space->joint) {
		space->joint = fresh;
		fresh = NULL;
	}
	space->joint->turn++;
	space->joint->quiet = 0;
	__atomic_store_n(&space->joined, true, __ATOMIC_RELEASE);
	space_unlock(space);
	if (fresh)
		slab_free(SLAB_JOINT, fresh);
}

/* --- In a joint hold -------------------------------------------------------------------------- */

static void leave(struct joint_hart *h)
{
	__atomic_store_n(&h->in, 0, __ATOMIC_RELEASE);
}

/* False: somebody has the lock. */
static bool enter(struct joint *joint, struct joint_hart *h)
{
	__atomic_store_n(&h->in, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (likely(!is_set(&joint->shut)))
		return true;
	leave(h);
	return false;
}

/*
 * Is an empty page of the area to be filled with zeros, and mapped, and that is all?  Where the
 * page of zeros may be mapped, it is not.
 */
static bool is_plain(const struct area *a)
{
	return area_private(a) && !a->object && a->rights & MVM_WRITE &&
	       a->touched == TOUCHED_PAGES && !(a->flags & AREA_HUGE);
}

/* Does the hart remember where the page belongs? */
static inline bool remembers(const struct joint_hart *h, mvm_vaddr_t va)
{
	return h->start <= va && va < h->end && h->leaf == va >> (MVM_PAGE_SHIFT + NODE_BITS);
}

/* It is to find that out again.  What it has counted stays its own. */
static void joint_forget(struct joint_hart *h)
{
	h->end = 0;
}

/* Find that out. */
static OWN_FRAME bool find(struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va)
{
	uint64_t vpn = va >> MVM_PAGE_SHIFT;
	struct area *a = area_peek(&space->areas, va);
	struct node *place;

	if (space->dead || !a || a->start > va || !is_plain(a))
		return false;
	place = anon_place(&space->anons, vpn);
	if (!place)
		return false;
	count_anons(space, h);
	h->turn = space->joint->turn;
	h->start = a->start;
	h->end = a->end;
	h->rights = area_rights(a);
	h->leaf = vpn >> NODE_BITS;
	h->place = place;
	return true;
}

/* May the page be filled, if it is empty?  Then the hart remembers what is so now. */
static inline bool look(struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va)
{
	if (is_traced(space) || claim_find(space, va, va + MVM_PAGE_BYTES))
		return false;
	return (h->turn == space->joint->turn && remembers(h, va)) || find(space, h, va);
}

/* Is the page mapped now?  *fresh is NULL if it came into the tree. */
static bool fill(
	struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va, struct mvm_page **fresh)
{
	mvm_frame_t frame = (*fresh)->frame;

	if (unlikely(!look(space, h, va) || !anon_fill(&h->place, va >> MVM_PAGE_SHIFT, *fresh))) {
		joint_forget(h); /* else the next page is made in vain, too */
		return false;
	}
	*fresh = NULL;
	h->uncounted++;
	COUNT(zero_fills, 1);
	if (!mvmh_pmap_fill(&space->pmap, va, frame, h->rights))
		return false;
	h->faults++;
	return true;
}

/* --- The fault -------------------------------------------------------------------------------- */

enum outcome {
	DONE,
	NOT_HERE, /* it takes more than a joint hold, or another hart was first */
	SHUT,     /* somebody has the lock */
};

/* Is it worth while to make a page?  What the hart remembers may be old: fill() looks again. */
static inline enum outcome expect(struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va)
{
	bool found;

	if (likely(remembers(h, va)))
		return DONE;
	if (!enter(space->joint, h))
		return SHUT;
	found = look(space, h, va) && !anon_there(h->place, va >> MVM_PAGE_SHIFT);
	if (!found)
		joint_forget(h);
	leave(h);
	return found ? DONE : NOT_HERE;
}

/* A page of zeros in hand, if one is needed. */
static inline enum outcome have_page(
	struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va, struct mvm_page **fresh)
{
	enum outcome worth = *fresh ? DONE : expect(space, h, va);

	if (unlikely(worth != DONE) || *fresh)
		return worth;
	*fresh = anon_new();
	if (unlikely(!*fresh))
		return NOT_HERE;
	page_clear(*fresh);
	return DONE;
}

/* The thread stays on the hart.  *fresh is what is, and what is left, in hand. */
static inline enum outcome attempt(
	struct mvm_space *space, struct joint_hart *h, mvm_vaddr_t va, struct mvm_page **fresh)
{
	enum outcome outcome = have_page(space, h, va, fresh);

	if (unlikely(outcome != DONE))
		return outcome;
	if (!enter(space->joint, h))
		return SHUT;
	outcome = fill(space, h, va, fresh) ? DONE : NOT_HERE;
	leave(h);
	return outcome;
}

/*
 * Until whoever has the lock gives it up.  To have it is not to shut: other harts' joint holds go
 * on meanwhile.
 */
static COLD void await_open(struct mvm_space *space)
{
	mvmh_lock(&space->lock);
	mvmh_unlock(&space->lock);
}

static COLD void give_back(struct mvm_page *fresh)
{
	struct grave grave = {.anons = fresh};

	anon_bury(&grave);
}

enum mvm_fault_result joint_fault(struct mvm_space *space, mvm_vaddr_t va)
{
	struct mvm_page *fresh = NULL;
	enum outcome outcome;

	if (unlikely(!__atomic_load_n(&space->joined, __ATOMIC_ACQUIRE))) {
		joint_begin(space);
		return fault_alone(space, va, MVM_WRITE);
	}
	for (unsigned tries = 0;; tries++) {
		outcome = attempt(space, &space->joint->harts[mvmh_stay()], page_floor(va), &fresh);
		mvmh_stay_end();
		if (likely(outcome != SHUT) || tries == TRIES)
			break;
		await_open(space);
	}
	if (unlikely(fresh != NULL))
		give_back(fresh);
	if (unlikely(outcome != DONE))
		return fault_alone(space, va, MVM_WRITE);
	COUNT(faults, 1);
	return MVM_FAULT_OK;
}

#endif
