// SPDX-License-Identifier: MIT
/*
 * Address spaces in hardware: the translation tables and what harts remember of them.
 *
 * A pmap is a cache of what the layer above knows: it may forget any mapping at any time, and the
 * next fault brings it back. It never says no to removal, and keeps no list of what it maps.
 *
 * Locking: what changes entries of one pmap, or looks at them, is serialized by the caller (mm
 * holds its space lock), where it does not say otherwise. activate and tlb_flush need no lock. Only
 * tlb_flush sleeps.
 *
 * Ordering towards other harts. Entries change first, then the batch is flushed, and only then may
 * the frames that were unmapped be used for something else. A hart in the space at that moment is
 * interrupted and flushes what it remembers of it; a hart that merely ran in it earlier, and may
 * still hold its translations under the space's identifier, is not: it is marked stale and flushes
 * for itself when it next enters the space. Nor is one that is aside in it (pmap_step_back()), but
 * where tables go. So harts that sleep or run elsewhere cost nothing.
 *
 * An entry only gains rights in place, or loses them; to change its frame remove it, flush the
 * batch, and enter the new one (pmap_replace() is all of that, where no other hart is). A gain
 * needs no flush of others: their spurious fault finds the entry good.
 *
 * A hart may also remember that an entry was invalid, and fault once more after it was entered.
 * That is not prevented (a fence at every fault costs more than it saves) but cured: the fault
 * enters what is there already, and pmap_enter() of what is mapped so already fences, tables, too.
 *
 * Accessed and dirty bits: entries are made accessed, and dirty if writable, so that machines that
 * trap on clear bits work as those that set them. Whoever needs to know of first stores maps
 * read-only until then.
 */
#pragma once

#include <arch/types.h>

/* Rights of a mapping. WRITE implies READ in the entry. All user mappings; none global. */
#define PMAP_READ  1u
#define PMAP_WRITE 2u
#define PMAP_EXEC  4u

/* Sizes of leaves, as orders (log2 of pages). */
#define PMAP_ORDER_PAGE  0
#define PMAP_ORDER_LARGE 9

#define PMAP_MIDDLES 4

/* A table that a slot of the root points to: what was ever entered into it is between two slots. */
struct pmap_middle {
	uint16_t root_slot, first, last;
};

/* [I] immutable; [a] atomic; [s] serialized by the caller, as the calls that change it are */
struct pmap {
	uint64_t *root;      /* [I] */
	uint64_t satp;       /* [I] what a hart in this space has in that register */
	uint32_t id;         /* [I] identifier of its translations in the harts' caches */
	uint64_t held;       /* [a] harts that may remember translations of it */
	uint64_t stale;      /* [a] harts that must flush before they enter it */
	uint64_t stale_code; /* [a] those of them that must synchronize instruction fetch, too */
	struct pmap_middle middles[PMAP_MIDDLES]; /* [s] in no order */
	uint32_t n_middles; /* [s] more than PMAP_MIDDLES: some have no note */
	uint64_t *leaf;     /* [s] the table of pages entered into last, */
	uint64_t leaf_at;   /* [s] and which one that is, or none */
};

/* Ranges to be forgotten, and table pages to be freed when they are. All zero is empty. */
struct tlb_batch {
	vaddr_t start, end;  /* hull of what changed */
	paddr_t free_tables; /* list through the pages' first word */
	bool tables;         /* entries of tables changed: what is remembered of those goes too */
};

/* Once at boot, after pmap_map_memory(): run on the final tables instead of those of the boot. */
void pmap_setup(void);

/* A space that maps nothing of the user half. 0 or -ENOMEM. */
int pmap_init(struct pmap *pmap) __attribute__((warn_unused_result));

/* Free the tables. No hart has it active. What was mapped need not have been removed. */
void pmap_fini(struct pmap *pmap);

/* Give back the tables that are kept for the next space. */
void pmap_shrink(void);

/* How many these are. */
size_t pmap_tables_kept(void);

/*
 * Map 2^order frames from pa at va. Over a valid entry for the same frame the rights are added to
 * those it has; for another frame it is -EEXIST. -ENOMEM: no table. In both cases nothing changed.
 * When a large leaf is asked for, an empty table in its place is given up; a page that a large leaf
 * maps splits that, if it is to have more rights than that has.
 * With PMAP_EXEC, pmap_sync_code() came after what was written to the frame; so for the others that
 * enter pages.
 */
int pmap_enter(struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights, unsigned order)
	__attribute__((warn_unused_result));

/*
 * Map the frame at pa at va, where another is mapped as a page, with these rights only; what this
 * hart remembers of it is forgotten. False, and nothing has changed, if another hart is in the
 * space, or something else is in the way. Preemption is off.
 */
bool pmap_replace(struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights)
	__attribute__((warn_unused_result));

/*
 * Remove the page that is mapped at va, if one is; what this hart remembers of it is forgotten.
 * False, and nothing has changed, as of pmap_replace(). Preemption is off.
 */
bool pmap_remove_here(struct pmap *pmap, vaddr_t va) __attribute__((warn_unused_result));

/*
 * As pmap_enter() of one page where nothing is mapped. False, and nothing is mapped that was not:
 * something is, or a table is suspended, or missing outside of the part of its surroundings that
 * ever had tables, or there is no memory for it, or a large leaf would have to be split, or the
 * page is code. Other harts may do the same at the same time, but nothing else.
 */
bool pmap_fill(const struct pmap *pmap, vaddr_t va, paddr_t pa, unsigned rights)
	__attribute__((warn_unused_result));

/*
 * Does a run of pages that are mapped with these rights end beside the one at va? 1: the two before
 * it are, and the next is not; -1: the other way round; 0: neither, or they are not all in the
 * table that was entered into last.
 */
int pmap_run_end(const struct pmap *pmap, vaddr_t va, unsigned rights);

/*
 * Map n single frames in one walk, all in one leaf table (2^PMAP_ORDER_LARGE pages): frames[i], a
 * page number, at va + i pages. Over a valid entry for the same frame the rights are added. Left
 * alone is what maps another, or gets PMAP_NO_FRAME; and everything when there is no memory for the
 * table.
 */
#define PMAP_NO_FRAME UINT32_MAX
void pmap_enter_run(
	struct pmap *pmap, vaddr_t va, const uint32_t *frames, unsigned n, unsigned rights);

/*
 * Unmap what is mapped in [start, end), ascending, but at most max_entries entries. Returns where
 * to go on, `end` when all is done. A table that lies wholly in the range counts as one entry,
 * however many it has, and nothing costs one look. So does a large leaf. One that lies in the range
 * in part is split into pages; for want of a table, it is removed whole.
 */
vaddr_t pmap_remove(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned max_entries,
	struct tlb_batch *batch) __attribute__((warn_unused_result));

/*
 * Take away rights from what is mapped in [start, end): keep only those in rights (not 0). Entries
 * with nothing to lose do not count; the rest as for pmap_remove(): a large leaf may lose them
 * whole.
 */
vaddr_t pmap_protect(struct pmap *pmap, vaddr_t start, vaddr_t end, unsigned rights,
	unsigned max_entries, struct tlb_batch *batch) __attribute__((warn_unused_result));

/*
 * Map what is mapped in [start, end) at `to` and after it instead, where nothing is mapped, with
 * the same rights. Returns where to go on, as pmap_remove(); what cannot be mapped there, for want
 * of a table, is only unmapped. Where both places are a table's, the table moves, or the large
 * leaf, and counts as one entry.
 */
vaddr_t pmap_move(struct pmap *pmap, vaddr_t start, vaddr_t end, vaddr_t to, unsigned max_entries,
	struct tlb_batch *batch) __attribute__((warn_unused_result));

/* Was the mapping used since the last call (or since it was entered)? Not flushed: a hint. */
bool pmap_test_and_clear_used(struct pmap *pmap, vaddr_t va);

/* What is mapped at va: false if nothing; else the frame's address (of that page) and rights. */
bool pmap_query(const struct pmap *pmap, vaddr_t va, paddr_t *pa, unsigned *rights);

/* The raw entry at va and the level it was found on (0: pages), for reports. */
uint64_t pmap_entry(const struct pmap *pmap, vaddr_t va, unsigned *level);

/*
 * Every hart forgets what is in the batch, then its table pages are freed and it is empty again.
 * Waits for the other harts in the space, asleep if that takes long.
 */
void tlb_flush(struct pmap *pmap, struct tlb_batch *batch);

/*
 * The same if that waits for no other hart and frees no tables; else false, and the batch is as it
 * was. The caller stays on this hart: preemption is off.
 */
bool tlb_flush_here(struct pmap *pmap, struct tlb_batch *batch) __attribute__((warn_unused_result));

/*
 * In an interrupt that pmap_interrupt() caused: this hart forgets, and fetches
 * anew, what it is to.
 */
void pmap_catch_up(void);

/* Run in this space; NULL: in none (kernel half only). Interrupts off. */
void pmap_activate(struct pmap *pmap);

/*
 * This hart may be aside: it is in the kernel, on a way that touches no user memory, and others
 * need not interrupt it. It has to come near before it touches any: in debug builds what is
 * in user.h stops at a breakpoint otherwise. pmap_step_back(): interrupts are off.
 */
void pmap_come_near(void);
void pmap_step_back(void);

/*
 * Before frames are entered as code, and after that was written to them: all harts in the space
 * synchronize instruction fetch now, others when they enter it. So no hart that finds the entry has
 * instructions of what was in the frame before. Spins until they have. Serialized by the caller.
 */
void pmap_sync_code(struct pmap *pmap);

/* Kernel mappings. */

/* Boot, before pmap_setup(): RAM at [start, end) belongs in the direct map. */
void pmap_map_memory(paddr_t start, paddr_t end);
/*
 * Map contiguous frames in the stack region, read-write: 0 or -ENOMEM; and unmap them: where the
 * frames begin. The caller serializes these, and pmap_kernel_fence(), interrupts off, lets all
 * harts know, for they may remember what was mapped, and what was not.
 */
int pmap_kernel_map(vaddr_t va, paddr_t pa, size_t bytes) __attribute__((warn_unused_result));
paddr_t pmap_kernel_unmap(vaddr_t va, size_t bytes);
void pmap_kernel_fence(void);
/* Device registers at [pa, pa + bytes), in the direct map; kept for ever. Boot time only. */
void *pmap_map_device(paddr_t pa, size_t bytes);

/* Upcalls, defined by the kernel. */

/* Table pages. Contents undefined; 0 when there is none. */
paddr_t pmap_table_alloc(void);
void pmap_table_free(paddr_t table);

/*
 * Each of the harts calls pmap_catch_up() in an interrupt that begins after this call did; returns
 * when all have. Interrupts are on, and no lock is held that is taken with interrupts off; with
 * may_sleep no spin lock at all.
 */
void pmap_interrupt(uint64_t harts, bool may_sleep);

/*
 * One turn of a loop that waits for what another hart does, which perhaps does not run; *turns
 * counts them, from 0. Interrupts are off or on, and stay so.
 */
void pmap_backoff(unsigned *turns);
