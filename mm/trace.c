// SPDX-License-Identifier: MIT
/*
 * The event ring: fixed-size records, written from anywhere, read in order.
 *
 * Writers hold locks of mm and must not wait, so there is no lock among them.  A writer takes the
 * next number from `head`; the number names a slot, and the slot's stamp says whose record is in
 * it: number + 1 once it is whole, 0 while it changes.  A reader takes a record only if the stamp
 * is right before and after it has copied it.  Who reads too late finds a later number's record
 * and counts what it has missed.
 *
 * The ring is made, a metadata page at a time, when tracing is first switched on, and stays.
 */
#include "trace.h"

#include "meta.h"

#define RING_PAGES     256
#define SLOTS_PER_PAGE (MVM_PAGE_BYTES / sizeof(struct trace_slot))

struct trace_slot {
	size_t stamp; /* [a] */
	struct mvm_trace_record record;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct trace_slot) == 64, "slots fill a page");
_Static_assert((RING_PAGES & (RING_PAGES - 1)) == 0, "numbers name slots by their low bits");

/* [a] atomic  [r] readers' lock */
static struct {
	struct mvmh_lock lock;
	struct trace_slot *pages[RING_PAGES]; /* [a] written once, under [r]; NULL: not had */
	size_t head;                          /* [a] the next number */
	size_t tail;                          /* [r] the next number to read */
} ring;

uint32_t spaces_traced;

void trace_init(void)
{
	mvmh_lock_init(&ring.lock, MVMH_RANK_PAGE);
}

/* Inline, so that trace_emit(), which ends the deepest chains of calls, saves no arguments. */
static inline __attribute__((always_inline)) struct trace_slot *slot_of(size_t number)
{
	size_t i = number & (RING_PAGES * SLOTS_PER_PAGE - 1);
	struct trace_slot *page =
		__atomic_load_n(&ring.pages[i / SLOTS_PER_PAGE], __ATOMIC_ACQUIRE);

	return page ? page + i % SLOTS_PER_PAGE : NULL;
}

void trace_emit(uint32_t tag, enum mvm_trace_event event, mvm_vaddr_t va, uint64_t a, uint64_t b)
{
	size_t number = __atomic_fetch_add(&ring.head, 1, __ATOMIC_RELAXED);
	struct trace_slot *slot = slot_of(number);

	if (!slot)
		return;
	__atomic_store_n(&slot->stamp, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->record.event = (uint16_t)event;
	slot->record.tag = tag;
	slot->record.va = va;
	slot->record.a = a;
	slot->record.b = b;
	/* The calls last: of all arguments none is left to be kept on the stack. */
	slot->record.time_ns = mvmh_now();
	slot->record.hart = (uint16_t)mvmh_cpu();
	__atomic_store_n(&slot->stamp, number + 1, __ATOMIC_RELEASE);
}

/* Take record `number`; false: it is not whole yet.  *missed: a later one is in its place. */
static bool take(size_t number, struct mvm_trace_record *to, bool *missed)
{
	struct trace_slot *slot = slot_of(number);
	size_t stamp = slot ? __atomic_load_n(&slot->stamp, __ATOMIC_ACQUIRE) : number + 2;

	*missed = stamp != 0 && (intptr_t)(stamp - (number + 1)) > 0;
	if (stamp != number + 1)
		return *missed;
	*to = slot->record;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*missed = __atomic_load_n(&slot->stamp, __ATOMIC_RELAXED) != number + 1;
	return true;
}

size_t mvm_trace_read(struct mvm_trace_record *to, size_t n, uint64_t *lost)
{
	size_t taken = 0;
	size_t head;
	bool missed;

	*lost = 0;
	mvmh_lock(&ring.lock);
	head = __atomic_load_n(&ring.head, __ATOMIC_ACQUIRE);
	if (head - ring.tail > RING_PAGES * SLOTS_PER_PAGE) {
		*lost = head - ring.tail - RING_PAGES * SLOTS_PER_PAGE;
		ring.tail += *lost;
	}
	if (n > MVM_HOLD_PAGES)
		n = MVM_HOLD_PAGES;
	while (taken < n && ring.tail != head && take(ring.tail, &to[taken], &missed)) {
		ring.tail++;
		*lost += missed;
		taken += !missed;
	}
	mvmh_unlock(&ring.lock);
	return taken;
}

static void ring_make(void)
{
	for (unsigned i = 0; i < RING_PAGES; i++) {
		void *page = ring.pages[i] ? NULL : meta_page_alloc();

		mvmh_lock(&ring.lock);
		if (page && !ring.pages[i]) {
			__atomic_store_n(&ring.pages[i], page, __ATOMIC_RELEASE);
			page = NULL;
		}
		mvmh_unlock(&ring.lock);
		if (page)
			meta_page_free(page);
	}
}

void mvm_space_set_tag(struct mvm_space *space, uint32_t tag)
{
	__atomic_store_n(&space->tag, tag, __ATOMIC_RELAXED);
}

void mvm_trace_enable(struct mvm_space *space, bool on)
{
	bool was;

	if (on == is_traced(space))
		return; /* as at most forks and ends, which take no lock of all spaces for it */
	if (on)
		ring_make();
	mvmh_lock(&ring.lock);
	was = space->traced;
	__atomic_store_n(&space->traced, on, __ATOMIC_RELAXED);
	mvmh_unlock(&ring.lock);
	if (on && !was)
		ref_get(&spaces_traced);
	else if (was && !on)
		(void)ref_put(&spaces_traced);
}
