// SPDX-License-Identifier: MIT
/*
 * Translation on the simulated machine: tables, and a TLB for each hart that is as stale as the
 * architecture allows.
 *
 * Each fiber is a hart.  A TLB keeps what it has until it is told to forget it, and never checks
 * the table again.  What is legal on hardware, and makes bugs show, is done on purpose:
 *
 *	speculation   a hart may read any valid entry of the space that it runs in at any time.  The
 *	              worst time is just before the entry goes, so this is when it happens
 *	spurious      a TLB that knows a page as read-only may fault a store although the table has
 *	              been given the right meanwhile
 *	forgetting    a table may lose an entry at any moment (and forgets it at all harts)
 *
 * mvmh_tlb_sync() interrupts the other harts: each forgets the batch when it passes its next
 * point, at once if it is not running; the caller sleeps until the last has done so.  A batch holds
 * just the pages that were noted in it, so mm is not helped by flushes that it did not ask for.
 *
 * Counts a frame, of the entries and TLB slots that reach it, make the check of a frame that is
 * freed cheap.
 */
#include "host.h"

#include <string.h>

#define TABLES    16
#define TLB_SLOTS 64

/* An entry: 0, or valid, rights, used, and the frame. */
#define ENTRY_VALID 1u
#define ENTRY_USED  16u

struct sim_table {
	bool taken;
	uint32_t entries[SIM_PAGES];
};

struct slot {
	const struct mvmh_pmap *pmap;
	unsigned page;
	uint32_t entry;
};

struct flush {
	const struct mvmh_pmap *pmap;
	struct mvmh_tlb batch;
	bool wanted[FIBERS]; /* by these harts still */
	unsigned n_wanted;
};

struct hart {
	const struct mvmh_pmap *pmap; /* the space that it runs in */
	struct slot slots[TLB_SLOTS];
	unsigned n_slots;
};

static struct sim_table tables[TABLES];
static struct hart harts[FIBERS];
static struct flush *flushes[FIBERS]; /* under way, by the fiber that asked */
static unsigned in_tables[SIM_FRAMES], in_tlbs[SIM_FRAMES];

static uint32_t entry_make(mvm_frame_t frame, unsigned rights)
{
	return ENTRY_VALID | rights << 1 | frame << 8;
}

static mvm_frame_t entry_frame(uint32_t entry)
{
	return entry >> 8;
}

static unsigned entry_rights(uint32_t entry)
{
	return entry >> 1 & MVM_RWX;
}

static unsigned page_of_va(mvm_vaddr_t va)
{
	return (unsigned)(va >> MVM_PAGE_SHIFT);
}

/* --- TLBs ------------------------------------------------------------------------------------- */

static struct slot *slot_find(struct hart *hart, const struct mvmh_pmap *pmap, unsigned page)
{
	for (unsigned i = 0; i < hart->n_slots; i++) {
		if (hart->slots[i].page == page && hart->slots[i].pmap == pmap)
			return &hart->slots[i];
	}
	return NULL;
}

static void slot_drop(struct hart *hart, struct slot *slot)
{
	in_tlbs[entry_frame(slot->entry)]--;
	*slot = hart->slots[--hart->n_slots];
}

static void slot_add(struct hart *hart, const struct mvmh_pmap *pmap, unsigned page, uint32_t entry)
{
	if (hart->n_slots == TLB_SLOTS)
		slot_drop(hart, &hart->slots[random_below(&machine.random, TLB_SLOTS)]);
	hart->slots[hart->n_slots++] = (struct slot){pmap, page, entry};
	in_tlbs[entry_frame(entry)]++;
}

/* The entry is about to lose something: who may have read it has. */
static void speculate(const struct mvmh_pmap *pmap, unsigned page, uint32_t entry)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		if (harts[i].pmap == pmap && !slot_find(&harts[i], pmap, page) &&
			random_below(&machine.random, 4) < machine.speculation)
			slot_add(&harts[i], pmap, page, entry);
	}
}

static bool batch_has(const struct mvmh_tlb *batch, unsigned page)
{
	return batch->whole || batch->pages[page / 64] >> page % 64 & 1;
}

static void flush_hart(struct hart *hart, const struct flush *flush)
{
	for (unsigned i = hart->n_slots; i-- > 0;) {
		struct slot *slot = &hart->slots[i];

		if (slot->pmap == flush->pmap && batch_has(&flush->batch, slot->page))
			slot_drop(hart, slot);
	}
}

/* The hart takes the interrupt: it does all that others want from it. */
static void interrupted(unsigned hart)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		struct flush *flush = flushes[i];

		if (!flush || !flush->wanted[hart])
			continue;
		flush_hart(&harts[hart], flush);
		flush->wanted[hart] = false;
		if (--flush->n_wanted == 0)
			sched_wake(flush);
	}
}

void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	unsigned self = sched_self();
	struct flush flush = {.pmap = pmap, .batch = *batch};

	host_check_free("mvmh_tlb_sync");
	sched_point(POINT_HOOK);
	sim_trace("interrupts harts to forget %s", batch->whole ? "all" : "pages");
	for (unsigned i = 0; i < FIBERS; i++) {
		if (i == self || !sched_ready(i)) {
			flush_hart(&harts[i], &flush);
			continue;
		}
		flush.wanted[i] = true;
		flush.n_wanted++;
		sched_interrupt(i);
	}
	flushes[self] = &flush;
	while (flush.n_wanted > 0)
		sched_block("harts to forget translations", &flush);
	flushes[self] = NULL;
	sim_trace("all harts have forgotten");
	memset(batch, 0, sizeof *batch);
}

static bool batch_is_empty(const struct mvmh_tlb *batch)
{
	for (unsigned i = 0; i < sizeof batch->pages / sizeof *batch->pages; i++) {
		if (batch->pages[i])
			return false;
	}
	return !batch->whole;
}

/* No other hart that runs is in the space, so that none has to be interrupted. */
static bool runs_here_only(const struct mvmh_pmap *pmap)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		if (i != sched_self() && sched_ready(i) && harts[i].pmap == pmap)
			return false;
	}
	return true;
}

static void flush_harts(const struct mvmh_pmap *pmap, const struct mvmh_tlb *batch)
{
	struct flush flush = {.pmap = pmap, .batch = *batch};

	for (unsigned i = 0; i < FIBERS; i++)
		flush_hart(&harts[i], &flush);
}

bool sim_tlb_sync_here(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	sched_point(POINT_HOOK);
	if (batch_is_empty(batch))
		return true;
	if (!runs_here_only(pmap))
		return false;
	flush_harts(pmap, batch);
	sim_trace("no other hart is there to forget pages");
	memset(batch, 0, sizeof *batch);
	return true;
}

/* --- Tables ----------------------------------------------------------------------------------- */

void tlb_begin(void)
{
	for (unsigned i = 0; i < TABLES; i++)
		tables[i].taken = false;
	memset(flushes, 0, sizeof flushes);
	memset(in_tables, 0, sizeof in_tables);
	memset(in_tlbs, 0, sizeof in_tlbs);
	for (unsigned i = 0; i < FIBERS; i++) {
		harts[i].pmap = NULL;
		harts[i].n_slots = 0;
	}
	sched_on_interrupt(interrupted);
}

void tlb_check_gone(mvm_frame_t frame)
{
	if (in_tables[frame])
		sim_fail("frame %u is freed while a table maps it", frame);
	if (in_tlbs[frame])
		sim_fail("frame %u is freed while a TLB reaches it", frame);
}

void tlb_check_empty(void)
{
	for (unsigned i = 0; i < TABLES; i++) {
		if (tables[i].taken)
			sim_fail("a translation table was not given back");
	}
}

int mvmh_pmap_create(struct mvmh_pmap *pmap)
{
	host_check_free("mvmh_pmap_create");
	for (unsigned i = 0; i < TABLES; i++) {
		if (tables[i].taken)
			continue;
		memset(&tables[i], 0, sizeof tables[i]);
		tables[i].taken = true;
		pmap->table = &tables[i];
		return 0;
	}
	return -MVM_ENOMEM;
}

void mvmh_pmap_destroy(struct mvmh_pmap *pmap)
{
	struct flush all = {.pmap = pmap, .batch.whole = true};

	host_check_free("mvmh_pmap_destroy");
	for (unsigned i = 0; i < SIM_PAGES; i++) {
		if (pmap->table->entries[i])
			sim_fail("mvmh_pmap_destroy: page %u is mapped", i);
	}
	for (unsigned i = 0; i < FIBERS; i++) {
		flush_hart(&harts[i], &all); /* another pmap may get the address */
		if (harts[i].pmap == pmap)
			harts[i].pmap = NULL;
	}
	pmap->table->taken = false;
}

/* A table is changed under one lock, always the same: its space's. */
static void check_context(struct mvmh_pmap *pmap, const char *who)
{
	const struct mvmh_lock *lock = host_space_lock();

	sched_point(POINT_HOOK);
	if (!pmap->guard)
		pmap->guard = lock;
	if (!lock || pmap->guard != lock)
		sim_fail("%s: the space's lock is not held", who);
	if (!pmap->table->taken)
		sim_fail("%s: the tables are gone", who);
}

static void set_entry(uint32_t *entry, uint32_t to)
{
	if (*entry)
		in_tables[entry_frame(*entry)]--;
	if (to)
		in_tables[entry_frame(to)]++;
	*entry = to;
}

static int enter_page(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	unsigned page = page_of_va(va);
	uint32_t *entry = &pmap->table->entries[page];
	struct slot *slot;

	check_context(pmap, "mvmh_pmap_enter");
	if (va & MVM_PAGE_MASK || page >= SIM_PAGES || !rights || rights & ~7u)
		sim_fail("mvmh_pmap_enter: bad arguments");
	if (!host_frame_taken(frame))
		sim_fail("mvmh_pmap_enter: frame %u is free", frame);
	if (*entry && entry_frame(*entry) != frame)
		return -MVM_EEXIST;
	if (*entry)
		rights |= entry_rights(*entry);
	sim_trace("enter page %u: frame %u, rights %u", page, frame, rights);
	set_entry(entry, entry_make(frame, rights) | ENTRY_USED);
	slot = slot_find(&harts[sched_self()], pmap, page);
	if (slot && entry_rights(slot->entry) != rights)
		slot_drop(&harts[sched_self()], slot); /* it is to see the new rights */
	return 0;
}

/* A large entry is so many single ones, or none. */
int mvmh_pmap_enter(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights, unsigned order)
{
	unsigned n = 1u << order, page = page_of_va(va);

	if ((page | frame) % n)
		sim_fail("mvmh_pmap_enter: a large entry that is not aligned");
	for (unsigned i = 0; order && i < n; i++) {
		if (pmap->table->entries[page + i])
			return -MVM_EEXIST;
	}
	for (unsigned i = 0; i < n; i++) {
		int err = enter_page(pmap, va + i * MVM_PAGE_BYTES, frame + i, rights);

		if (err)
			return err;
	}
	return 0;
}

/* Take from each entry of the range what is not in `rights`; at most so many entries. */
static mvm_vaddr_t reduce(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	unsigned page = page_of_va(start), changed = 0;

	for (; page < page_of_va(end) && page < SIM_PAGES; page++) {
		uint32_t *entry = &pmap->table->entries[page], old = *entry;

		if (!(entry_rights(old) & ~rights))
			continue;
		if (changed++ == MVM_HOLD_PAGES)
			return (mvm_vaddr_t)page << MVM_PAGE_SHIFT;
		speculate(pmap, page, old);
		sim_trace("reduce page %u: frame %u, rights %u to %u", page, entry_frame(old),
			entry_rights(old), entry_rights(old) & rights);
		set_entry(entry, rights ? entry_make(entry_frame(old), entry_rights(old) & rights) |
						  (old & ENTRY_USED)
					: 0);
		batch->pages[page / 64] |= UINT64_C(1) << page % 64;
	}
	return end;
}

mvm_vaddr_t mvmh_pmap_remove(
	struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	check_context(pmap, "mvmh_pmap_remove");
	return reduce(pmap, start, end, 0, batch);
}

mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	check_context(pmap, "mvmh_pmap_protect");
	if (!rights)
		sim_fail("mvmh_pmap_protect: no rights");
	return reduce(pmap, start, end, rights, batch);
}

/*
 * Another order than mm's own could have: each page is at the new place before
 * it leaves the old one.
 */
mvm_vaddr_t sim_pmap_move(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	mvm_vaddr_t to, struct mvmh_tlb *batch)
{
	unsigned moved = 0;

	for (; start < end; start += MVM_PAGE_BYTES, to += MVM_PAGE_BYTES) {
		uint32_t entry = pmap->table->entries[page_of_va(start)];

		if (!entry)
			continue;
		if (moved++ == MVM_HOLD_PAGES)
			return start;
		if (random_below(&machine.random, 4) && /* or there is no memory for a table */
			mvmh_pmap_enter(pmap, to, entry_frame(entry), entry_rights(entry), 0) != 0)
			sim_fail("mvmh_pmap_move: something is mapped at the new place");
		if (mvmh_pmap_remove(pmap, start, start + MVM_PAGE_BYTES, batch) == start)
			sim_fail("mvmh_pmap_move: a page is not removed");
	}
	return end;
}

bool sim_pmap_fill(struct mvmh_pmap *pmap, uintptr_t va, uint32_t frame, unsigned rights)
{
	uint32_t *entry = &pmap->table->entries[page_of_va(va)];

	sched_point(POINT_HOOK);
	if (!host_stays() || host_space_lock() || !pmap->table->taken)
		sim_fail("mvmh_pmap_fill: no stay, or under the lock, or the tables are gone");
	if (!rights || rights & ~7u || !host_frame_taken(frame))
		sim_fail("mvmh_pmap_fill: bad arguments");
	if (*entry || !random_below(&machine.random, 4)) /* as if a table were missing */
		return false;
	sim_trace("fill page %u: frame %u, rights %u", page_of_va(va), frame, rights);
	set_entry(entry, entry_make(frame, rights) | ENTRY_USED);
	return true;
}

bool sim_pmap_replace(struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights)
{
	struct mvmh_tlb batch = {.whole = false};

	check_context(pmap, "mvmh_pmap_replace");
	if (!pmap->table->entries[page_of_va(va)] || !runs_here_only(pmap))
		return false;
	(void)reduce(pmap, va, va + MVM_PAGE_BYTES, 0, &batch);
	flush_harts(pmap, &batch);
	set_entry(&pmap->table->entries[page_of_va(va)], entry_make(frame, rights) | ENTRY_USED);
	sim_trace("replace page %u: frame %u, rights %u", page_of_va(va), frame, rights);
	return true;
}

bool sim_pmap_remove_here(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	struct mvmh_tlb batch = {.whole = false};

	check_context(pmap, "mvmh_pmap_remove_here");
	if (!pmap->table->entries[page_of_va(va)])
		return true; /* what others know of an earlier entry is not looked for */
	if (!runs_here_only(pmap))
		return false;
	(void)reduce(pmap, va, va + MVM_PAGE_BYTES, 0, &batch);
	flush_harts(pmap, &batch);
	return true;
}

bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	uint32_t *entry = &pmap->table->entries[page_of_va(va)];
	bool used = *entry & ENTRY_USED;

	check_context(pmap, "mvmh_pmap_test_and_clear");
	*entry &= ~ENTRY_USED;
	return used;
}

bool sim_pmap_query(struct mvmh_pmap *pmap, uintptr_t va, uint32_t *frame, unsigned *rights)
{
	unsigned page = page_of_va(va);
	uint32_t entry = page < SIM_PAGES ? pmap->table->entries[page] : 0;

	if (page == 0 || page >= SIM_PAGES)
		sim_fail("mvmh_pmap_query: page %u is not of the space", page);
	*frame = entry_frame(entry);
	*rights = entry_rights(entry);
	return entry != 0;
}

/* --- Accesses --------------------------------------------------------------------------------- */

/* The table forgets the page, as one under pressure might, and with it all harts. */
static void forget(struct mvmh_pmap *pmap, unsigned page)
{
	struct flush flush = {.pmap = pmap};

	set_entry(&pmap->table->entries[page], 0);
	flush.batch.pages[page / 64] = UINT64_C(1) << page % 64;
	for (unsigned i = 0; i < FIBERS; i++)
		flush_hart(&harts[i], &flush);
}

/* What the hart translates the page to, or 0: it faults. */
static uint32_t translate(struct hart *hart, struct mvmh_pmap *pmap, unsigned page, unsigned access)
{
	struct slot *slot = slot_find(hart, pmap, page);
	uint32_t *entry = &pmap->table->entries[page];

	if (slot && entry_rights(slot->entry) & access)
		return slot->entry;
	if (slot && random_below(&machine.random, 4) < machine.spurious)
		return 0;
	if (slot)
		slot_drop(hart, slot);
	if (!(entry_rights(*entry) & access))
		return 0;
	*entry |= ENTRY_USED;
	slot_add(hart, pmap, page, *entry);
	return *entry;
}

bool tlb_access(struct mvmh_pmap *pmap, mvm_vaddr_t va, unsigned access,
	void (*touch)(char *bytes, void *argument), void *argument)
{
	struct hart *hart = &harts[sched_self()];
	unsigned page = page_of_va(va);
	uint32_t entry;

	sched_point(POINT_USER);
	hart->pmap = pmap;
	if (random_below(&machine.random, 64) < machine.forget)
		forget(pmap, page);
	entry = translate(hart, pmap, page, access);
	if (!entry)
		return false;
	if (!host_frame_taken(entry_frame(entry)))
		sim_fail("an access reaches frame %u, which is free", entry_frame(entry));
	sim_trace("reaches frame %u at page %u", entry_frame(entry), page);
	touch(host_frame_data(entry_frame(entry)), argument);
	return true;
}
